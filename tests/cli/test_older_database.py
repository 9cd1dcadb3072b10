"""A database of our first version, opened with the program of today."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from storage.store import open_store
from storage.studies.studies import load_config

Run = Callable[..., "subprocess.CompletedProcess[str]"]

OLD = Path(__file__).parents[1] / "storage" / "data"
BEST = 4  # the number of the best trial, a network of residual blocks
SAME = ("--trials", 7, "--epochs", 3, "--warm-start", "none", "--keep", 9, "--pruner", "median")


@pytest.fixture
def old(store_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment that leads to a copy of the old database and its artifacts."""
    if store_url.startswith("sqlite"):
        path = Path(store_url.removeprefix("sqlite:///"))
        path.parent.mkdir()
        with sqlite3.connect(path) as connection:
            connection.executescript((OLD / "first.sqlite.sql").read_text("utf-8"))
        connection.close()
    else:
        with psycopg.connect(store_url.replace("+psycopg", "")) as server:
            server.execute((OLD / "first.postgres.sql").read_bytes())
    shutil.copytree(OLD / "artifacts", tmp_path / "artifacts")
    return {"MARSEARCH_STORAGE": store_url, "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts")}


@pytest.fixture
def files(tmp_path: Path, old: dict[str, str]) -> tuple[str | Path, ...]:
    """The options that name the data and the space file with which the study was created."""
    store = open_store(old["MARSEARCH_STORAGE"], old["MARSEARCH_ARTIFACTS"])
    (tmp_path / "space.yaml").write_text("# the same, with another comment\n" + load_config(store, "old").space)
    store.close()
    return "--data", next(OLD.glob("artifacts/dataset-*.npz")), "--space", tmp_path / "space.yaml"


def test_it_is_upgraded_and_every_command_reads_it(marsearch: Run, old: dict[str, str], tmp_path: Path) -> None:
    status = marsearch("status", "old", "--json", **old)
    assert status.returncode == 0, status.stderr
    told = json.loads(status.stdout)
    assert (told["state"], told["finished"], told["target"]) == ("idle", 6, 9)
    model = told["best"]["recipe"]["model"]
    assert (told["best"]["number"], model["block"], model["bottleneck"]) == (BEST, "residual", "residual")
    trials = json.loads(marsearch("trials", "old", "--format", "json", **old).stdout)
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3, 4, 5]
    assert trials[BEST]["params"]["model.block"] == "residual"
    assert "unet d2 f4" in marsearch("trials", "old", **old).stdout
    assert "old" in marsearch("study", "list", **old).stdout
    exported = marsearch("export", "old", "bundle", **old)
    assert exported.returncode == 0, exported.stderr
    metrics = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(told["best"]["value"], abs=1e-6)
    missing = marsearch("export", "old", "other", "--trial", 5, **old)
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "weights-d663face-5-6.safetensors" in missing.stderr


@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)
def test_its_study_goes_on_to_its_target_and_stays_what_it_was(
    marsearch: Run, old: dict[str, str], files: tuple[str | Path, ...]
) -> None:
    before = json.loads(marsearch("trials", "old", "--format", "json", **old).stdout)
    ran = marsearch("run", "old", *files, *SAME, "--workers", 1, **old)
    assert ran.returncode == 0, ran.stderr
    assert "is there already, with the same data and space" in ran.stderr
    assert "finished: 7 of 7 trials" in ran.stderr
    trials = json.loads(marsearch("trials", "old", "--format", "json", **old).stdout)
    assert trials[:6] == before
    assert trials[6]["state"] in ("complete", "pruned")
    assert {name.split(".")[0] for name in trials[6]["params"]} <= {
        name.split(".")[0] for t in before for name in t["params"]
    }
    store = open_store(old["MARSEARCH_STORAGE"], old["MARSEARCH_ARTIFACTS"])
    kept = json.loads(load_config(store, "old").domains)
    assert len(kept) == 34  # the axes of the first version, now written down
    assert kept["model.family"] == {"value": "unet"}
    store.close()
    other = marsearch("create", "old", *files[:2], *SAME, **old)
    assert (other.returncode, other.stderr.count("\n")) == (2, 1)
    assert "space_digest d663faceb937, not" in other.stderr


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_space_that_nobody_knows_is_read_and_refused_in_one_sentence(
    marsearch: Run, old: dict[str, str], files: tuple[str | Path, ...]
) -> None:
    with sqlite3.connect(old["MARSEARCH_STORAGE"].removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE marsearch_plans SET space_digest = ?", ("0" * 64,))
    connection.close()
    best = json.loads(marsearch("status", "old", "--json", **old).stdout)["best"]
    assert (best["number"], best["recipe"]) == (BEST, None)  # nobody knows what the axes of today stood at
    assert marsearch("trials", "old", **old).returncode == 0
    for command in (("work", "old"), ("enqueue", "old", "baseline"), ("create", "old", *files, *SAME)):
        refused = marsearch(*command, **old)
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert "study old can be looked at, but not continued" in refused.stderr
        assert "go on with the version that created the study" in refused.stderr
