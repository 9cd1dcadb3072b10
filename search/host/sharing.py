"""How many trainings share a GPU under `--per-gpu auto`: found out from the first trials, and never a slower number.

An epoch's time is compared within one training, beside few and beside more others, so that it does not matter what the
recipe costs: two trainings that each take 1.4 times as long as alone train 1.43 times as much together.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from search.training.epoch import EpochRecord
from search.worker.gpus import Gpu
from search.worker.process import WorkerProcess

MOST = 4  # on one GPU
GAIN = 1.05  # what one more must bring: less is within what epochs differ by
TRIALS, EPOCHS = 2, 2  # so many trainings are timed both ways, so many epochs each
LOOK_S = 0.5  # between two looks of a training that waits for memory

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TimedEpoch:
    """An epoch of a trial during which the same number of trainings ran on its GPU, itself among them."""

    trial: int
    together: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How many trainings may run on a GPU now. why: what was found, in a sentence, once that is for good."""

    trainings: int
    why: str = ""


def choose(epochs: Iterable[TimedEpoch], running: Collection[int], most: int = MOST) -> Choice:
    """One more as long as that trains more together; while it is not known, as few as there are trainings to time.

    running: the trials on the GPU now.
    """
    seconds: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for epoch in epochs:
        seconds[epoch.trial][epoch.together].append(epoch.seconds)
    for few in range(1, most):
        many = few + 1
        both = [of for of in seconds.values() if min(len(of[few]), len(of[many])) >= EPOCHS]
        if len(both) < TRIALS:
            known = running and all(len(seconds[trial][few]) >= EPOCHS for trial in running)
            open_ = any(len(seconds[trial][many]) < EPOCHS for trial in running)
            return Choice(trainings=many if known and open_ else few)
        gain = median(many / few * median(of[few]) / median(of[many]) for of in both)
        if gain < GAIN or many == most:
            chosen = few if gain < GAIN else many
            why = f"{many} trainings at a time train {gain:.2f} times as much as {few}, so {chosen} it is"
            return Choice(trainings=chosen, why=why)
    return Choice(trainings=most)


@dataclass
class _Run:
    """A training on a GPU: the memory that it needs, and the changes of company before its last epoch's end."""

    gb: float
    changes: int | None = None


@dataclass
class _Shared:
    """One GPU.

    used: workers that are free or have a trial. parked: the others. changes: how often its company has changed. final:
    the choice that was made for good.
    """

    gpu: Gpu
    used: int = 0
    parked: list[WorkerProcess] = field(default_factory=list)
    running: dict[int, _Run] = field(default_factory=dict)
    changes: int = 0
    epochs: list[TimedEpoch] = field(default_factory=list)
    final: Choice | None = None


class Sharing:
    """Which workers of each GPU may take a trial; any thread may call."""

    def __init__(self, workers: Sequence[WorkerProcess], free: queue.Queue[WorkerProcess]) -> None:
        """Begin with one worker a GPU. workers: `MOST` for each. free: takes those for which trials may be claimed."""
        self._free = free
        self._changed = threading.Condition()
        self._gpus: dict[str, _Shared] = {}
        for worker in workers:
            gpu = worker.slot.gpu
            assert gpu is not None
            self._gpus.setdefault(gpu.id, _Shared(gpu)).parked.append(worker)
        for shared in self._gpus.values():
            self._follow(shared)

    @property
    def used(self) -> int:
        """The trainings that may run now, on all GPUs."""
        return sum(shared.used for shared in self._gpus.values())

    def give_back(self, worker: WorkerProcess) -> None:
        """Let the worker have another trial, now or when more may run."""
        with self._changed:
            shared = self._of(worker)
            shared.used -= 1
            shared.parked.insert(0, worker)  # the same ones again: the others may not have been started
            self._follow(shared)

    @contextmanager
    def running(self, worker: WorkerProcess, trial: int, gb: float, given_up: Callable[[], bool]) -> Iterator[None]:
        """Wait until the GPU has room for a training of so many GiB, or it is given up, and count it while it runs."""
        with self._changed:
            shared = self._of(worker)
            while shared.running and not given_up() and self._held(shared) + gb > (shared.gpu.gb or 0.0):
                self._changed.wait(LOOK_S)
            self._change(shared, lambda: shared.running.update({trial: _Run(gb)}))
        try:
            yield
        finally:
            with self._changed:
                self._change(shared, lambda: shared.running.pop(trial))

    def ended(self, worker: WorkerProcess, trial: int, epoch: EpochRecord) -> None:
        """Take note of an epoch's time and memory, and let more trainings run, or fewer, for what they say."""
        with self._changed:
            shared = self._of(worker)
            run = shared.running[trial]
            alike = run.changes == shared.changes  # not so in the first epoch, which waits for much that comes once
            if alike and shared.final is None:
                together = len(shared.running)
                shared.epochs.append(TimedEpoch(trial=trial, together=together, seconds=epoch.seconds))
            run.changes, run.gb = shared.changes, max(run.gb, epoch.memory_mb / 1024)
            self._follow(shared)

    def _of(self, worker: WorkerProcess) -> _Shared:
        assert worker.slot.gpu is not None
        return self._gpus[worker.slot.gpu.id]

    def _held(self, shared: _Shared) -> float:
        return sum(run.gb for run in shared.running.values())

    def _change(self, shared: _Shared, act: Callable[[], object]) -> None:
        act()
        shared.changes += 1
        self._changed.notify_all()
        self._follow(shared)

    def _follow(self, shared: _Shared) -> None:
        """Free as many workers as may run now."""
        choice = shared.final or choose(shared.epochs, shared.running)
        while shared.used < choice.trainings and shared.parked:
            shared.used += 1
            self._free.put(shared.parked.pop(0))
        if choice.why and shared.final is None:
            shared.final = choice
            _logger.info("%s: %s", shared.gpu.id, choice.why)
