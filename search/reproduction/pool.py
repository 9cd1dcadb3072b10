"""Many trainings in a few children: each child takes the next one as soon as it is free."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import TrainingFailed
from search.reproduction.result import Result
from search.reproduction.task import Task
from search.training.epoch import EpochRecord
from search.worker.process import ChildDied, DeviceSlot, WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Finished, Samples, Stopped, Train
from spaces import DataFacts, dump_recipe

if TYPE_CHECKING:
    from search.training.metrics import Scores

LOOK = 0.2  # seconds between two looks at the threads and at the flag
MOST_DEATHS = 5  # children in a row that may die before the next one is taken to do the same


@dataclass(frozen=True, kw_only=True)
class DatasetRef:
    """The data set that all tasks of a pool are trained on. data: its file. digest: of its contents."""

    data: Path
    digest: str
    facts: DataFacts


@dataclass
class _Shift:
    """What the threads of one pool share."""

    ground: DatasetRef
    stop: threading.Event
    done: Callable[[Result], None]
    tasks: queue.SimpleQueue[Task]
    lock: threading.Lock = field(default_factory=threading.Lock)
    deaths: int = 0
    trouble: list[BaseException] = field(default_factory=list)


def train_all(
    tasks: Sequence[Task],
    ground: DatasetRef,
    seats: Sequence[DeviceSlot],
    *,
    stop: threading.Event,
    done: Callable[[Result], None],
) -> None:
    """Train the tasks, in their order, one per seat at a time; return when all have ended or the flag is set.

    stop: once set, trainings under way are given up and nothing is kept of them.
    done: called with each result, failures too, by one thread at a time.
    Raises TrainingFailed when children only die, and what `done` raises.
    """
    shift = _Shift(ground=ground, stop=stop, done=done, tasks=queue.SimpleQueue())
    for task in tasks:
        shift.tasks.put(task)
    with ExitStack() as stack:
        links = [stack.enter_context(WorkerProcess(seat)) for seat in seats[: len(tasks)]]
        threads = [threading.Thread(target=_work, args=(shift, link), daemon=True) for link in links]
        for thread in threads:
            thread.start()
        try:
            _wait(threads, links, stop)
        except BaseException:
            stop.set()
            raise
    if shift.trouble:
        raise shift.trouble[0]


def train_task(link: WorkerProcess, task: Task, ground: DatasetRef, stop: threading.Event) -> Result | None:
    """Train one task in a child; None when the flag was set before it ended."""
    epochs: list[EpochRecord] = []
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        job = Train(
            job=link.next_job(),
            recipe=dump_recipe(task.recipe),
            samples=Samples(
                path=str(ground.data.resolve()),
                train=task.train,
                validation=task.validation,
                panel=task.validation[:1],
            ),
            out=folder,
            device=link.place.device,
            objective="miou",
        )
        try:
            for message in link.train(job):
                if isinstance(message, EpochEnd):
                    epochs.append(message.record)
                elif isinstance(message, Finished):
                    return _result(task, ground, link.place.device, epochs, best=message.best)
                elif isinstance(message, Failed):
                    return _result(task, ground, link.place.device, epochs, failure=message.reason)
                elif isinstance(message, Stopped):
                    return None
        except ChildDied:
            if stop.is_set():
                return None
            raise
    raise ChildDied(f"{link.place.name}: the child closed no job")


def _wait(threads: Sequence[threading.Thread], links: Sequence[WorkerProcess], stop: threading.Event) -> None:
    while any(thread.is_alive() for thread in threads):
        if stop.is_set():
            for link in links:
                link.stop_current()
        for thread in threads:
            thread.join(LOOK)


def _work(shift: _Shift, link: WorkerProcess) -> None:
    try:
        while not shift.stop.is_set():
            task = shift.tasks.get_nowait()
            result, died = _survive(shift, link, task)
            if result is None:
                return
            with shift.lock:
                shift.done(result)
                shift.deaths = shift.deaths + 1 if died else 0
                if shift.deaths >= MOST_DEATHS:
                    raise TrainingFailed(f"{MOST_DEATHS} trainings in a row died, the last one with: {result.failure}")
    except queue.Empty:
        return
    except BaseException as error:  # carried over to the thread that waits
        shift.trouble.append(error)
        shift.stop.set()


def _survive(shift: _Shift, link: WorkerProcess, task: Task) -> tuple[Result | None, bool]:
    """The task's result, and whether its child died of it."""
    try:
        return train_task(link, task, shift.ground, shift.stop), False
    except ChildDied as error:
        return _result(task, shift.ground, link.place.device, [], failure=str(error)), True


def _result(
    task: Task, ground: DatasetRef, device: str, epochs: Sequence[EpochRecord], *, best: int = 0, failure: str = ""
) -> Result:
    chosen = next((epoch for epoch in epochs if epoch.number == best), None)
    return Result(
        name=task.name,
        digest=task.digest,
        data_digest=ground.digest,
        recipe=dump_recipe(task.recipe),
        device=device,
        best=None if chosen is None else _scores(chosen, ground.facts),
        last=None if chosen is None else _scores(epochs[-1], ground.facts),
        best_epoch=best,
        curve=tuple(epochs),
        parameters=epochs[-1].parameters if epochs else 0,
        seconds=round(sum(epoch.seconds for epoch in epochs), 3),
        failure=failure,
    )


def _scores(epoch: EpochRecord, facts: DataFacts) -> Scores:
    from search.training.metrics import scores

    return scores(epoch.confusion, facts)
