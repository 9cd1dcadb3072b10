"""The worker process: it owns one device, trains the jobs that the host sends, and has no access to the database.

Started as ``python -P -m search.worker.main``; `search.worker.protocol` defines what it reads and writes.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

# Ctrl-C and a service manager's SIGTERM go to the whole process group, and only the host decides: ignored before torch
# takes its seconds to load. The worker exits when its input ends.
for _signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, signal.SIG_IGN)

from search.worker.job import train  # noqa: E402
from search.worker.protocol import Failed, Message, Ready, Stop, Train, from_line, to_line  # noqa: E402

if TYPE_CHECKING:
    from storage.data.dataset import Dataset

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


class Inbox:
    """The host's messages, read by a thread; when the host ends, so does the worker."""

    def __init__(self, lines: TextIO) -> None:
        self.jobs: queue.Queue[Train] = queue.Queue()
        self._stopped: set[int] = set()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def stopped(self, job: int) -> bool:
        """Whether the host has given the job up; once true, it stays true."""
        return job in self._stopped

    def _read(self, lines: TextIO) -> None:
        try:
            for line in lines:
                message = from_line(line)
                if isinstance(message, Train):
                    self.jobs.put(message)
                elif isinstance(message, Stop):
                    self._stopped.add(message.job)
        except ValueError:
            traceback.print_exc()
            os._exit(2)
        os._exit(0)


class Sender:
    """The pipe to the host; any thread may send."""

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._writing = threading.Lock()

    def send(self, message: Message) -> None:
        """Write the message through at once; a host that is gone ends the worker."""
        try:
            with self._writing:
                self._lines.write(to_line(message))
                self._lines.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)


def main() -> None:
    """Train jobs until the host is gone."""
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    sender = Sender(_private_stdout())
    inbox = Inbox(sys.stdin)
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    datasets = DatasetCache()
    sender.send(Ready())
    while True:
        job = inbox.jobs.get()
        try:
            sender.send(_train(job, datasets, inbox, sender))
        except Exception as error:
            sender.send(_failed(job.job, error))


class DatasetCache:
    """The data set that was read last: the trials of a study all use the same."""

    def __init__(self) -> None:
        self._path = ""
        self._dataset: Dataset | None = None

    def read(self, path: str) -> Dataset:
        """The data set in that file."""
        from storage.data.dataset import read_dataset

        if self._dataset is None or path != self._path:
            self._path, self._dataset = path, read_dataset(Path(path))
        return self._dataset


def _train(job: Train, datasets: DatasetCache, inbox: Inbox, sender: Sender) -> Message:
    return train(job, datasets.read(job.samples.path), lambda: inbox.stopped(job.job), sender.send)


def _private_stdout() -> TextIO:
    """A stream to the host that a library's stray ``print`` cannot reach: those go to the log."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _failed(job: int, error: Exception) -> Failed:
    kind = _kind(error)
    text = " ".join(str(error).split()) or "no message"
    name = "out of memory" if kind == "memory" else type(error).__name__
    return Failed(job=job, reason=f"{name}: {text[:500]}", detail=traceback.format_exc()[-20_000:], kind=kind)


def _kind(error: Exception) -> Literal["diverged", "memory", "error"]:
    """The kind of the failure; torch has no type of its own for a CPU that runs out of memory."""
    from search.training.fit import Diverged

    text = str(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS):
        return "memory"
    return "diverged" if isinstance(error, Diverged) else "error"


if __name__ == "__main__":
    main()
