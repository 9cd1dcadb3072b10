"""`marsearch` as processes: a command that runs to its end, a program that is watched, and the workers below it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

from .waiting import LIMIT_S, wait_for


class Ended(NamedTuple):
    """What a process left: the status of its exit and all it wrote."""

    returncode: int
    stdout: str
    stderr: str


def environment(**more: str) -> dict[str, str]:
    """Our environment without the settings of marsearch, and with these."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MARSEARCH_")} | more


def marsearch_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "search.cli", *map(str, arguments)]


def run_marsearch(*arguments: object, cwd: Path, timeout: float = 240, **variables: str) -> Ended:
    """Run a command in a process of its own, to its end."""
    with Running(marsearch_command(*arguments), cwd=cwd, env=environment(COLUMNS="120", **variables)) as process:
        return process.ended(timeout)


def workers_of(pid: int) -> list[psutil.Process]:
    """The worker processes that a process has started."""
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children():
            with suppress(psutil.Error):  # one that has just ended
                found += [child] if "search.worker.main" in " ".join(child.cmdline()) else []
    return found


class Running:
    """A process whose output is read as it comes. As a context it is killed at the end."""

    def __init__(self, command: Sequence[str], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.pid = self.process.pid
        self._out, self._err = _Lines(self.process.stdout), _Lines(self.process.stderr)

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    @property
    def stdout(self) -> str:
        """What it has written so far."""
        return self._out.text

    @property
    def stderr(self) -> str:
        return self._err.text

    def running(self) -> bool:
        return self.process.poll() is None

    def workers(self) -> list[psutil.Process]:
        return workers_of(self.pid)

    def wait_for_text(self, text: str, seconds: float = LIMIT_S) -> None:
        """Wait until it has written this; it must not end without."""
        wait_for(lambda: text in self.stdout + self.stderr or not self.running(), seconds, what=lambda: self.stderr)
        if text not in self.stdout + self.stderr:
            left = self.ended()
            assert text in left.stdout + left.stderr, left

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, seconds: float = 60.0) -> Ended:
        """Wait for its end."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {seconds:.0f} s: {self.stdout}{self.stderr}") from None
        return Ended(status, self._out.whole(), self._err.whole())

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60.0) -> Ended:
        """Ask it to end, and wait."""
        self.send(number)
        return self.ended(seconds)

    def kill(self) -> Ended:
        self.process.kill()
        return self.ended()


class _Lines:
    """Everything that comes out of a pipe, read by a thread so that the writer never waits."""

    def __init__(self, pipe: IO[str] | None) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._pipe:
            self._lines.extend(self._pipe)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def whole(self) -> str:
        self._reader.join(30)  # workers of a killed host close the pipe a moment later
        return self.text
