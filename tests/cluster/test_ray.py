"""A search on a real Ray cluster of two nodes, of which one dies: nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import optuna
import psutil
import psycopg
import pytest
from optuna.trial import TrialState

from search.cluster.hosts import MOST_FAILURES
from search.training.epoch import EpochRecord
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.store import open_store
from storage.studies.attempts import attempts, kept_weights
from storage.studies.epochs import curve
from storage.trials.queries import count
from storage.trials.retries import first_attempt
from support.studies import LONG_SPACE
from support.waiting import LIMIT_S, wait_for

TRIALS, EPOCHS = 6, 150  # long enough for a checkpoint, of which there is one every ten seconds
SECRET = f"sesame-{uuid.uuid4().hex}"

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.fixture
def ray():
    return pytest.importorskip("ray")


class Scene:
    """A cluster of two nodes with two CPUs each, a database, and `marsearch` in processes of its own."""

    def __init__(self, folder, url, ray):
        from ray.cluster_utils import Cluster

        self.folder, self.url, self.ray, self.mark = folder, url, ray, uuid.uuid4().hex
        os.environ["SCENE"] = self.mark  # by which every process of the cluster is known
        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
        self.second = self.cluster.add_node(num_cpus=2)
        outside = {name: value for name, value in os.environ.items() if not name.startswith("MARSEARCH_")}
        self.environment = outside | {
            "MARSEARCH_STORAGE": url,
            "MARSEARCH_ARTIFACTS": str(folder / "artifacts"),
            "MARSEARCH_HOME": str(folder / "home"),
            "RAY_ADDRESS": self.cluster.address,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "OMP_NUM_THREADS": "1",
        }
        self.log = folder / "work.log"

    def create(self):
        write_dataset(synthesise(train=96, test=0, seed=1, height=32, width=48), self.folder / "data.npz")
        (self.folder / "space.yaml").write_text(LONG_SPACE)
        options = ("--trials", TRIALS, "--epochs", EPOCHS, "--pruner", "none", "--warm-start", "none", "--keep", TRIALS)
        self.command("create", "mars", "--data", "data.npz", "--space", "space.yaml", *options)

    def command(self, *arguments):
        asked = subprocess.run(
            [sys.executable, "-m", "search.cli", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        return asked.stdout

    def work(self, *options):
        command = [sys.executable, "-m", "search.cli", "work", "mars", "--on", "ray", *map(str, options)]
        with self.log.open("a") as log:
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, stderr=log)

    def epochs(self):
        uri = self.url.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(uri) as connection:
            return connection.execute("SELECT count(*) FROM marsearch_epochs").fetchone()[0]

    def until(self, condition, process):
        """Wait while the command works."""
        wait_for(lambda: condition() or process.poll() is not None, 600, what=self.log.read_text)
        assert process.poll() is None, self.log.read_text()

    def checkpoints(self):
        return len(list((self.folder / "home" / "checkpoints").glob("*.safetensors")))

    def hosts(self, below=None):
        """The hosts that run, all of them or those below a process."""
        found = psutil.process_iter() if below is None else psutil.Process(below).children(recursive=True)
        return [process for process in found if self._has(process, "search.cli.watched")]

    def kill_second_node(self):
        """What a power cut does to a machine: every process of the node is gone at once, hosts and children too."""
        raylet = self.second.all_processes["raylet"][0].process.pid
        lost = [psutil.Process(raylet), *psutil.Process(raylet).children(recursive=True)]
        for process in lost:
            process.kill()
        psutil.wait_procs(lost, timeout=LIMIT_S)

    def leaks(self):
        """Where the secret stands that every host was told: command lines, and files that Ray has written."""
        found = [str(process.pid) for process in psutil.process_iter() if self._has(process, SECRET, part=True)]
        session = Path(self.cluster.head_node.get_session_dir_path())
        files = [path for path in session.rglob("*") if path.is_file()]
        return found + [str(path) for path in files if SECRET.encode() in path.read_bytes()]

    def told(self):
        """The hosts that were told the secret."""
        return [host for host in self.hosts() if host.environ().get("AWS_SECRET_ACCESS_KEY") == SECRET]

    def close(self):
        self.cluster.shutdown()
        del os.environ["SCENE"]
        for process in psutil.process_iter():
            if self._has(process, "search.cli") or self._has(process, "search.worker.main"):
                process.kill()

    def _has(self, process, word, part=False):
        try:
            line = " ".join(process.cmdline()) if part else process.cmdline()
            return word in line and process.environ().get("SCENE") == self.mark
        except psutil.Error:
            return False


@pytest.fixture
def scene(tmp_path, postgres_url, ray, monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Scene(tmp_path, postgres_url, ray)
    try:
        yield made
    finally:
        made.close()


def test_a_node_dies_and_the_study_ends_with_nothing_lost(scene):
    scene.create()
    process = scene.work("--workers", "4")
    scene.until(lambda: scene.checkpoints() == 4, process)
    raylet = scene.second.all_processes["raylet"][0].process.pid
    assert (len(scene.hosts()), len(scene.hosts(below=raylet)), len(scene.told())) == (4, 2, 4)
    assert scene.leaks() == []
    scene.kill_second_node()
    assert process.wait(timeout=900) == 0, scene.log.read_text()
    said = scene.log.read_text()
    assert f"finished: {TRIALS} of {TRIALS} trials of study mars" in said
    assert "4 slots on 2 nodes, 1 CPU each" in said
    assert sum(f"/{TRIALS}  trial" in line for line in said.splitlines()) >= TRIALS  # each is told as it ends
    assert said.count("it begins anew") == 2, said
    assert "Traceback" not in said, said
    verdict(scene)
    assert scene.hosts() == []
    assert scene.leaks() == []


def verdict(scene):
    store = open_store(scene.url, str(scene.folder / "artifacts"))
    try:
        trials = optuna.load_study(study_name="mars", storage=store.trials).get_trials(deepcopy=False)
        done = [trial for trial in trials if trial.state is TrialState.COMPLETE]
        assert (count(trials).complete, count(trials).finished) == (TRIALS, TRIALS)
        assert Counter(first_attempt(trial) for trial in done) == dict.fromkeys({first_attempt(t) for t in trials}, 1)
        for trial in done:
            assert [row.number for row in curve(store, "mars", trial.number, EpochRecord)] == list(range(1, EPOCHS + 1))
        assert {kept.trial for kept in kept_weights(store, "mars")} == {trial.number for trial in done}
        assert len([run for run in attempts(store, "mars") if run.state == "complete"]) == TRIALS
        assert any("resumed_from_epoch" in trial.user_attrs for trial in done)
    finally:
        store.close()


def test_every_host_leaves_in_order_whoever_asks(scene):
    scene.create()
    process = scene.work("--workers", "5")  # of which four find room
    scene.until(lambda: scene.epochs() > 10, process)
    scene.command("study", "stop", "mars")
    assert process.wait(timeout=400) == 0, scene.log.read_text()
    assert "5 slots on 2 nodes, 1 CPU each; there is room for 4, the others wait for more" in scene.log.read_text()
    left_in_order(scene)

    scene.command("study", "resume", "mars")
    before = scene.epochs()
    process = scene.work("--workers", "2")
    scene.until(lambda: scene.epochs() > before + 10, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=LIMIT_S) == 0, scene.log.read_text()
    left_in_order(scene)


def left_in_order(scene):
    states = Counter(trial["state"] for trial in json.loads(scene.command("trials", "mars", "--format", "json")))
    assert states["running"] == 0
    assert states["waiting"] >= 1
    assert f"stopped: {states['complete']} of {TRIALS} trials" in scene.log.read_text()
    assert scene.hosts() == []


def test_what_every_host_refuses_ends_the_command_as_it_ended_them(scene):
    scene.create()
    scene.environment["MARSEARCH_EPOCH_LIMIT"] = "soon"
    process = scene.work("--workers", "1")
    assert process.wait(timeout=600) == 2
    said = scene.log.read_text()
    sentence = "MARSEARCH_EPOCH_LIMIT=soon: a number of seconds was expected, such as 900"
    assert said.splitlines()[-1] == f"marsearch: {sentence}"
    assert f"ended badly {MOST_FAILURES} times (status 2: marsearch: {sentence}): it is given up" in said
