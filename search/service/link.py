"""The host's end of a child: it starts the process, sends jobs, and turns its death into data."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from search.errors import TrainingFailed
from search.service.messages import Failed, Finished, Message, Ready, Stop, Stopped, Train, from_line, to_line

START_LIMIT = 120.0  # seconds; a cold import of torch on a busy disk took 20 (measured)


class ChildDied(TrainingFailed):
    """The child ended in the middle of a job, or before it could take one."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a child runs.

    name: unique within the host ("slot 1"). device: as torch names it, as the child sees it.
    environment: variables on top of the host's. log: file that takes the child's stderr.
    """

    name: str
    device: str
    environment: Mapping[str, str]
    log: Path


class Link:
    """One child; starts it on first use, and again after it died. Owned by one thread at a time."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._process: subprocess.Popen[str] | None = None
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._jobs = 0
        self._log: IO[str] | None = None
        self._writing = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id, None while there is none."""
        return self._process.pid if self._process is not None else None

    def next_job(self) -> int:
        """A number that no job of this link has had."""
        self._jobs += 1
        return self._jobs

    def train(self, job: Train) -> Iterator[Message]:
        """Send the job and yield what the child says until it closes the job.

        Raises ChildDied when the child ends first; leaving the iterator early costs the child its life.
        """
        self._start()
        self._send(job)
        closed = False
        try:
            for message in self._answers():
                closed = isinstance(message, Finished | Stopped | Failed)
                yield message
                if closed:
                    return
        finally:
            if not closed:
                self.close()

    def stop(self, job: int) -> None:
        """Tell the child that nobody wants the job any more."""
        self._send(Stop(job=job))

    def stop_current(self) -> None:
        """Tell the child that nobody wants the job it has now; may be called by any thread."""
        self.stop(self._jobs)

    def close(self) -> None:
        """End the child: its input closes, and if it does not go within 2 seconds it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            with suppress(BrokenPipeError):
                process.stdin.close()
        try:
            process.wait(timeout=2.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._log is not None:
            self._log.close()

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._messages = queue.Queue()
        self.place.log.parent.mkdir(parents=True, exist_ok=True)
        self._log = self.place.log.open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "search.service.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            encoding="utf-8",
            env={**os.environ, **self.place.environment},
        )
        threading.Thread(target=_read, args=(self._process, self._messages), daemon=True).start()
        first = self._next(START_LIMIT)
        if not isinstance(first, Ready):
            raise ChildDied(f"{self.place.name}: the child did not come up: {self._last_words()}")

    def _answers(self) -> Iterator[Message]:
        while True:
            message = self._next(None)
            if message is None:
                raise ChildDied(f"{self.place.name}: the child ended in the middle of a job: {self._last_words()}")
            yield message

    def _next(self, limit: float | None) -> Message | None:
        try:
            return self._messages.get(timeout=limit)
        except queue.Empty:
            return None

    def _send(self, message: Message) -> None:
        process = self._process
        if process is None or process.stdin is None:
            return
        try:
            with self._writing:
                process.stdin.write(to_line(message))
                process.stdin.flush()
        except (BrokenPipeError, ValueError):
            pass  # the reader finds the child dead and says so

    def _last_words(self) -> str:
        code = self._process.wait(timeout=5.0) if self._process is not None else None
        ended = f"killed by signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        tail = self.place.log.read_text("utf-8", errors="replace")[-400:].split("\n")[-2:]
        return f"{ended} {' '.join(' '.join(tail).split())}".strip()


def _read(process: subprocess.Popen[str], messages: queue.Queue[Message | None]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            messages.put(from_line(line))
    messages.put(None)
