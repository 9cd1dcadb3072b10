"""How a host goes: asked to by a signal, or killed."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from storage.store import open_store
from storage.studies.reaper import reap
from support.waiting import wait_for

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def host(marsearch: Run, data: Path, space: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A host in the middle of a long training."""
    options = ("--data", data, "--space", space, "--trials", "2", "--epochs", "900")
    assert marsearch("create", "long", *options).returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "search.cli", "work", "long", "--workers", "1"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("MARSEARCH_")},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return [p for p in psutil.Process(process.pid).children() if "search.worker.main" in " ".join(p.cmdline())]


def training(marsearch: Run) -> bool:
    return '"state": "running"' in marsearch("trials", "long", "--format", "json").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_host_in_order(host: subprocess.Popen[str], marsearch: Run, number: signal.Signals) -> None:
    wait_for(lambda: training(marsearch))
    started = children(host)
    host.send_signal(number)
    said = host.communicate(timeout=30)[1]
    assert host.returncode == 0
    assert "stopped: 0 of 2 trials" in said
    assert "Traceback" not in said
    assert not [child for child in started if child.is_running()]
    first, second = json.loads(marsearch("trials", "long", "--format", "json").stdout)
    assert (first["state"], first["reason"]) == ("fail", "the host was stopped during the training")
    assert (second["state"], second["retry_of"], second["params"]) == ("waiting", 0, first["params"])


def test_a_host_leaves_in_time_though_the_database_does_not_answer(
    host: subprocess.Popen[str], marsearch: Run, tmp_path: Path
) -> None:
    wait_for(lambda: training(marsearch))
    started = children(host)
    with closing(sqlite3.connect(tmp_path / "runs" / "marsearch.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")  # nobody else can write now
        asked = time.monotonic()
        host.send_signal(signal.SIGTERM)
        said = host.communicate(timeout=30)[1]
        assert time.monotonic() - asked < 10
        assert (host.returncode, "Traceback" in said) == (0, False), said
        other.execute("ROLLBACK")
    assert not [child for child in started if child.is_running()]
    assert training(marsearch)  # the trial, as far as the database knows
    store = open_store(f"sqlite:///{tmp_path / 'runs' / 'marsearch.db'}", str(tmp_path / "runs" / "artifacts"))
    assert reap(store, "long", local=True) == (0,)
    store.close()


def test_a_second_signal_makes_a_host_leave_at_once(
    host: subprocess.Popen[str], marsearch: Run, tmp_path: Path
) -> None:
    wait_for(lambda: training(marsearch))
    with closing(sqlite3.connect(tmp_path / "runs" / "marsearch.db")) as database:
        wait_for(lambda: database.execute("SELECT count(*) FROM marsearch_epochs").fetchone()[0] > 0)
    (child,) = children(host)
    child.suspend()  # it would have five seconds to end its batch
    host.send_signal(signal.SIGINT)
    time.sleep(0.6)  # two signals at once count as one
    asked = time.monotonic()
    host.send_signal(signal.SIGINT)
    said = host.communicate(timeout=30)[1]
    assert time.monotonic() - asked < 4
    assert host.returncode == 0
    assert "stopped: 0 of 2 trials" in said
    assert not child.is_running()
    states = [trial["state"] for trial in json.loads(marsearch("trials", "long", "--format", "json").stdout)]
    assert states in (["fail", "waiting"], ["running"])  # the second when a busy machine gave it no time


def test_no_child_survives_a_killed_host(host: subprocess.Popen[str], marsearch: Run) -> None:
    wait_for(lambda: training(marsearch))
    started = children(host)
    assert started
    host.kill()
    psutil.wait_procs(started, timeout=20)
    assert not [child for child in started if child.is_running()]
