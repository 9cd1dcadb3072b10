"""The host's end of a worker: it starts the process, sends jobs, and starts another when one ends."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, suppress

from search.errors import TrainingFailed
from search.worker.connection import SLICE, Connection
from search.worker.devices import DeviceSlot
from search.worker.protocol import Failed, Finished, Message, Ready, Stop, Stopped, Train

START_LIMIT = 120.0  # seconds; a cold import of torch on a busy disk took 20 (measured)
LONGEST_PAUSE = 30.0  # between two starts


class WorkerDied(TrainingFailed):
    """The worker ended in the middle of a job, or before it could take one."""


class WorkerProcess(AbstractContextManager["WorkerProcess"]):
    """One worker; started on first use or by `start`, and again after it died. Owned by one thread at a time, which
    holds `serving` where there are several.

    After the second death in a row the next start waits 1 s, then 2, 4 ... 30; a job that finishes ends the row.
    """

    def __init__(self, slot: DeviceSlot) -> None:
        self.slot = slot
        self.serving = threading.Lock()
        self._connection: Connection | None = None
        self._jobs = 0
        self._open = 0
        self._stopped: set[int] = set()
        self._deaths = 0  # in a row
        self._not_before = 0.0  # by `time.monotonic`

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The worker's process id, None while there is none."""
        connection = self._connection
        return connection.pid if connection is not None else None

    def start(self) -> None:
        """Begin the process without waiting for it: it loads torch while its host reads the study.

        What keeps it from starting is said by `train`, which tries again.
        """
        with suppress(OSError):
            self._connection = Connection(self.slot)

    def next_job(self) -> int:
        """A number that no job of this worker has had."""
        self._jobs += 1
        return self._jobs

    def train(self, job: Train, *, silence: float | None = None) -> Generator[Message, None, None]:
        """Send the job and yield the worker's messages until it closes the job.

        silence: seconds without a message after which the worker counts as hung, None for any number. Time in which
        this process itself was suspended does not count.
        A job that is stopped before its worker has started is closed by `Stopped` as well.
        Raises WorkerDied when the worker ends first, or is killed because it was silent; leaving the iterator early
        ends the process, and so does an error other than those of the recipe and the disk.
        """
        connection = self._started(job.job)
        if connection is None:
            yield Stopped(job=job.job)
            return
        self._open = job.job
        try:
            connection.send(job)
            if job.job in self._stopped:
                connection.send(Stop(job=job.job))
            for message in self._messages(connection, silence):
                if isinstance(message, Finished | Stopped | Failed):
                    self._closed(message)
                    yield message
                    return
                yield message
        finally:
            if self._open == job.job:
                self.close()

    def stop(self, job: int) -> None:
        """Tell the worker that the job is given up; may be called by any thread."""
        self._stopped.add(job)
        connection = self._connection
        if connection is not None:
            connection.send(Stop(job=job))

    def stop_current(self) -> None:
        """Tell the worker that the job it has now is given up; may be called by any thread."""
        self.stop(self._jobs)

    def kill(self) -> None:
        """End the process at once, if there is one; may be called by any thread."""
        connection = self._connection
        if connection is not None:
            connection.kill()

    def close(self) -> None:
        """End the process, if there is one."""
        connection, self._connection, self._open = self._connection, None, 0
        if connection is not None:
            connection.close()

    def _closed(self, message: Finished | Stopped | Failed) -> None:
        """Take note that the job has ended, before anybody acts on it."""
        self._open = 0
        if isinstance(message, Finished):
            self._deaths = 0
        if isinstance(message, Failed) and message.kind in ("memory", "error"):
            self.close()  # a new process gives back what this one holds, and has a device that works

    def _started(self, job: int) -> Connection | None:
        """The connection to a worker that is ready; None when the job was stopped meanwhile."""
        if self._connection is None or not self._connection.running or self._open:
            self.close()
            while (left := self._not_before - time.monotonic()) > 0 and job not in self._stopped:
                time.sleep(min(left, SLICE))
            if job in self._stopped:
                return None
            try:
                self._connection = Connection(self.slot)
            except OSError as error:
                raise self._died(f"cannot be started: {error}") from error
        connection = self._connection
        return connection if connection.ready or self._becomes_ready(connection, job) else None

    def _becomes_ready(self, connection: Connection, job: int) -> bool:
        """Wait for the process to load what it needs; False when the job was stopped meanwhile."""
        try:
            first = connection.receive(START_LIMIT, lambda: job in self._stopped)
        except queue.Empty:
            if job in self._stopped:
                connection.kill()
                self.close()
                return False
            raise self._died(f"was not ready after {START_LIMIT:.0f} s") from None
        if not isinstance(first, Ready):
            raise self._died("did not start")
        connection.ready = True
        return True

    def _messages(self, connection: Connection, silence: float | None) -> Iterator[Message]:
        while True:
            try:
                message = connection.receive(silence)
            except queue.Empty:
                connection.kill()
                raise self._died(f"sent nothing for {silence:.0f} s during a job and was killed", hung=True) from None
            if message is None:
                raise self._died("ended during a job")
            yield message

    def _died(self, what: str, *, hung: bool = False) -> WorkerDied:
        """End what is left of the process, count its death, and say what happened."""
        reason = self._connection.exit_reason(hung=hung) if self._connection is not None else ""
        self.close()
        self._deaths += 1
        pause = min(LONGEST_PAUSE, 2.0 ** min(self._deaths - 2, 10)) if self._deaths > 1 else 0.0
        self._not_before = time.monotonic() + pause
        return WorkerDied(f"{self.slot.name}: the worker {what}{': ' if reason else ''}{reason}")
