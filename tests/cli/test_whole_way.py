"""The whole way through the command line, with real processes and real databases."""

from __future__ import annotations

import csv
import io
import json
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import optuna
import pytest

from support.commands import Command
from support.processes import Running, environment, marsearch_command


@pytest.mark.whole
def test_from_data_to_masks(marsearch: Command, data: Path, space: Path, tmp_path: Path) -> None:
    options = ("mars", "--data", data, "--space", space, "--trials", "4", "--epochs", "2", "--workers", "2")
    ran = marsearch("run", *options)
    assert ran.returncode == 0, ran.stderr
    assert "finished: 4 of 4 trials" in ran.stderr
    assert "the weights of the best 20 trials will take about" in ran.stderr

    status = json.loads(marsearch("status", "mars", "--json").stdout)
    assert status["trials"]["complete"] + status["trials"]["pruned"] == 4
    assert set(status["best"]) >= {"number", "value", "recipe"}
    assert status["best"]["recipe"]["optimisation"]["epochs"] == 2

    trials = json.loads(marsearch("trials", "mars", "--format", "json").stdout)
    assert json.loads(marsearch("trials", "mars", "--json").stdout) == trials
    keys = {"number", "state", "value", "params", "duration_s", "reason", "resumed_from_epoch"}
    assert all(keys <= set(trial) for trial in trials)
    rows = list(csv.DictReader(io.StringIO(marsearch("trials", "mars", "--format", "csv").stdout)))
    assert [int(row["number"]) for row in rows] == [0, 1, 2, 3]
    assert "params_model.norm" in rows[0]

    assert marsearch("export", "mars", "bundle").returncode == 0
    metrics = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    assert metrics["miou"] == pytest.approx(status["best"]["value"], abs=1e-6)
    assert (metrics["study"], metrics["trial"]) == ("mars", status["best"]["number"])
    assert {p.name for p in (tmp_path / "bundle" / "pictures").iterdir()} >= {"00_panel.png", "30_iou.csv"}

    mirrored = ("--tta",) if metrics["mirrors"] else ()
    assert marsearch("predict", "bundle", data, "masks.npz", *mirrored).returncode == 0
    assert marsearch("predict", "bundle", data, "masks.csv").returncode == 0
    masks = np.load(tmp_path / "masks.npz")["masks"]
    assert (masks.shape, masks.dtype) == ((5, 24, 32), np.uint8)
    assert len((tmp_path / "masks.csv").read_text().splitlines()) == 6

    (tmp_path / "bundle" / "recipe.yaml").write_text("model: {}")
    altered = marsearch("predict", "bundle", data, "again.npz")
    assert (altered.returncode, altered.stderr.count("\n")) == (2, 1)
    assert "recipe.yaml" in altered.stderr

    again = marsearch("run", *options)
    assert again.returncode == 0
    assert "is there already" in again.stderr
    more = marsearch("run", *options[:6], "5", *options[7:])
    assert "finished: 5 of 5 trials" in more.stderr


@pytest.mark.whole
def test_two_hosts_on_postgresql(
    data: Path, space: Path, tmp_path: Path, postgres_url: str, marsearch: Command
) -> None:
    places = {"MARSEARCH_STORAGE": postgres_url, "MARSEARCH_ARTIFACTS": str(tmp_path / "shared")}
    made = marsearch(
        "create",
        "mars",
        "--data",
        data,
        "--space",
        space,
        "--trials",
        "6",
        "--epochs",
        "8",
        "--pruner",
        "none",
        **places,
    )
    assert made.returncode == 0, made.stderr
    command = marsearch_command("work", "mars", "--workers", "1")
    with ExitStack() as running:
        hosts = [
            running.enter_context(Running(command, env=environment(**places, MARSEARCH_HOME=str(tmp_path / name))))
            for name in ("first", "second")
        ]
        left = [host.ended(240) for host in hosts]
    assert [host.returncode for host in left] == [0, 0], left
    status = json.loads(marsearch("status", "mars", "--json", **places).stdout)
    assert 6 <= status["finished"] <= 6 + 2
    assert status["trials"]["running"] == status["trials"]["failed"] == 0
    assert len({worker["id"] for worker in status["workers"]}) == 2
    trained = {run.host for run in _runs(postgres_url, tmp_path)}
    assert len(trained) == 2
    assert marsearch("export", "mars", "bundle", **places).returncode == 0
    plain = optuna.storages.RDBStorage(postgres_url)  # a study stays a plain Optuna study
    assert len(optuna.load_study(study_name="mars", storage=plain).trials) == status["finished"]
    plain.engine.dispose()


def _runs(url: str, tmp_path: Path) -> tuple[object, ...]:
    from storage.store import open_store
    from storage.studies.attempts import attempts

    store = open_store(url, str(tmp_path / "shared"))
    try:
        return attempts(store, "mars")
    finally:
        store.close()


def test_train_without_a_study(marsearch: Command, data: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {depth: 2, filters: 4}\noptimisation: {batch_size: 16}")
    trained = marsearch("train", recipe, "--data", data, "--out", "bundle", "--epochs", "2")
    assert trained.returncode == 0, trained.stderr
    assert trained.stderr.count("epoch ") == 2
    assert marsearch("predict", "bundle", data, "masks.npz").returncode == 0


def test_data_commands(marsearch: Command, tmp_path: Path) -> None:
    made = marsearch(
        "data", "synth", "d.npz", "--train", "60", "--test", "4", "--size", "24x32", "--channels", "3", "--classes", "3"
    )
    assert made.returncode == 0, made.stderr
    facts = json.loads(marsearch("data", "inspect", "d.npz", "--json", "--out", "pictures").stdout)
    assert (facts["samples"], facts["test_images"], facts["channels"]) == (60, 4, 3)
    assert sum(facts["class_shares"].values()) == pytest.approx(1)
    assert {p.name for p in (tmp_path / "pictures").iterdir()} == {
        "class_shares.png",
        "outliers_auto.png",
        "outliers_mask.png",
        "outliers_mahalanobis.png",
        "outliers_mean.png",
        "samples.png",
    }
    assert facts["outliers"]["mask"] > 0
    marsearch("data", "clean", "d.npz", "clean.npz", "--method", "mask")
    cleaned = json.loads(marsearch("data", "inspect", "clean.npz", "--json").stdout)
    assert cleaned["samples"] == 60 - facts["outliers"]["mask"]
    text = marsearch("data", "inspect", "d.npz").stdout
    assert "class shares" in text
    assert "void             none, every pixel has a class" in text


def test_the_real_tiles_lose_exactly_the_contaminated(marsearch: Command) -> None:
    tiles = os.environ.get("MARSEARCH_TEST_DATA")
    if not tiles:
        pytest.skip("MARSEARCH_TEST_DATA is not set")
    cleaned = marsearch("data", "clean", tiles, "clean.npz", "--method", "mask")
    assert "2505 of 2615 samples kept" in cleaned.stderr
