"""The host's end of a child: it starts the process, sends jobs, and turns its death into data."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from search.errors import TrainingFailed
from search.settings import STORAGE_VARIABLES
from search.worker.backoff import BackOff
from search.worker.exit_reason import end_of_log, last_words
from search.worker.protocol import Failed, Finished, Message, Ready, Stop, Stopped, Train, from_line, to_line

START_LIMIT = 120.0  # seconds; a cold import of torch on a busy disk took 20 (measured)
SLICE = 0.5  # seconds of waiting at a time


class ChildDied(TrainingFailed):
    """The child ended in the middle of a job, or before it could take one."""


class ChildHung(ChildDied):
    """The child said nothing for too long and was killed."""


@dataclass(frozen=True, kw_only=True)
class DeviceSlot:
    """Where a child runs.

    name: unique within the host ("slot 1"). device: as torch names it, as the child sees it.
    environment: variables on top of the host's. log: file that takes the child's stderr.
    """

    name: str
    device: str
    environment: Mapping[str, str]
    log: Path


class WorkerProcess:
    """One child; starts it on first use, and again after it died. Owned by one thread at a time.

    After the second death in a row the next child waits 1 s, then 2, 4 ... 30; a job that finishes ends the row.
    """

    def __init__(self, place: DeviceSlot) -> None:
        self.place = place
        self._process: subprocess.Popen[str] | None = None
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._jobs = 0
        self._open = 0
        self._stopped: set[int] = set()
        self._backoff = BackOff()
        self._log: IO[str] | None = None
        self._log_start = 0
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

    def train(self, job: Train, *, silence: float | None = None) -> Generator[Message, None, None]:
        """Send the job and yield what the child says until it closes the job.

        silence: seconds without a message after which the child counts as hung, None for any number. Time in which
        this process itself was suspended does not count.
        A job that is stopped before its child is there is closed by `Stopped` as well.
        Raises ChildDied when the child ends first, ChildHung for a silent one; leaving the iterator early costs the
        child its life, and so does running out of memory.
        """
        if not self._start(job.job):
            yield Stopped(job=job.job)
            return
        self._open = job.job
        try:
            self._send(job)
            if job.job in self._stopped:
                self._send(Stop(job=job.job))
            for message in self._answers(silence):
                if isinstance(message, Finished | Stopped | Failed):
                    self._closed(message)
                    yield message
                    return
                yield message
        finally:
            if self._open == job.job:
                self.close()

    def stop(self, job: int) -> None:
        """Tell the child that nobody wants the job any more; may be called by any thread."""
        self._stopped.add(job)
        self._backoff.rouse()
        self._send(Stop(job=job))

    def kill(self) -> None:
        """End the process at once, if there is one; any thread may."""
        process = self._process
        if process is not None:
            process.kill()  # Popen does not signal a process that has been waited for

    def stop_current(self) -> None:
        """Tell the child that nobody wants the job it has now; may be called by any thread."""
        self.stop(self._jobs)

    def close(self) -> None:
        """End the child: its input closes, and if it does not go within 2 seconds it is killed."""
        process, self._process, self._open = self._process, None, 0
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

    def _closed(self, message: Finished | Stopped | Failed) -> None:
        """Take note that the job has ended, before anybody acts on it."""
        self._open = 0
        if isinstance(message, Finished):
            self._backoff.succeeded()
        if isinstance(message, Failed) and message.kind == "memory":
            self.close()  # a new process gives back what this one holds

    def _start(self, job: int) -> bool:
        """See to it that a child is there and ready; False when the job was stopped meanwhile."""
        if self._process is not None and self._process.poll() is None and not self._open:
            return True
        self.close()
        if not self._backoff.wait(lambda: job in self._stopped):
            return False
        self._launch()
        try:
            first = self._next(START_LIMIT, lambda: job in self._stopped)
        except queue.Empty:
            if job in self._stopped:
                self._kill()
                self.close()
                return False
            raise self._died(f"was not ready after {START_LIMIT:.0f} s") from None
        if not isinstance(first, Ready):
            raise self._died("did not come up")
        return True

    def _launch(self) -> None:
        self._messages = queue.Queue()
        self.place.log.parent.mkdir(parents=True, exist_ok=True)
        self._log = self.place.log.open("a", encoding="utf-8")
        self._log_start = self.place.log.stat().st_size
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "search.worker.main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                encoding="utf-8",
                env=_environment(self.place),
            )
        except OSError as error:  # no memory, too many processes
            self._log.close()
            raise self._died(f"cannot be started: {error}") from error
        threading.Thread(target=_read, args=(self._process, self._messages), daemon=True).start()

    def _answers(self, silence: float | None) -> Iterator[Message]:
        while True:
            try:
                message = self._next(silence)
            except queue.Empty:
                self._kill()
                raise self._died(
                    f"said nothing for {silence:.0f} s in the middle of a job and was killed", hung=True
                ) from None
            if message is None:
                raise self._died("ended in the middle of a job")
            yield message

    def _next(self, limit: float | None, enough: Callable[[], bool] = lambda: False) -> Message | None:
        """The next message, None at the child's end. Raises queue.Empty after limit seconds, or once enough says so.

        Waits in slices, each of which counts no more than its length: a host that was suspended for a minute finds
        the child's messages and not that a minute is over.
        """
        left = float("inf") if limit is None else limit
        while True:
            slice_ = min(SLICE, left)
            try:
                return self._messages.get(timeout=slice_)
            except queue.Empty:
                left -= slice_
                if left <= 0 or enough():
                    raise

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

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _died(self, what: str, *, hung: bool = False) -> ChildDied:
        """Count a death, end what is left of the child, and say what happened."""
        self._backoff.failed()
        words = self._words(hung=hung)
        self.close()
        return (ChildHung if hung else ChildDied)(f"{self.place.name}: the child {what}{': ' if words else ''}{words}")

    def _words(self, *, hung: bool) -> str:
        """What is known of the child's end; how a hung one ended is known already."""
        if self._process is None:
            return ""
        if hung:
            return end_of_log(self.place.log, self._log_start)
        return last_words(self._process, self.place.log, self._log_start)


def _environment(place: DeviceSlot) -> dict[str, str]:
    """The host's environment and the place's own, without what opens the database and the artifact store."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(STORAGE_VARIABLES)}
    return {**kept, **place.environment}


def _read(process: subprocess.Popen[str], messages: queue.Queue[Message | None]) -> None:
    """Take in what the child says; whatever ends that, even half a line of a killed child, is the child's end."""
    assert process.stdout is not None
    try:
        with process.stdout as lines:
            for line in lines:
                messages.put(from_line(line))
    except ValueError:
        process.kill()
    finally:
        messages.put(None)
