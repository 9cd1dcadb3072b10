"""The README's commands for docker-compose on a real engine, from a clean clone to masks; stopped, cut off, continued.

The tests are one story and run in this order. `pytest -s` prints when each step was done.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

import search.studies
from search.studies.reports import study_report, trial_reports
from search.training.epoch import EpochRecord
from storage.store import open_store
from storage.studies.epochs import curve
from support.waiting import wait_for

from .conftest import ROOT, Engine, Index, run

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

OWNER = 4242  # somebody without an account in the images
TRIALS, EPOCHS, SLOTS = 8, 120, 2
OPTIONS = f"--trials {TRIALS} --epochs {EPOCHS} --pruner none --sampler random --warm-start none"
LATE = 5  # an epoch in the middle of a training
SPACE = """
model: {family: unet, depth: 3, filters: 8, growth: 2.0, block: plain, decoder_block: same, bottleneck: plain,
        skip: concat, norm: batch, dropout: 0.0, dropout_place: every_block, squeeze: nowhere, upsampling: nearest}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {geometry: null, mixing: null}
optimisation: {optimizer: adamw, batch_size: 8, lr: {low: 1e-3, high: 1e-2, log: true}, patience: 2000}
data: {oversample: null}
"""
PAGES = (ROOT / "README.md").read_text() + (ROOT / "docs" / "docker-compose.md").read_text()


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A clone with its services. dashboard: the address that it listens on."""

    folder: Path
    engine: Engine
    environment: Mapping[str, str]
    index: Index
    dashboard: str
    began: float = field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {text}", flush=True)

    def documented(self, command: str, more: str = "") -> str:
        """The output of a command that the pages name, with more options."""
        assert command in PAGES, f"neither README.md nor docs/docker-compose.md names: {command}"
        return self.shell(f"{command} {more}")

    def shell(self, command: str, timeout: float = 2400) -> str:
        try:
            return run("sh", "-c", command, env=self.environment, cwd=self.folder, timeout=timeout)
        except AssertionError:
            subprocess.run(
                ["docker-compose", "logs", "--tail", "40"], env=self.environment, cwd=self.folder, check=False
            )
            raise

    def container(self, service: str) -> str:
        """The id of the service's container, running or not; "" where there is none."""
        found = self.engine.docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.service={service}",
                                   "--filter", f"label=com.docker.compose.project={self.folder.name}",
                                   "--filter", "label=com.docker.compose.oneoff=False")  # fmt: skip
        return found.strip()

    def inspect(self, name: str) -> Any:
        return json.loads(self.engine.docker("inspect", name))[0]

    def state(self, service: str) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self.inspect(self.container(service))["State"]
        return state

    def address(self, service: str) -> str:
        """The address of a service in the stack's network, which this machine reaches as well."""
        (network,) = self.inspect(self.container(service))["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def secrets(self) -> dict[str, str]:
        lines = (self.folder / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "PASSWORD=" in line)

    def report(self) -> dict[str, Any]:
        """`marsearch status --json` and `trials --format json`, asked from this machine."""
        url = f"postgresql+psycopg://marsearch:{self.secrets()['POSTGRES_PASSWORD']}@{self.address('db')}/marsearch"
        with tempfile.TemporaryDirectory() as artifacts:
            store = open_store(url, artifacts)
            try:
                rows = list(trial_reports(store, "mars"))
                numbers = [row["number"] for row in rows]
                curves = {trial: [row.number for row in curve(store, "mars", trial, EpochRecord)] for trial in numbers}
                return {**study_report(store, "mars"), "rows": rows, "curves": curves}
            finally:
                store.close()

    def training(self) -> dict[int, int]:
        """The epoch of each trial under way, once all slots are in the middle of one."""

        def look() -> dict[int, int]:
            report = self.report()
            assert report["state"] != "finished", "the study ended before both slots were seen in the middle of a trial"
            running = [row["number"] for row in report["rows"] if row["state"] == "running"]
            # What the database has of their epochs: workers tell theirs every ten seconds only.
            found = {trial: report["curves"][trial][-1] for trial in running if report["curves"][trial]}
            late = len(found) == SLOTS and all(LATE <= epoch < EPOCHS - LATE for epoch in found.values())
            return found if late else {}

        answer: dict[int, int] = wait_for(look, 900, what="every slot is in the middle of a training")
        return answer

    def status(self, path: str, password: str | None = None, address: str | None = None) -> int:
        """What the dashboard answers."""
        request = urllib.request.Request(f"http://{address or self.dashboard}{path}")
        if password is not None:
            request.add_header("Authorization", f"Basic {base64.b64encode(f'x:{password}'.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def stack(engine: Engine, index: Index) -> Iterator[Stack]:
    """A clean clone with a space file, in which nothing has been started; removed with all that it made."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("a clean clone needs git and a repository")
    home = Path(tempfile.mkdtemp(prefix="compose-"))
    home.chmod(0o755)
    folder = home / f"marsearch{os.getpid()}"
    run("git", "clone", "--quiet", ROOT, folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dashboard = f"127.0.0.1:{free.getsockname()[1]}"
    foreign = ("POSTGRES_", "MARSEARCH_", "COMPOSE_", "TORCH_", "PIP_", "AWS_")
    own = {key: value for key, value in engine.environment.items() if not key.startswith(foreign)}
    settings = {
        "MARSEARCH_SPACE": "space.yaml",
        "MARSEARCH_STUDY_OPTIONS": OPTIONS,
        "MARSEARCH_WORK_OPTIONS": f"--workers {SLOTS}",
        "MARSEARCH_DASHBOARD_ADDRESS": dashboard,
        "PIP_INDEX_URL": index.url,
        "TORCH_INDEX_URL": index.url,
        "PIP_TRUSTED_HOST": index.host,
    }
    made = Stack(folder=folder, engine=engine, environment=own | settings, index=index, dashboard=dashboard)
    yield made
    if (folder / ".env").exists():
        subprocess.run(
            ["docker-compose", "down", "--volumes", "--timeout", "10"], cwd=folder, env=made.environment, check=False
        )
    shutil.rmtree(home)


def test_images_are_built_and_make_data_for_the_user_who_asks(stack: Stack) -> None:
    owner = []
    if os.geteuid() == 0:
        run("chown", "--recursive", f"{OWNER}:{OWNER}", stack.folder)
        owner = ["setpriv", f"--reuid={OWNER}", f"--regid={OWNER}", "--clear-groups"]
    run(*owner, "make", "env", env=stack.environment, cwd=stack.folder)
    (stack.folder / "data" / "space.yaml").write_text(SPACE)
    stack.shell("nice -n 19 docker-compose build")
    stack.say("images are built")
    stack.documented(
        "docker-compose run --rm --no-deps worker data synth train.npz", "--train 60 --test 6 --size 64x64"
    )
    stack.documented("mv bundles/train.npz data/")
    assert (stack.folder / "data" / "train.npz").stat().st_uid == (stack.folder / ".env").stat().st_uid


@pytest.mark.parametrize("target", ["small", "worker"])
def test_images_have_a_plain_user_no_build_tools_and_no_secret(stack: Stack, target: str) -> None:
    image = f"marsearch:{target}"
    about = stack.inspect(image)
    assert about["Config"]["User"] == "1000:1000"
    told = json.dumps(about) + stack.engine.docker("history", "--no-trunc", image)
    tools = "for tool in gcc cc c++ make git pip pip3; do command -v $tool; done; python -m pip; test $(id -u) = 1000"
    said = subprocess.run(
        ["docker", "run", "--rm", "--entrypoint", "sh", image, "-c", tools],
        env=stack.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (said.returncode, said.stdout) == (0, "")
    assert "No module named pip" in said.stderr
    secrets = [value.encode() for value in stack.secrets().values()] + [stack.index.password.encode()]
    known = str(search.studies.__doc__).encode()  # stands in our code: the search would find what is there
    found = found_in_layers(stack, image, [*secrets, stack.index.host.encode(), known])
    assert found == {known}
    assert [secret for secret in secrets if secret.decode() in told] == []


def found_in_layers(stack: Stack, image: str, wanted: list[bytes]) -> set[bytes]:
    """Which of these stand anywhere in the image's layers."""
    with subprocess.Popen(["docker", "save", image], env=stack.environment, stdout=subprocess.PIPE) as saving:
        assert saving.stdout
        found: set[bytes] = set()
        tail = b""
        while block := saving.stdout.read(1 << 24):
            found |= {text for text in wanted if text in tail + block}
            tail = block[-256:]
    assert saving.returncode == 0
    return found


def test_small_image_is_without_torch_and_much_smaller(stack: Stack) -> None:
    lacks = "import importlib.util as u; print([name for name in ('torch', 'onnx', 'optuna') if u.find_spec(name)])"
    said = stack.engine.docker("run", "--rm", "--entrypoint", "python", "marsearch:small", "-c", lacks)
    assert said.strip() == "['optuna']"
    sizes = [stack.inspect(f"marsearch:{target}")["Size"] for target in ("small", "worker")]
    stack.say(f"images: small {sizes[0] / 1e6:.0f} MB, worker {sizes[1] / 1e6:.0f} MB, base included")
    assert sizes[0] < sizes[1] / 2


def test_one_command_starts_the_search(stack: Stack) -> None:
    said = stack.shell("make env && docker-compose up -d")
    assert "stays as it is" in said
    assert stack.state("study")["ExitCode"] == 0
    stack.training()
    stack.say("both slots are in the middle of a training")


def test_stopped_worker_hands_its_trials_back_and_goes_on_with_them(stack: Stack) -> None:
    before = stack.training()
    began = time.monotonic()
    stack.documented("docker-compose stop worker")
    took = time.monotonic() - began
    assert stack.state("worker")["ExitCode"] == 0
    report = stack.report()
    assert report["trials"]["running"] == 0
    assert report["trials"]["waiting"] == SLOTS
    stack.say(f"worker stopped within {took:.1f} s at epochs {sorted(before.values())}")
    stack.shell("docker-compose start worker")
    resumed = wait_for(lambda: resumptions(stack, set(before)), 300, what="both trials go on")
    assert set(resumed) == set(before)
    assert all(resumed[trial] >= before[trial] - 1 for trial in before), (before, resumed)
    stack.say(f"they went on from epochs {sorted(resumed.values())}")


def resumptions(stack: Stack, trials: set[int]) -> dict[int, int]:
    """By the trial that was cut off, the epoch from which its retry went on; empty before all have."""
    rows = {row["retry_of"]: row["resumed_from_epoch"] for row in stack.report()["rows"] if row["retry_of"] is not None}
    found = {trial: rows[trial] for trial in trials if rows.get(trial) is not None}
    return found if set(found) == trials else {}


def test_ten_seconds_without_database_cost_nothing(stack: Stack) -> None:
    stack.training()
    attempts = {row["number"] for row in stack.report()["rows"] if row["state"] == "running"}
    stack.engine.docker("kill", stack.container("db"))
    time.sleep(10)  # what the test is about
    stack.shell("docker-compose start db")
    wait_for(lambda: stack.state("db")["Health"]["Status"] == "healthy", what="the database is well again")
    finished = wait_for(lambda: ended(stack, attempts), 900, what="the trials under way are complete")
    assert all(row["state"] == "complete" for row in finished), "not one of them was begun again"
    worker = stack.inspect(stack.container("worker"))
    assert worker["RestartCount"] == 0
    assert worker["State"]["Running"]
    stack.say("trials that were under way when the database was killed are complete")


def ended(stack: Stack, trials: set[int]) -> list[dict[str, Any]]:
    rows = [row for row in stack.report()["rows"] if row["number"] in trials]
    return rows if all(row["state"] not in ("running", "waiting") for row in rows) else []


def test_after_down_the_study_goes_on_with_up(stack: Stack) -> None:
    before = stack.training()
    finished = stack.report()["trials"]["complete"]
    stack.documented("docker-compose down")
    assert stack.container("worker") == ""
    stack.documented("docker-compose up --detach")
    report = stack.report()
    assert report["trials"]["complete"] >= finished
    resumed = wait_for(lambda: resumptions(stack, set(before)), 300, what="both trials go on")
    assert all(resumed[trial] >= before[trial] - 1 for trial in before), (before, resumed)
    stack.say(f"down and up: {finished} complete, the others went on from epochs {sorted(resumed.values())}")


@pytest.mark.parametrize("service", ["worker", "dashboard", "db"])
def test_running_container_is_well_and_has_no_process_of_root(stack: Stack, service: str) -> None:
    container = stack.container(service)
    users = stack.engine.docker("top", container, "-eo", "uid,pid").splitlines()[1:]
    assert users
    assert "0" not in {line.split()[0] for line in users}
    # Its own question, asked now: the engine asks it once a minute only, and the worker may have left by then.
    how, *question = stack.inspect(container)["Config"]["Healthcheck"]["Test"]
    shell = ["sh", "-c"] if how == "CMD-SHELL" else []
    wait_for(lambda: stack.engine.works("exec", container, *shell, *question), 60, what=f"{service} is well")


def test_without_a_password_nothing_answers_from_outside(stack: Stack) -> None:
    secrets = stack.secrets()
    published = stack.engine.docker("ps", "--format", "{{.Names}} {{.Ports}}")
    ours = [line for line in published.splitlines() if line.startswith(stack.folder.name) and "->" in line]
    assert len(ours) == 1
    assert f"{stack.dashboard}->8080/tcp" in ours[0]

    database = stack.address("db")
    for password in ("", "marsearch", secrets["MARSEARCH_DASHBOARD_PASSWORD"]):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=database, user="marsearch", password=password, dbname="marsearch", connect_timeout=10)
    right = {"host": database, "user": "marsearch", "password": secrets["POSTGRES_PASSWORD"], "dbname": "marsearch"}
    psycopg.connect(**right).close()

    inside = f"{stack.address('dashboard')}:8080"
    for address in (stack.dashboard, inside):
        for path in ("/", "/dashboard", "/api/studies", "/board", "/static/bundle.js", "/artifacts/1/1/a"):
            assert stack.status(path, address=address) == 401, path
            assert stack.status(path, secrets["POSTGRES_PASSWORD"], address) == 401, path
        assert stack.status("/healthz", address=address) == 200
    assert stack.status("/api/studies", secrets["MARSEARCH_DASHBOARD_PASSWORD"]) == 200


def test_another_network_of_the_same_engine_reaches_no_service(stack: Stack) -> None:
    gateways = [stack.index.host]
    targets = [(stack.address("db"), 5432), (stack.address("dashboard"), 8080)]
    targets += [(gateway, int(stack.dashboard.rpartition(":")[2])) for gateway in gateways]
    code = f"""
import socket
def answers(place):
    try:
        socket.create_connection(place, timeout=5).close()
    except OSError:
        return False
    return True
print([place for place in {targets!r} if answers(place)])
"""
    own = f"{stack.folder.name}_default"
    command = ("run", "--rm", "--entrypoint", "python", "--network")
    stack.engine.docker("network", "create", f"{stack.folder.name}_other")
    try:
        outside = stack.engine.docker(*command, f"{stack.folder.name}_other", "marsearch:small", "-c", code)
    finally:
        stack.engine.docker("network", "rm", f"{stack.folder.name}_other")
    assert outside.strip() == "[]"
    inside = stack.engine.docker(*command, own, "marsearch:small", "-c", code)
    assert inside.strip() == repr(targets[:2]), "inside the stack's network both are there"


def test_study_reaches_its_end_with_every_trial_and_every_epoch(stack: Stack) -> None:
    wait_for(lambda: stack.report()["state"] == "finished", 1800, what="the study is finished")
    wait_for(lambda: not stack.state("worker")["Running"], what="the worker has left")
    assert stack.state("worker")["ExitCode"] == 0
    report = stack.report()
    complete = [row for row in report["rows"] if row["state"] == "complete"]
    assert len(complete) == TRIALS
    assert report["trials"]["running"] == report["trials"]["waiting"] == 0
    for row in complete:
        first = (row["resumed_from_epoch"] or 0) + 1
        assert row["epochs"] == EPOCHS
        assert report["curves"][row["number"]][-1] == EPOCHS
        assert set(range(first, EPOCHS + 1)) <= set(report["curves"][row["number"]])
    retries = [row for row in report["rows"] if row["retry_of"] is not None]
    assert len(report["rows"]) == TRIALS + len(retries)
    assert len(retries) == 2 * SLOTS, "those that were stopped, and those that were taken down; none for the database"
    stack.say(f"{TRIALS} of {TRIALS} trials are complete, best mean IoU {report['best']['value']:.3f}")


def test_up_again_changes_nothing_at_a_finished_study(stack: Stack) -> None:
    before = stack.report()["rows"]
    stack.shell("docker-compose up -d")
    wait_for(lambda: not stack.state("worker")["Running"], what="the worker has left again")
    assert stack.state("study")["ExitCode"] == stack.state("worker")["ExitCode"] == 0
    assert stack.report()["rows"] == before


def test_documented_commands_export_the_best_network_and_label_images(stack: Stack) -> None:
    stack.documented("docker-compose run --rm worker export mars best")
    stack.documented("docker-compose run --rm worker predict best /data/train.npz masks.npz")
    bundle = stack.folder / "bundles" / "best"
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(stack.report()["best"]["miou"])
    with np.load(stack.folder / "bundles" / "masks.npz") as file:
        assert file["masks"].shape == (6, 64, 64)
    owners = {path.stat().st_uid for path in (stack.folder / "bundles").rglob("*")}
    assert owners == {(stack.folder / ".env").stat().st_uid}
    stack.say("bundle exported and used")
