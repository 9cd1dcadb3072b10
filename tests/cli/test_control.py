"""Steering a study with real hosts: pause, resume, stop and delete, honoured at the end of an epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from search.cli import answer
from search.studies.reports import study_report, trial_reports
from search.training.epoch import EpochRecord
from storage.store import Store, open_store
from storage.studies.epochs import curve
from support.waiting import wait_for

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Tell = Callable[..., "Said"]
Start = Callable[[], "subprocess.Popen[str]"]
PATIENCE_S = 120.0


class Said(NamedTuple):
    """What a command said. status: of its exit."""

    status: int
    out: str
    err: str


@pytest.fixture
def tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Give a command in this process, which is quick."""
    monkeypatch.chdir(tmp_path)
    for name in ("MARSEARCH_STORAGE", "MARSEARCH_ARTIFACTS", "MARSEARCH_HOME"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: str) -> Said:
        status = answer(list(arguments))
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return command


@pytest.fixture
def start(marsearch: Run, data: Path, space: Path, tmp_path: Path) -> Iterator[Start]:
    """A study of trainings that outlast the test, and hosts for it."""
    slow = space.read_text().replace("batch_size: 16", "batch_size: 4, patience: 2000")
    space.write_text(slow)
    options = ("--data", data, "--space", space, "--trials", "2", "--epochs", "2000", "--pruner", "none")
    assert marsearch("create", "long", *options).returncode == 0
    hosts: list[subprocess.Popen[str]] = []

    def work() -> subprocess.Popen[str]:
        host = subprocess.Popen(
            [sys.executable, "-m", "search.cli", "work", "long", "--workers", "1"],
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if not k.startswith("MARSEARCH_")},
            stderr=subprocess.PIPE,
            text=True,
        )
        hosts.append(host)
        return host

    yield work
    for host in hosts:
        host.kill()
        host.communicate()


@pytest.fixture
def store(start: Start, tmp_path: Path) -> Iterator[Store]:
    """The storage that the hosts use, opened in this process: asking it is quick."""
    opened = open_store(f"sqlite:///{tmp_path}/runs/marsearch.db", f"{tmp_path}/runs/artifacts")
    yield opened
    opened.close()


def states(store: Store) -> list[str]:
    return [trial["state"] for trial in trial_reports(store, "long")]


def trains(store: Store) -> bool:
    """Whether a second epoch has been written."""
    return any(len(curve(store, "long", trial, EpochRecord)) >= 2 for trial in range(2))


def test_a_study_is_paused_resumed_stopped_and_deleted(tell: Tell, start: Start, store: Store, tmp_path: Path) -> None:
    host = start()
    wait_for(lambda: trains(store))
    refused = tell("study", "delete", "long", "--yes")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "study 'long' has workers that are at work" in refused.err

    paused = tell("study", "pause", "long")
    assert (paused.status, "marsearch study resume long" in paused.err) == (0, True)
    wait_for(lambda: states(store) == ["fail", "waiting"])
    assert study_report(store, "long")["state"] == "paused"
    assert host.poll() is None

    assert tell("study", "resume", "long").status == 0
    wait_for(lambda: states(store) == ["fail", "running"])
    wait_for(lambda: trial_reports(store, "long")[1]["resumed_from_epoch"] is not None)
    assert study_report(store, "long")["state"] == "running"

    assert tell("study", "stop", "long").status == 0
    said = host.communicate(timeout=PATIENCE_S)[1]
    assert (host.returncode, "Traceback" in said) == (0, False)
    assert states(store) == ["fail", "fail", "waiting"]
    late = start()
    assert "marsearch study resume long" in late.communicate(timeout=PATIENCE_S)[1]
    assert (late.returncode, states(store)) == (0, ["fail", "fail", "waiting"])

    home = tmp_path / "runs"
    assert list((home / "checkpoints").iterdir())
    unsure = tell("study", "delete", "long")
    assert (unsure.status, unsure.err.count("\n"), "--yes" in unsure.err) == (2, 1, True)
    deleted = tell("study", "delete", "long", "--yes")
    assert (deleted.status, "study long is deleted: 3 trials" in deleted.err) == (0, True)
    assert [path for folder in ("checkpoints", "artifacts") for path in (home / folder).iterdir()] == []
    assert json.loads(tell("study", "list", "--json").out) == {"studies": []}


def test_a_host_leaves_a_study_that_is_deleted_by_force(tell: Tell, start: Start, store: Store) -> None:
    host = start()
    wait_for(lambda: trains(store))
    assert tell("study", "delete", "long", "--yes", "--force").status == 0
    said = host.communicate(timeout=PATIENCE_S)[1]
    assert ("Traceback" in said, host.returncode in (0, 2)) == (False, True), said


@pytest.mark.parametrize("command", ["pause", "resume", "stop", "delete"])
def test_an_unknown_study_is_one_sentence(tell: Tell, command: str) -> None:
    refused = tell("study", command, "nowhere", *(["--yes"] if command == "delete" else []))
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "unknown study 'nowhere'" in refused.err
