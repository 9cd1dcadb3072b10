"""Steering a study with real hosts: pause, resume, stop and delete, honoured at the end of an epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from search.studies.reports import study_report, trial_reports
from search.training.epoch import EpochRecord
from storage.store import Store, open_store
from storage.studies.epochs import curve
from support.commands import Command
from support.processes import Running, environment, marsearch_command
from support.studies import LONG_SPACE
from support.waiting import wait_for

Start = Callable[[], Running]


@pytest.fixture
def start(marsearch: Command, data: Path, space: Path, tmp_path: Path) -> Iterator[Start]:
    """A study of trainings that outlast the test, and hosts for it."""
    space.write_text(LONG_SPACE)
    options = ("--data", data, "--space", space, "--trials", "2", "--epochs", "2000", "--pruner", "none")
    assert marsearch("create", "long", *options).returncode == 0
    with ExitStack() as hosts:
        command = marsearch_command("work", "long", "--workers", "1")
        yield lambda: hosts.enter_context(Running(command, cwd=tmp_path, env=environment()))


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


@pytest.mark.whole
def test_a_study_is_paused_resumed_stopped_and_deleted(
    marsearch: Command, start: Start, store: Store, tmp_path: Path
) -> None:
    host = start()
    wait_for(lambda: trains(store))
    refused = marsearch("study", "delete", "long", "--yes")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "study 'long' has workers that are at work" in refused.stderr

    paused = marsearch("study", "pause", "long")
    assert (paused.returncode, "marsearch study resume long" in paused.stderr) == (0, True)
    wait_for(lambda: states(store) == ["fail", "waiting"])
    assert study_report(store, "long")["state"] == "paused"
    assert host.running()

    assert marsearch("study", "resume", "long").returncode == 0
    wait_for(lambda: states(store) == ["fail", "running"])
    wait_for(lambda: trial_reports(store, "long")[1]["resumed_from_epoch"] is not None)
    assert study_report(store, "long")["state"] == "running"

    assert marsearch("study", "stop", "long").returncode == 0
    left = host.ended()
    assert (left.returncode, "Traceback" in left.stderr) == (0, False)
    assert states(store) == ["fail", "fail", "waiting"]
    late = start().ended()
    assert "marsearch study resume long" in late.stderr
    assert (late.returncode, states(store)) == (0, ["fail", "fail", "waiting"])

    home = tmp_path / "runs"
    assert list((home / "checkpoints").iterdir())
    unsure = marsearch("study", "delete", "long")
    assert (unsure.returncode, unsure.stderr.count("\n"), "--yes" in unsure.stderr) == (2, 1, True)
    deleted = marsearch("study", "delete", "long", "--yes")
    assert (deleted.returncode, "study long is deleted: 3 trials" in deleted.stderr) == (0, True)
    assert [path for folder in ("checkpoints", "artifacts") for path in (home / folder).iterdir()] == []
    assert json.loads(marsearch("study", "list", "--json").stdout) == {"studies": []}


@pytest.mark.whole
def test_a_host_leaves_a_study_that_is_deleted_by_force(marsearch: Command, start: Start, store: Store) -> None:
    host = start()
    wait_for(lambda: trains(store))
    assert marsearch("study", "delete", "long", "--yes", "--force").returncode == 0
    left = host.ended()
    assert ("Traceback" in left.stderr, left.returncode in (0, 2)) == (False, True), left


@pytest.mark.parametrize("command", ["pause", "resume", "stop", "delete"])
def test_an_unknown_study_is_one_sentence(marsearch: Command, command: str) -> None:
    refused = marsearch("study", command, "nowhere", *(["--yes"] if command == "delete" else []))
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert "no study in" in refused.stderr
