"""A whole search whose files live in a bucket: nothing but the database and the bucket joins its hosts."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import numpy as np
import pytest

from search.cli import answer
from storage.artifacts.artifact_store import open_artifacts
from storage.store import Store, open_store
from storage.studies.attempts import attempts, kept_weights
from support.processes import Running, marsearch_command
from support.waiting import wait_for

EPOCHS = 30


@pytest.fixture
def command(tmp_path: Path, s3_url: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command in this process: hosts alone must be processes of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARSEARCH_STORAGE", sqlite_url)
    monkeypatch.setenv("MARSEARCH_ARTIFACTS", s3_url)

    def run(*arguments: object, home: str = "person") -> int:
        monkeypatch.setenv("MARSEARCH_HOME", str(tmp_path / home))
        return answer([str(argument) for argument in arguments])

    return run


@pytest.mark.whole
def test_a_study_in_a_bucket_moves_between_hosts_and_leaves_nothing(
    command: Callable[..., int],
    data: Path,
    space: Path,
    tmp_path: Path,
    s3_url: str,
    sqlite_url: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    space.write_text(space.read_text().replace("batch_size: 16", "batch_size: 4, patience: 2000"))
    options = ("--trials", "2", "--epochs", EPOCHS, "--pruner", "none", "--warm-start", "none", "--keep", "1")
    assert command("create", "mars", "--data", data, "--space", space, *options) == 0

    with _opened(sqlite_url, s3_url) as store:
        _work(store, tmp_path / "first", 6, signal.SIGTERM, expected=0)
        assert [name for name in _keys(s3_url) if name.startswith("checkpoint-")]
        _work(store, tmp_path / "second", 10, signal.SIGKILL, expected=-signal.SIGKILL)
        assert "finished: 2 of 2" in _work(store, tmp_path / "second", 10_000, signal.SIGKILL, expected=0)
        weights = {kept.artifact for kept in kept_weights(store, "mars")}
        assert len([run for run in attempts(store, "mars") if run.state == "complete"]) == 2
    assert len(weights) == 1
    assert weights <= set(_keys(s3_url))
    assert not [name for name in _keys(s3_url) if name.startswith("checkpoint-")]
    capsys.readouterr()
    assert command("trials", "mars", "--format", "json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [trial for trial in told if trial["state"] == "complete" and (trial["resumed_from_epoch"] or 0) > 0]
    assert list(tmp_path.glob("*/artifacts")) == []

    assert command("export", "mars", "bundle", home="third") == 0
    assert {path.name for path in (tmp_path / "bundle" / "pictures").iterdir()} >= {"00_panel.png", "30_iou.csv"}
    assert command("predict", "bundle", data, "masks.npz", home="third") == 0
    assert np.load(tmp_path / "masks.npz")["masks"].shape == (5, 24, 32)

    assert command("study", "delete", "mars", "--yes") == 0
    assert _keys(s3_url) == ()
    assert boto3.client("s3").list_objects_v2(Bucket=s3_url.split("/")[2])["KeyCount"] == 0


def _work(store: Store, home: Path, more: int, number: int, *, expected: int) -> str:
    """Let a host train so many epochs of the study, and end it with a signal; what it said."""
    begun = _epochs(store)
    command = marsearch_command("work", "mars", "--workers", "1", "--device", "cpu")
    with Running(command, env=dict(os.environ) | {"MARSEARCH_HOME": str(home)}) as host:
        wait_for(lambda: _epochs(store) >= begun + more or not host.running(), 240, what=lambda: host.stderr)
        left = host.stop(number)
    assert left.returncode == expected, left
    assert "Traceback" not in left.stderr
    return left.stderr


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
