"""What Dockerfile, compose files and `make env` promise, as far as it can be seen without an engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = ("docker-compose.yml", "docker-compose.gpu.yml")
PASSWORDS = {"POSTGRES_PASSWORD": "a/b@c:d", "MARSEARCH_DASHBOARD_PASSWORD": "e/f@g:h"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()

docker_compose = pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")


def surroundings(**variables: str) -> dict[str, str]:
    """The environment without what compose files and builds would take from it."""
    foreign = ("POSTGRES_", "MARSEARCH_", "COMPOSE_", "PIP_", "TORCH_", "AWS_", "CUDA_", "SUDO_")
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)} | variables


def compose_config(folder: Path, *files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`docker-compose config` in a copy, where no .env of this checkout can be found."""
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    command = ["docker-compose", *[part for file in files for part in ("-f", file)], "config"]
    return subprocess.run(
        command, cwd=folder, env=surroundings(**variables), capture_output=True, text=True, check=False
    )


def port(told: str | dict[str, str]) -> str:
    """A port as compose 1.29 tells it; later ones tell more."""
    return told if isinstance(told, str) else "{host_ip}:{published}:{target}/{protocol}".format(**told)


def words(command: str | list[str]) -> list[str]:
    """A command as later versions of compose tell it; 1.29 does so only to the engine."""
    return shlex.split(command) if isinstance(command, str) else command


def make_env(folder: Path, programs: str = "") -> str:
    """`make env` in a folder with nothing else; programs: a folder of programs that are found first."""
    for name in ("Makefile", ".env.example", *FILES):
        shutil.copy(ROOT / name, folder)
    path = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "env"], cwd=folder, env=surroundings(PATH=path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def settings(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text().splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines if line and line[0] != "#")}


@docker_compose
@pytest.mark.parametrize("missing", PASSWORDS)
@pytest.mark.parametrize("left", [{}, {"value": ""}], ids=["unset", "empty"])
def test_compose_refuses_to_start_without_a_password(tmp_path: Path, missing: str, left: dict[str, str]) -> None:
    others = {name: value for name, value in PASSWORDS.items() if name != missing}
    done = compose_config(tmp_path, **others, **({missing: left["value"]} if left else {}))
    assert done.returncode != 0
    assert f"set {missing}" in done.stderr


@docker_compose
def test_compose_is_open_to_this_machine_only_and_passwords_are_in_no_url(tmp_path: Path) -> None:
    done = compose_config(tmp_path, **PASSWORDS)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert set(services) == {"db", "study", "worker", "dashboard"}
    assert [port(told) for service in services.values() for told in service.get("ports", [])] == [
        "127.0.0.1:8080:8080/tcp"
    ]
    for name in ("study", "worker", "dashboard"):
        assert "a/b@c:d" not in services[name]["environment"]["MARSEARCH_STORAGE"]
        assert services[name]["environment"]["PGPASSWORD"] == "a/b@c:d"
    told = [name for name, service in services.items() if "e/f@g:h" in str(service)]
    assert told == ["dashboard"], "workers have no use for the dashboard's password"


@docker_compose
def test_compose_gives_every_container_an_init_a_plain_user_and_no_privileges(tmp_path: Path) -> None:
    for name, service in yaml.safe_load(compose_config(tmp_path, **PASSWORDS).stdout)["services"].items():
        assert service["init"] is True, name
        assert service["user"] not in ("", "root", "0", "0:0"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


@docker_compose
def test_options_of_the_study_come_from_the_environment(tmp_path: Path) -> None:
    given = {"MARSEARCH_STUDY": "rocks", "MARSEARCH_SPACE": "small.yaml", "MARSEARCH_DATA": "my tiles.npz"}
    more = {"MARSEARCH_STUDY_OPTIONS": "--trials 8 --seed 3", "MARSEARCH_WORK_OPTIONS": "--workers 4"}
    done = compose_config(tmp_path, **PASSWORDS, **given, **more, MARSEARCH_ARTIFACTS="s3://mars/a")
    services = yaml.safe_load(done.stdout)["services"]
    create = "create rocks --data 'my tiles.npz' --space small.yaml --trials 8 --seed 3"
    assert words(services["study"]["command"]) == shlex.split(create)
    assert words(services["worker"]["command"]) == ["work", "rocks", "--workers", "4"]
    assert services["worker"]["environment"]["MARSEARCH_ARTIFACTS"] == "s3://mars/a"


@docker_compose
def test_gpu_file_reserves_every_gpu_for_the_worker_and_changes_nothing_else(tmp_path: Path) -> None:
    plain = yaml.safe_load(compose_config(tmp_path, **PASSWORDS).stdout)["services"]
    services = yaml.safe_load(compose_config(tmp_path, *FILES, **PASSWORDS).stdout)["services"]
    (device,) = services["worker"].pop("deploy")["resources"]["reservations"]["devices"]
    assert (device["driver"], str(device["count"]), device["capabilities"]) in [
        ("nvidia", "all", ["gpu"]),
        ("nvidia", "-1", ["gpu"]),
    ]
    for found in (plain, services):
        found["worker"]["volumes"].sort(key=str)  # compose 1.29 puts those of the last file first
    assert services == plain


def test_compose_files_keep_the_current_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *FILES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_example_environment_holds_every_variable_of_the_compose_files() -> None:
    named = set(re.findall(r"\$\{(\w+)", "".join((ROOT / name).read_text() for name in FILES)))
    example = {line.split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line}
    assert example == named | {"COMPOSE_FILE"}


def test_page_on_docker_compose_describes_every_variable() -> None:
    page = (ROOT / "docs" / "docker-compose.md").read_text()
    text = "".join((ROOT / name).read_text() for name in FILES)
    handed_through = re.findall(r"^ +([A-Z_]+):$", text, re.MULTILINE)
    named = {*re.findall(r"\$\{(\w+)", text), *handed_through, "COMPOSE_FILE"}
    assert sorted(name for name in named if f"`{name}`" not in page) == []


def test_make_env_writes_passwords_of_its_own_for_its_owner_only(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
        make_env(folder)
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    made = [settings(folder)[name] for folder in folders for name in PASSWORDS]
    assert len(set(made)) == 4
    assert all(re.fullmatch("[0-9a-f]{48}", password) for password in made)
    assert settings(folders[0])["MARSEARCH_UID"] not in ("", "0")


def test_make_env_leaves_what_is_there(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("POSTGRES_PASSWORD=mine\n")
    assert "stays" in make_env(tmp_path)
    assert (tmp_path / ".env").read_text() == "POSTGRES_PASSWORD=mine\n"


@pytest.mark.parametrize("gpus", [0, 2])
def test_make_env_picks_the_gpu_file_and_torch_with_cuda_where_there_is_a_gpu(tmp_path: Path, gpus: int) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    listing = "\n".join(f"echo 'GPU {i}: NVIDIA H200 (UUID: GPU-{i})'" for i in range(gpus)) or "exit 9"
    (programs / "nvidia-smi").write_text(f"#!/bin/sh\n{listing}\n")
    (programs / "nvidia-smi").chmod(0o755)
    make_env(tmp_path, str(programs))
    made = settings(tmp_path)
    assert made["COMPOSE_FILE"] == (":".join(FILES) if gpus else FILES[0])
    assert made["TORCH_INDEX_URL"] == ("" if gpus else "https://download.pytorch.org/whl/cpu")


@docker_compose
def test_compose_takes_what_make_env_wrote(tmp_path: Path) -> None:
    make_env(tmp_path)
    done = compose_config(tmp_path)
    assert done.returncode == 0, done.stderr
    environment = yaml.safe_load(done.stdout)["services"]["dashboard"]["environment"]
    assert environment["MARSEARCH_DASHBOARD_PASSWORD"] == settings(tmp_path)["MARSEARCH_DASHBOARD_PASSWORD"]


def stages() -> dict[str, list[str]]:
    """The instructions of each stage of the Dockerfile, without comments; those before the first stage under ""."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found: dict[str, list[str]] = {"": []}
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("FROM "):
            found[line.split()[-1]] = []
        found[list(found)[-1]].append(line)
    return found


def test_base_image_is_pinned_to_a_release_of_python_that_the_project_supports() -> None:
    pinned = re.search(r"^ARG PYTHON_IMAGE=python:(\d+)\.(\d+)\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert pinned
    assert (3, 11) <= (int(pinned[1]), int(pinned[2])) < (3, 14)
    bases = {lines[0].split()[1] for name, lines in stages().items() if name}
    assert bases - set(stages()) == {"${PYTHON_IMAGE}"}, "no other base image comes in"


@pytest.mark.parametrize("target", ["small", "worker"])
def test_finished_images_run_as_a_plain_user_and_know_nothing_of_the_build(target: str) -> None:
    lines = stages()[target]
    assert lines[0].startswith("FROM runtime ")
    assert lines[-1] == "USER 1000:1000"
    behind = [*stages()["base"], *stages()["runtime"], *lines]
    assert [line for line in behind if line.startswith(("ARG", "ENV PIP"))] == []


def left_out() -> tuple[str, ...]:
    """The packages that the small image does without."""
    found = re.search(r"grep -vE '\^\(([\w|]+)\)", DOCKERFILE)
    assert found
    return tuple(found[1].split("|"))


def test_small_image_leaves_out_dependencies_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(left_out()) <= {Requirement(text).name for text in project["dependencies"]}


def test_small_image_creates_lists_and_extends_studies(tmp_path: Path) -> None:
    data = str(tmp_path / "train.npz")
    commands = [
        ["data", "synth", data, "--train", "20", "--test", "2", "--size", "32x32"],
        ["create", "mars", "--data", data, "--max-params", "100000", "--max-gpu-gb", "4", "--warm-start", "none"],
        ["enqueue", "mars", "baseline"],
        ["status", "mars"],
        ["work", "mars"],
    ]
    code = f"""
import sys
sys.modules.update(dict.fromkeys({left_out()!r}))
from search.cli import answer
print([answer(arguments) for arguments in {commands!r}])
"""
    own = surroundings(MARSEARCH_HOME=str(tmp_path / "home"))
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0, 0, 2]", done.stderr
    assert done.stderr.splitlines()[-1].startswith("marsearch: this command needs the Python package torch, which this")
