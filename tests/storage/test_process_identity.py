"""Which processes can be seen to run or to be gone, and which nobody may judge."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage import process_identity
from storage.process_identity import ProcessIdentity, identity_of, machine_id, observe, this_process

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield running
    running.kill()
    running.communicate()


def test_a_process_runs_until_it_is_gone(child: subprocess.Popen[bytes]) -> None:
    assert observe(this_process()) == "runs"
    mine = identity_of(child.pid)
    assert mine.machine == machine_id()
    assert observe(mine) == "runs"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert observe(mine) == "gone"  # a zombie
    child.communicate()
    assert observe(mine) == "gone"


def test_a_process_id_that_was_given_out_again_is_another_process() -> None:
    assert observe(replace(this_process(), start="1")) == "gone"


@pytest.mark.parametrize("pid", [0, -1])
def test_what_is_no_process_id_is_never_judged(pid: int) -> None:
    assert observe(ProcessIdentity(machine=machine_id(), pid=pid, start="1")) == "unseen"


def test_a_process_of_another_machine_is_never_judged() -> None:
    assert observe(ProcessIdentity(machine="00000000", pid=2**22 + 1, start="1")) == "unseen"
    assert observe(ProcessIdentity(machine=machine_id(), pid=2**22 + 1, start="1")) == "gone"


@linux
def test_a_process_that_proc_hides_is_not_taken_for_dead(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with hidepid=2 and a host of another user: the kernel refuses the signal, and /proc shows nothing."""
    hidden = identity_of(child.pid)

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    assert observe(hidden) == "runs"  # another user's, but /proc shows it
    (tmp_path / "self").symlink_to(str(os.getpid()))
    monkeypatch.setattr(process_identity, "_PROC", tmp_path)
    assert observe(hidden) == "unseen"


@linux
def test_a_proc_of_another_container_is_not_believed(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = identity_of(child.pid)
    (tmp_path / "self").symlink_to("1")
    monkeypatch.setattr(process_identity, "_PROC", tmp_path)
    assert observe(known) == "unseen"


def test_without_a_known_start_nothing_is_certain_but_absence(child: subprocess.Popen[bytes]) -> None:
    vague = replace(identity_of(child.pid), start="")
    assert observe(vague) == "unseen"
    child.kill()
    child.communicate()
    assert observe(vague) == "gone"


def test_a_step_of_the_wall_clock_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    before = this_process()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert this_process() == before
    assert observe(before) == "runs"
