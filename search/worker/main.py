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
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal, TextIO

# Ctrl-C, a service manager's SIGTERM and a closed terminal's SIGHUP go to the whole process group, and only the host
# decides: ignored before torch takes its seconds to load. The worker exits when its input ends.
for _signal in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(_signal, signal.SIG_IGN)

from search.output import make_lenient  # noqa: E402
from search.worker.job import train  # noqa: E402
from search.worker.protocol import Failed, Message, Ready, Stop, Train, from_line, to_line  # noqa: E402
from storage.temporary_folder import remedy_for  # noqa: E402

# torch has no type of its own for a CPU that runs out of memory


def main() -> None:
    """Train jobs until the host is gone."""
    make_lenient("stderr")  # a log on a full disk costs no training
    faulthandler.enable()  # a crash in native code leaves its traceback in the log
    send = _sender(_private_stdout())
    jobs, stopped = queue.Queue[Train](), set[int]()
    threading.Thread(target=_read, args=(sys.stdin, jobs, stopped), daemon=True).start()
    import torch

    from search.training.device import claimed
    from storage.data.dataset import read_dataset

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    dataset_at = lru_cache(maxsize=1)(read_dataset)  # the trials of a study all use the same
    send(Ready())
    while True:
        job = jobs.get()
        try:
            with claimed(torch.device(job.device), job.share):
                last = train(job, dataset_at(Path(job.samples.path)), partial(stopped.__contains__, job.job), send)
            send(last)
        except Exception as error:
            send(_failed(job.job, error, remedy_for(error, Path(job.out))))


def _read(lines: TextIO, jobs: queue.Queue[Train], stopped: set[int]) -> None:
    """Take the host's messages; when the host ends, so does the worker. stopped: the jobs that are given up."""
    try:
        for line in lines:
            message = from_line(line)
            if isinstance(message, Train):
                jobs.put(message)
            elif isinstance(message, Stop):
                stopped.add(message.job)
    except ValueError:
        traceback.print_exc()
        os._exit(2)
    os._exit(0)


def _sender(lines: TextIO) -> Callable[[Message], None]:
    """What sends the host a message, from any thread, at once; a host that is gone ends the worker."""
    writing = threading.Lock()

    def send(message: Message) -> None:
        try:
            with writing:
                lines.write(to_line(message))
                lines.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)

    return send


def _private_stdout() -> TextIO:
    """A stream to the host that a library's stray ``print`` cannot reach: those go to the log."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _failed(job: int, error: Exception, remedy: str = "") -> Failed:
    from search.errors import Diverged
    from search.training.device import out_of_memory

    text, name = " ".join(str(error).split()) or "no message", type(error).__name__
    kind: Literal["diverged", "memory", "room", "error"] = "diverged" if isinstance(error, Diverged) else "error"
    if remedy:
        kind = "room"
    if out_of_memory(error):
        kind, name = "memory", "out of memory"
    return Failed(
        job=job,
        reason=f"{name}: {text[:500]}{remedy}",
        detail=traceback.format_exc()[-20_000:],
        kind=kind,
    )


if __name__ == "__main__":
    main()
