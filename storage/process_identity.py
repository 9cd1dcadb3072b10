"""Which process this is, in a form by which another process on the same machine can tell whether it still runs.

A process id alone is given out again, and means nothing in another container. With the machine's boot, the space of
process ids and the start time in ticks since that boot it names one process for good, whatever any wall clock says.
"""

from __future__ import annotations

import hashlib
import os
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psutil

_PROC = Path("/proc")
_STATE, _START = 0, 19  # of the fields behind the name in /proc/PID/stat (fields 3 and 22 of proc_pid_stat(5))


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity:
    """One process. machine: see `machine_id`. pid: its process id. start: when it began; empty where unknown."""

    machine: str
    pid: int
    start: str


@cache
def machine_id() -> str:
    """Eight letters that are the same for all processes that see each other's process ids, and for no others.

    Two containers may have one host's name, but not one space of process ids; a machine that was booted again counts
    as another one.
    """
    known = [socket.gethostname(), str(uuid.getnode())]
    with suppress(OSError):
        spaces = [str((_PROC / "self/ns" / name).readlink()) for name in ("pid", "time") if _has_namespace(name)]
        known = [(_PROC / "sys/kernel/random/boot_id").read_text("ascii"), *spaces]
    return hashlib.sha256("|".join(known).encode()).hexdigest()[:8]


def this_process() -> ProcessIdentity:
    """The identity of the calling process."""
    return identity_of(os.getpid())


def identity_of(pid: int) -> ProcessIdentity:
    """The identity of the process on this machine that has this id now."""
    _, start = _look(pid)
    return ProcessIdentity(machine=machine_id(), pid=pid, start=start)


def observe(process: ProcessIdentity) -> Literal["runs", "gone", "unseen"]:
    """What can be seen of a process from here; "unseen" where nothing is certain.

    The kernel answers for every process of the same space of ids whether it is there, also for those of other users
    and where /proc hides them. Its start time can be hidden: then a process of that id may be another one.
    """
    if process.machine != machine_id() or process.pid <= 0:
        return "unseen"
    try:
        os.kill(process.pid, 0)
    except (ProcessLookupError, OverflowError):
        return "gone"
    except PermissionError:
        pass  # it is there, and another user's
    ended, start = _look(process.pid)
    if ended:
        return "gone"
    if not start or not process.start:
        return "unseen"
    return "runs" if start == process.start else "gone"


def _look(pid: int) -> tuple[bool, str]:
    """Whether the process has ended and only waits for its parent (a zombie), and when it began; "" where hidden."""
    try:
        return _look_in_proc(pid) if _PROC.is_dir() else _look_with_psutil(pid)
    except (OSError, psutil.Error, ValueError, IndexError):
        return False, ""


def _look_in_proc(pid: int) -> tuple[bool, str]:
    if (_PROC / "self").readlink() != Path(str(os.getpid())):
        return False, ""  # /proc shows another space of process ids
    fields = (_PROC / str(pid) / "stat").read_text("latin-1").rpartition(")")[2].split()
    return fields[_STATE] in "ZX", fields[_START]


def _look_with_psutil(pid: int) -> tuple[bool, str]:
    process = psutil.Process(pid)
    return process.status() == psutil.STATUS_ZOMBIE, f"{process.create_time():.3f}"


def _has_namespace(name: str) -> bool:
    return (_PROC / "self/ns" / name).is_symlink()
