"""What a test leaves behind: threads, child processes and open files, looked at when it ends."""

from __future__ import annotations

import gc
import threading
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from .waiting import wait_for

GOES_S = 20.0  # what is on its way out may take so long on a busy machine


class Held(NamedTuple):
    """What this process has."""

    threads: frozenset[str]
    children: frozenset[str]
    files: frozenset[str]

    def beyond(self, before: Held) -> list[str]:
        """What was not there before."""
        return [name for now, then in zip(self, before, strict=True) for name in sorted(now - then)]


def held(folder: Path) -> Held:
    """Threads, children that are no zombies, and open files below the folder, each by a name of its own."""
    threads = [f"thread {t.name} ({t.native_id})" for t in threading.enumerate() if t.is_alive()]
    return Held(frozenset(threads), frozenset(_children()), frozenset(_files(folder)))


def leaks(before: Held, folder: Path) -> list[str]:
    """What has come since and does not go by itself."""
    if not held(folder).beyond(before):
        return []
    gc.collect()  # what is closed only now complains, and the warning is an error of this test
    with suppress(AssertionError):
        wait_for(lambda: not held(folder).beyond(before), GOES_S)
    return held(folder).beyond(before)


def _children() -> list[str]:
    found = []
    for tasks in Path("/proc/self/task").glob("*/children"):  # psutil looks at every process of the machine
        with suppress(OSError, psutil.Error):
            for child in map(psutil.Process, map(int, tasks.read_text().split())):
                found += [] if child.status() == psutil.STATUS_ZOMBIE else [f"process {child.pid} ({child.name()})"]
    return found


def _files(folder: Path) -> list[str]:
    found = []
    for handle in Path("/proc/self/fd").glob("*"):
        with suppress(OSError):
            name = str(handle.readlink())
            found += [f"file {name} ({handle.name})"] if name.startswith(f"{folder}/") else []
    return found
