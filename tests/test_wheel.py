"""The wheel, installed alone, has all it needs: presets, migrations and the command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]


def run(command: list[str | Path], folder: Path) -> str:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("MARSEARCH_", "PYTHONPATH"))}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the tree and no leftover gets in."""
    source = tmp_path_factory.mktemp("source")
    for package in ("search", "spaces", "storage"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"], source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; the dependencies are those of the environment that runs the tests."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=True)
    executable = home / "bin" / "python"
    site = Path(run([executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], home).strip())
    # A .pth adds the folder itself; the .pth files inside it, and with them our editable install, stay unread.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    run([executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--ignore-installed", wheel], home)
    return executable


def files_under(package: str, folder: str, suffix: str) -> set[str]:
    paths = (ROOT / package / folder).rglob(f"*{suffix}")
    return {path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts}


def test_wheel_holds_the_packages_presets_and_migrations_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = files_under("spaces", "presets", ".yaml") | files_under("storage", "database/migrations", "")
    wanted |= files_under("search", "dashboard/board/templates", "") | files_under(
        "search", "dashboard/board/static", ""
    )
    wanted = {name for name in wanted if (ROOT / name).is_file()}
    for folder in (
        "storage/database/migrations/",
        "search/dashboard/board/templates/",
        "search/dashboard/board/static/",
    ):
        assert any(name.startswith(folder) for name in wanted)
    assert wanted <= names
    modules = {name for package in ("search", "spaces", "storage") for name in files_under(package, ".", ".py")}
    assert modules <= names
    (about,) = {name.split("/")[0] for name in names} - {"search", "spaces", "storage"}
    assert about.endswith(".dist-info")


def test_installed_packages_are_those_of_the_wheel(python: Path, tmp_path: Path) -> None:
    code = "import search, spaces, storage; print(search.__file__, spaces.__file__, storage.__file__)"
    for path in run([python, "-c", code], tmp_path).split():
        assert Path(path).is_relative_to(python.parents[1])


def test_command_answers_from_an_empty_folder(python: Path, tmp_path: Path) -> None:
    assert "Usage" in run([python.parent / "marsearch", "--help"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_demo_runs_from_an_empty_folder(python: Path, tmp_path: Path) -> None:
    marsearch = python.parent / "marsearch"
    run([marsearch, "demo", "--trials", "2", "--workers", "1", "--out", tmp_path / "out"], tmp_path)
    manifests = list(tmp_path.rglob("manifest.json"))
    assert manifests, "no bundle was written"
    assert "weights.safetensors" in json.dumps(json.loads(manifests[0].read_text()))


SCRIPT = """
from pathlib import Path

import numpy as np
from search import Leaderboard, Picture, Status, Study, TrainedNetwork, Trial, load_bundle

study = Study.create("mars", data=Path("train.npz"), space="cpu", trials=40, sampler="tpe", budget_s="8h")
study.work(workers=2, timeout=3600.0)
best: Trial = study.best
value: float | None = best.value
board: Leaderboard = study.leaderboard()
picture: Picture = study.panel(best.number)
status: Status = study.status
study.trials().to_csv("trials.csv")
print(study.optuna.best_value, status.state, len(board), picture.title, value)
with Study.open("mars", storage="sqlite:///x.db", home="runs") as found:
    found.enqueue("baseline")
    found.pause()
network: TrainedNetwork = load_bundle("best")
labels = network.predict(np.zeros((2, 64, 128), np.uint8))
labels.astype(np.int64)
"""
WRONG = """
from search import Study

Study.create("mars", data="train.npz", trails=40)
Study.create("mars", data="train.npz", trials="many")
Study.open("mars").best.vlaue
"""


def test_a_strict_type_checker_knows_what_a_script_may_do(python: Path, tmp_path: Path) -> None:
    def checked(text: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "script.py").write_text(text)
        options = ("--strict", "--follow-imports=silent", "--cache-dir", tmp_path / "cache", "--config-file", "")
        mypy = [sys.executable, "-m", "mypy", *options, "--python-executable", python, "script.py"]
        own = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "MYPYPATH")}
        return subprocess.run(mypy, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)

    right, wrong = checked(SCRIPT), checked(WRONG)
    assert right.returncode == 0, right.stdout
    errors = [line for line in wrong.stdout.splitlines() if "error:" in line]
    assert [line.rpartition("[")[2] for line in errors] == ["call-arg]", "arg-type]", "attr-defined]"], wrong.stdout
