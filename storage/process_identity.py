"""This machine, as far as process ids tell: which ones mean something here, and which of those still run."""

from __future__ import annotations

import hashlib
import socket
import uuid
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

import psutil


@cache
def machine() -> str:
    """Eight letters that are the same for all processes that see each other's process ids, and for no others.

    Two containers may have one host's name, but not one space of process ids; a machine that was started again has
    another life.
    """
    known = [socket.gethostname(), str(uuid.getnode())]
    with suppress(OSError):
        known = [Path("/proc/sys/kernel/random/boot_id").read_text("ascii"), str(Path("/proc/self/ns/pid").readlink())]
    return hashlib.sha256("|".join(known).encode()).hexdigest()[:8]


def worker_id() -> str:
    """A new id for a worker in this process, from which others can tell the machine."""
    return f"{uuid.uuid4().hex[:12]}-{machine()}"


def is_here(worker: str) -> bool:
    """Whether the worker of this id runs, or ran, where its process id means something to us."""
    return worker.endswith(f"-{machine()}")


def still_runs(pid: int, started: datetime) -> bool:
    """Whether the process that was there at that time still is: a process id is given out again."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= started.timestamp() + 1
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
