"""The child: a process that owns one device, trains what the host sends, and knows no database.

Started as ``python -m search.service.child``; `search.service.messages` says what it reads and writes.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, TextIO

# Ctrl-C goes to the whole process group, and only the host decides: ignored before torch takes its seconds to load.
signal.signal(signal.SIGINT, signal.SIG_IGN)

from search.service.messages import Failed, Finished, Message, Ready, Stop, Stopped, Train, Trained, from_line, to_line  # noqa: E402

if TYPE_CHECKING:
    from search.training.fit import Epoch
    from storage.dataset import Dataset


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
        for line in lines:
            message = from_line(line)
            if isinstance(message, Train):
                self.jobs.put(message)
            elif isinstance(message, Stop):
                self._stopped.add(message.job)
        os._exit(0)


class Outbox:
    """The way to the host."""

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines

    def send(self, message: Message) -> None:
        """Write the message through at once; a host that is gone ends the child."""
        try:
            self._lines.write(to_line(message))
            self._lines.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)


def main() -> None:
    """Take jobs until the host is gone."""
    outbox = Outbox(_private_stdout())
    inbox = Inbox(sys.stdin)
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    shelf = Shelf()
    outbox.send(Ready())
    while True:
        job = inbox.jobs.get()
        try:
            outbox.send(train(job, shelf, inbox, outbox))
        except Exception as error:
            outbox.send(Failed(job=job.job, reason=_sentence(error), detail=traceback.format_exc()[-20_000:]))


class Shelf:
    """The last data set that was read: the trials of a study all use the same."""

    def __init__(self) -> None:
        self._path = ""
        self._dataset: Dataset | None = None

    def read(self, path: str) -> Dataset:
        """The data set of that file."""
        from pathlib import Path

        from storage.dataset import read_dataset

        if self._dataset is None or path != self._path:
            self._path, self._dataset = path, read_dataset(Path(path))
        return self._dataset


def train(job: Train, shelf: Shelf, inbox: Inbox, outbox: Outbox) -> Finished | Stopped:
    """Train one job to its end, telling the host of each epoch."""
    from search.service.record import save_result, training_data
    from search.training.fit import Stopped as TrainingStopped
    from search.training.fit import fit
    from spaces import load_recipe

    recipe = load_recipe(job.recipe)
    dataset = shelf.read(job.data)
    data = training_data(dataset, recipe.data.cleaning, job.train, job.validation)
    best: Epoch | None = None
    try:
        for epoch in fit(
            recipe, data, device=job.device, objective=job.objective, should_stop=lambda: inbox.stopped(job.job)
        ):
            best = epoch if epoch.improved else best
            outbox.send(_trained(job.job, epoch))
    except TrainingStopped:
        return Stopped(job=job.job)
    if best is None:
        raise ArithmeticError("no epoch gave a defined validation score")
    save_result(job, recipe, dataset, data, best)
    return Finished(job=job.job, best=best.number)


def _trained(job: int, epoch: Epoch) -> Trained:
    return Trained(
        job=job,
        number=epoch.number,
        train_loss=epoch.train_loss,
        validation_loss=epoch.validation_loss,
        miou=epoch.scores.miou,
        miou_strict=epoch.scores.miou_strict,
        accuracy=epoch.scores.accuracy,
        iou=tuple(None if value != value else value for value in epoch.scores.iou),
        confusion=epoch.scores.confusion,
        lr=epoch.lr,
        seconds=epoch.seconds,
        memory_mb=epoch.memory_mb,
        parameters=epoch.parameters,
        improved=epoch.improved,
        last=epoch.last,
    )


def _private_stdout() -> TextIO:
    """A stream to the host that no stray ``print`` of a library can reach: those go to the log."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return private


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    kind = "out of memory" if "out of memory" in text.lower() else type(error).__name__
    return f"{kind}: {text[:500]}"


if __name__ == "__main__":
    main()
