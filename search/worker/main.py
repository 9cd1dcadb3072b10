"""The child: a process that owns one device, trains what the host sends, and knows no database.

Started as ``python -m search.worker.main``; `search.worker.protocol` says what it reads and writes.
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
# takes its seconds to load. The child goes when its input ends.
for _signal in (signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, signal.SIG_IGN)

from search.worker.job import train  # noqa: E402
from search.worker.protocol import Failed, Message, Ready, Stop, Train, from_line, to_line  # noqa: E402

if TYPE_CHECKING:
    from storage.data.dataset import Dataset

_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "cannot allocate memory")


class Inbox:
    """What the host has said, read by a thread; the host's end is the child's."""

    def __init__(self, lines: TextIO) -> None:
        self.jobs: queue.Queue[Train] = queue.Queue()
        self._stopped: set[int] = set()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def stopped(self, job: int) -> bool:
        """Whether the host wants no more of the job; once true, it stays true."""
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


class Outbox:
    """The way to the host; any thread may send."""

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._writing = threading.Lock()

    def send(self, message: Message) -> None:
        """Write the message through at once; a host that is gone ends the child."""
        try:
            with self._writing:
                self._lines.write(to_line(message))
                self._lines.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)


def main() -> None:
    """Take jobs until the host is gone."""
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    outbox = Outbox(_private_stdout())
    inbox = Inbox(sys.stdin)
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    shelf = Shelf()
    outbox.send(Ready())
    while True:
        job = inbox.jobs.get()
        try:
            outbox.send(_train(job, shelf, inbox, outbox))
        except Exception as error:
            outbox.send(_failed(job.job, error))


class Shelf:
    """The last data set that was read: the trials of a study all use the same."""

    def __init__(self) -> None:
        self._path = ""
        self._dataset: Dataset | None = None

    def read(self, path: str) -> Dataset:
        """The data set of that file."""
        from storage.data.dataset import read_dataset

        if self._dataset is None or path != self._path:
            self._path, self._dataset = path, read_dataset(Path(path))
        return self._dataset


def _train(job: Train, shelf: Shelf, inbox: Inbox, outbox: Outbox) -> Message:
    return train(job, shelf.read(job.samples.path), lambda: inbox.stopped(job.job), outbox.send)


def _private_stdout() -> TextIO:
    """A stream to the host that no stray ``print`` of a library can reach: those go to the log."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _failed(job: int, error: Exception) -> Failed:
    kind = _kind(error)
    text = " ".join(str(error).split()) or "no message"
    name = "out of memory" if kind == "memory" else type(error).__name__
    return Failed(job=job, reason=f"{name}: {text[:500]}", detail=traceback.format_exc()[-20_000:], kind=kind)


def _kind(error: Exception) -> Literal["diverged", "memory", "error"]:
    """What went wrong, seen from the host; torch has no type of its own for a CPU that runs out of memory."""
    from search.training.fit import Diverged

    text = str(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in _MEMORY_WORDS):
        return "memory"
    return "diverged" if isinstance(error, Diverged) else "error"


if __name__ == "__main__":
    main()
