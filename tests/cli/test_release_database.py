"""A study of the first release, opened, continued and exported with the program of today."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from storage.store import open_store
from storage.studies.studies import load_config
from support.commands import Command

RELEASE = Path(__file__).parents[1] / "storage" / "data"
BEST = 0
SAME = ("--trials", 4, "--epochs", 2, "--warm-start", "none", "--keep", 9, "--pruner", "none", "--sampler", "random")


@pytest.fixture
def stored(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment that leads to a copy of the stored database and its artifacts."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript((RELEASE / "release.sqlite.sql").read_text("utf-8"))
    connection.close()
    shutil.copytree(RELEASE / "artifacts", tmp_path / "artifacts")
    return {"MARSEARCH_STORAGE": sqlite_url, "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts")}


def test_every_command_reads_it(marsearch: Command, stored: dict[str, str], tmp_path: Path) -> None:
    status = marsearch("status", "old", "--json", **stored)
    assert status.returncode == 0, status.stderr
    report = json.loads(status.stdout)
    assert (report["state"], report["finished"], report["target"], report["best"]["number"]) == ("idle", 3, 4, BEST)
    trials = json.loads(marsearch("trials", "old", "--format", "json", **stored).stdout)
    assert [(trial["number"], trial["state"]) for trial in trials] == [(n, "complete") for n in range(3)]
    assert "unet d2 f4" in marsearch("trials", "old", **stored).stdout
    exported = marsearch("export", "old", "bundle", **stored)
    assert exported.returncode == 0, exported.stderr
    metrics = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(report["best"]["value"], abs=1e-6)


def test_it_goes_on_to_its_target_in_the_space_that_it_had(
    marsearch: Command, stored: dict[str, str], tmp_path: Path
) -> None:
    store = open_store(stored["MARSEARCH_STORAGE"], stored["MARSEARCH_ARTIFACTS"])
    before = load_config(store, "old")
    store.close()
    (tmp_path / "space.yaml").write_text("# the same, with another comment\n" + before.space)
    data = next((RELEASE / "artifacts").glob("**/dataset-*.npz"))
    ran = marsearch("run", "old", "--data", data, "--space", "space.yaml", *SAME, "--workers", 1, **stored)
    assert ran.returncode == 0, ran.stderr
    assert "finished: 4 of 4 trials" in ran.stderr
    trials = json.loads(marsearch("trials", "old", "--format", "json", **stored).stdout)
    assert [trial["state"] for trial in trials] == ["complete"] * 4
    assert set(trials[3]["params"]) <= set(json.loads(before.domains))
    store = open_store(stored["MARSEARCH_STORAGE"], stored["MARSEARCH_ARTIFACTS"])
    assert load_config(store, "old") == before
    store.close()
    other = marsearch("create", "old", "--data", data, *SAME, **stored)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
