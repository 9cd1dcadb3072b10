"""A whole search whose files live in a bucket: nothing but the database and the bucket joins its hosts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import numpy as np

from storage.artifacts import open_artifacts
from storage.runs import kept_weights, runs
from storage.store import Store, open_store

Run = Callable[..., "subprocess.CompletedProcess[str]"]

EPOCHS = 60


def test_a_study_in_a_bucket_moves_between_hosts_and_leaves_nothing(
    marsearch: Run, data: Path, space: Path, tmp_path: Path, s3_url: str, sqlite_url: str
) -> None:
    space.write_text(space.read_text().replace("batch_size: 16", "batch_size: 4, patience: 2000"))
    places = {"MARSEARCH_STORAGE": sqlite_url, "MARSEARCH_ARTIFACTS": s3_url}
    options = ("--space", space, "--trials", "3", "--epochs", EPOCHS, "--pruner", "none", "--keep", "2")
    made = marsearch("create", "mars", "--data", data, *options, "--warm-start", "none", **places)
    assert made.returncode == 0, made.stderr

    with _opened(sqlite_url, s3_url) as store:
        _work_until(store, 10, signal.SIGTERM, places | {"MARSEARCH_HOME": str(tmp_path / "first")}, expected=0)
        assert [name for name in _keys(s3_url) if name.startswith("checkpoint-")]
        elsewhere = places | {"MARSEARCH_HOME": str(tmp_path / "second")}
        _work_until(store, 15, signal.SIGKILL, elsewhere, expected=-signal.SIGKILL)
        ended = marsearch("work", "mars", "--workers", "1", **elsewhere)
        assert (ended.returncode, "finished: 3 of 3" in ended.stderr) == (0, True), ended.stderr
        kept = kept_weights(store, "mars")
        trained = [run for run in runs(store, "mars") if run.state == "complete"]
    assert {weights.artifact for weights in kept} == {name for name in _keys(s3_url) if name.startswith("weights")}
    assert (len(kept), len(trained)) == (2, 3)
    assert not [name for name in _keys(s3_url) if name.startswith("checkpoint-")]
    told = json.loads(marsearch("trials", "mars", "--format", "json", **places).stdout)
    assert [trial for trial in told if trial["state"] == "complete" and (trial["resumed_from_epoch"] or 0) > 0]
    assert not [folder for folder in tmp_path.glob("*/artifacts") if folder.is_dir()]

    third = places | {"MARSEARCH_HOME": str(tmp_path / "third")}
    assert marsearch("export", "mars", "bundle", **third).returncode == 0
    assert {path.name for path in (tmp_path / "bundle" / "pictures").iterdir()} >= {"00_panel.png", "30_iou.csv"}
    assert marsearch("predict", "bundle", data, "masks.npz", **third).returncode == 0
    assert np.load(tmp_path / "masks.npz")["masks"].shape == (5, 24, 32)

    assert marsearch("study", "delete", "mars", "--yes", **places).returncode == 0
    assert _keys(s3_url) == ()
    assert boto3.client("s3").list_objects_v2(Bucket=s3_url.split("/")[2])["KeyCount"] == 0


def _work_until(store: Store, more: int, number: int, places: dict[str, str], *, expected: int) -> None:
    """Let a host train so many epochs of the study, and end it with a signal."""
    begun = _epochs(store)
    command = [sys.executable, "-m", "search.cli", "work", "mars", "--workers", "1"]
    host = subprocess.Popen(command, env=os.environ | places, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 120
    while _epochs(store) < begun + more and host.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    host.send_signal(number)
    _, said = host.communicate(timeout=30)
    assert host.returncode == expected, said
    assert "Traceback" not in said


def _epochs(store: Store) -> int:
    with store.engine.connect() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM marsearch_epochs").scalar_one())


def _keys(url: str) -> tuple[str, ...]:
    return open_artifacts(url).ids("")  # type: ignore[attr-defined]


@contextmanager
def _opened(url: str, artifacts: str) -> Iterator[Store]:
    store = open_store(url, artifacts)
    try:
        yield store
    finally:
        store.close()
