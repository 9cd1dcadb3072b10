"""What a test leaves behind: threads, child processes and open files, looked at when it ends."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from .waiting import wait_for

GOES_S = 20.0  # what is on its way out may take so long on a busy machine
OF_LIBRARIES = ("tqdm_monitor",)  # threads that a library begins once and keeps
SHARED: set[str] = set()
"""The threads and children of fixtures that outlive a test."""


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """What a fixture of several tests begins is no leak of the test that happens to be the first."""
    if fixturedef.scope == "function":
        return (yield)
    before = held()
    made = yield
    SHARED.update(held().beyond(before))
    return made


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """The test that leaves a thread, a child process or an open file of its folder is the one that fails."""
    before = held(tmp_path)
    yield
    assert not (left := leaks(before, tmp_path)), left


class Held(NamedTuple):
    """What this process has."""

    threads: frozenset[str]
    children: frozenset[str]
    files: frozenset[str]

    def beyond(self, before: Held) -> list[str]:
        """What was not there before."""
        return [name for now, then in zip(self, before, strict=True) for name in sorted(now - then)]


def held(folder: Path | None = None) -> Held:
    """Threads, children that are no zombies, and open files below the folder, each by a name of its own."""
    alive = [thread for thread in threading.enumerate() if thread.is_alive() and thread.name not in OF_LIBRARIES]
    threads = [f"thread {thread.name} ({thread.native_id})" for thread in alive]
    files = [] if folder is None else _files(folder)
    return Held(frozenset(threads), frozenset(_children()), frozenset(files))


def leaks(before: Held, folder: Path) -> list[str]:
    """What has come since, is not shared and does not go by itself."""

    def left() -> list[str]:
        return [name for name in held(folder).beyond(before) if name not in SHARED]

    if not left():
        return []
    gc.collect()  # what is closed only now complains, and the warning is an error of this test
    with suppress(AssertionError):
        wait_for(lambda: not left(), GOES_S)
    return left()


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
