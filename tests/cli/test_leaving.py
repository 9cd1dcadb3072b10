"""How a host goes: asked to by a signal, or killed."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from search.host.shutdown import Budget, Shutdown
from storage.store import open_store
from storage.studies.reaper import reap
from support.commands import Command
from support.processes import Running, environment, marsearch_command
from support.waiting import LIMIT_S, wait_for


@pytest.fixture
def host(marsearch: Command, data: Path, space: Path, tmp_path: Path) -> Iterator[Running]:
    """A host in the middle of a long training."""
    options = ("--data", data, "--space", space, "--trials", "2", "--epochs", "900")
    assert marsearch("create", "long", *options).returncode == 0
    with Running(marsearch_command("work", "long", "--workers", "1"), cwd=tmp_path, env=environment()) as host:
        wait_for(lambda: training(marsearch) and bool(host.workers()), what=lambda: host.stderr)
        yield host


def training(marsearch: Command) -> bool:
    return '"state": "running"' in marsearch("trials", "long", "--format", "json").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_host_in_order(host: Running, marsearch: Command, number: signal.Signals) -> None:
    started = host.workers()
    left = host.stop(number)
    assert left.returncode == 0
    assert "stopped: 0 of 2 trials" in left.stderr
    assert "Traceback" not in left.stderr
    assert not [child for child in started if child.is_running()]
    first, second = json.loads(marsearch("trials", "long", "--format", "json").stdout)
    assert (first["state"], first["reason"]) == ("fail", "the host was stopped during the training")
    assert (second["state"], second["retry_of"], second["params"]) == ("waiting", 0, first["params"])


def test_a_host_leaves_in_time_though_the_database_does_not_answer(
    host: Running, marsearch: Command, tmp_path: Path
) -> None:
    started = host.workers()
    with closing(sqlite3.connect(tmp_path / "runs" / "marsearch.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        left = host.stop(seconds=LIMIT_S)  # a host that must not leave would wait for ten minutes
        assert (left.returncode, "Traceback" in left.stderr) == (0, False), left
        other.execute("ROLLBACK")
    assert not [child for child in started if child.is_running()]
    assert training(marsearch)  # the trial, as far as the database knows
    store = open_store(f"sqlite:///{tmp_path / 'runs' / 'marsearch.db'}", str(tmp_path / "runs" / "artifacts"))
    assert reap(store, "long", local=True) == (0,)
    store.close()


def test_a_second_signal_makes_a_host_leave_at_once(host: Running, marsearch: Command, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "runs" / "marsearch.db")) as database:
        wait_for(lambda: database.execute("SELECT count(*) FROM marsearch_epochs").fetchone()[0] > 0)
    (child,) = host.workers()
    child.suspend()  # it would have five seconds to end its batch
    wait_for(lambda: host.send(signal.SIGINT) or not child.is_running())  # two signals at once count as one
    left = host.ended()
    assert left.returncode == 0
    assert "stopped: 0 of 2 trials" in left.stderr
    assert not child.is_running()
    states = [trial["state"] for trial in json.loads(marsearch("trials", "long", "--format", "json").stdout)]
    assert states in (["fail", "waiting"], ["running"])  # the second when a busy machine gave it no time


def test_whoever_is_asked_twice_gives_workers_no_more_time() -> None:
    shutdown = Shutdown(Budget(stop=3600, upload=3600, hand_back=3600, harder=1800))
    shutdown.begin()
    assert not shutdown.kills
    assert shutdown.upload_seconds(3600) > 1800
    shutdown.harden()
    assert shutdown.kills
    assert shutdown.upload_seconds(3600) < 1800


def test_no_child_survives_a_killed_host(host: Running, marsearch: Command) -> None:
    started = host.workers()
    assert started
    host.kill()
    psutil.wait_procs(started, timeout=LIMIT_S)
    assert not [child for child in started if child.is_running()]
