"""How a host goes: asked to by a signal, or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

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
    return [p for p in psutil.Process(process.pid).children() if "search.service.child" in " ".join(p.cmdline())]


def wait_for(condition: Callable[[], bool]) -> None:
    event = threading.Event()
    for _ in range(1200):
        if condition():
            return
        event.wait(0.05)
    raise AssertionError("the condition never held")


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


def test_no_child_survives_a_killed_host(host: subprocess.Popen[str], marsearch: Run) -> None:
    wait_for(lambda: training(marsearch))
    started = children(host)
    assert started
    host.kill()
    psutil.wait_procs(started, timeout=20)
    assert not [child for child in started if child.is_running()]
