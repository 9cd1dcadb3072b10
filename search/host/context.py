"""What the trial loops and the periodic tasks of one host work with."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from optuna.exceptions import StorageInternalError
from optuna.study import Study
from optuna.trial import FrozenTrial

from search.host.sharing import Sharing
from search.host.state import HostState, Training
from search.host.uploads import Outbox
from search.studies.checkpoints import stem_of
from search.studies.samplers import load_study
from search.studies.study import OpenStudy
from search.worker.devices import smallest_gpu
from search.worker.process import WorkerProcess
from storage.database.retry import reason
from storage.errors import DatabaseError, StorageError, StudyError
from storage.store import Store
from storage.studies.ends import is_over
from storage.studies.hosts import is_registered
from storage.studies.studies import load_config, trials_of
from storage.trials.queries import count

_logger = logging.getLogger(__name__)


PerGpu = int | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds that tests make shorter.

    poll: between two looks of an idle trial loop. heartbeat, reap: between two of the host's, and between two looks for
    trials of silent hosts. checkpoint: between two checkpoints of a worker, at least.
    """

    poll: float = 0.3
    heartbeat: float = 10.0
    reap: float = 30.0
    checkpoint: float = 10.0


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """What a host is asked to do; the field names are the options of `marsearch work`.

    workers: trainings at a time, None for one per GPU or core. trials: target, None for the study's own.
    timeout: seconds, None for none. home: directory for caches, checkpoints and logs. per_gpu: trainings that share a
    GPU, each with its part of the memory, None for one; "auto" finds out how many train most (`search.host.sharing`).
    """

    study: str
    home: Path
    workers: int | None = None
    trials: int | None = None
    timeout: float | None = None
    device: str = "auto"
    per_gpu: PerGpu | None = None


@dataclass
class HostContext:
    """What all threads of one host share.

    host: its id. free: those of its workers for which a trial may be claimed. claiming: held while a trial is claimed
    or sampled, so that the loops of this host claim no more than the study needs, and no recipe twice. trouble: what
    went wrong for good. failures: how many attempts in a row have failed by themselves. sharing: where the number of
    trainings on a GPU is to be found out. wanted, target: finished trials that end the study, as asked for and as the
    space has them.
    """

    store: Store
    opened: OpenStudy
    options: WorkOptions
    host: str
    workers: list[WorkerProcess]
    state: HostState
    timing: Timing
    free: queue.Queue[WorkerProcess] = field(default_factory=queue.Queue, init=False)
    claiming: threading.Lock = field(default_factory=threading.Lock, init=False)
    trouble: list[BaseException] = field(default_factory=list, init=False)
    failures: int = field(default=0, init=False)
    sharing: Sharing | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.aim(self.options.trials or self.opened.config.trials)
        self.stem = stem_of(self.store, self.options.study)  # of the names of checkpoints
        self.outbox = Outbox(self.store, self.options.home, lambda: self.state.shutdown.begun)
        if self.options.per_gpu == "auto" and self.workers[0].slot.gpu is not None:
            self.sharing = Sharing(self.workers, self.free)
            return
        for worker in self.workers:
            self.free.put(worker)

    def aim(self, wanted: int) -> None:
        """Let the study end with so many finished trials, or with fewer where its space has no more recipes."""
        self.wanted = wanted
        self.target = self.opened.target(wanted, trials_of(self.store, self.options.study))
        self.exhausted = self.opened.space.size(self.target) is not None  # by so many trials

    @property
    def at_a_time(self) -> int:
        """How many trainings may run now."""
        return len(self.workers) if self.sharing is None else self.sharing.used

    def give_back(self, worker: WorkerProcess) -> None:
        """Let another trial be claimed for the worker."""
        if self.sharing is None:
            self.free.put(worker)
        else:
            self.sharing.give_back(worker)

    def room(self, worker: WorkerProcess, training: Training, gb: float) -> AbstractContextManager[None]:
        """Holds so many GiB of the worker's GPU for the training; waits for them where trainings share it."""
        if self.sharing is None:
            return nullcontext()
        return self.sharing.running(worker, training.trial, gb, lambda: training.lost or bool(self.state.held))

    def study(self) -> Study:
        """A study object for one thread, whose pruner counts a trial once, however many attempts it has had."""
        return load_study(self.store, self.opened, smallest_gpu([worker.slot for worker in self.workers]))

    def over(self, trials: Sequence[FrozenTrial]) -> bool:
        """Whether the study is finished. trials: all of it."""
        counts, end = count(trials), self.state.ends.end(trials)
        return is_over(finished=counts.finished, running=counts.running, target=self.target, end=end)

    def fail(self, error: BaseException) -> None:
        """Stop the host for what went wrong; once it leaves, trouble is only logged: its trials are reclaimed later."""
        if self.state.shutdown.begun:
            _logger.warning("while leaving: %s", " ".join(str(error).split()))
            return
        if isinstance(error, StorageInternalError):
            why = reason(error.__cause__ or error)
            error = DatabaseError(f"the database {self.store.url} does not answer as it should: {why}")
        try:
            load_config(self.store, self.opened.config.study)
            if isinstance(error, KeyError) and not is_registered(self.store, self.host):  # the config is deleted last
                error = StudyError(f"study {self.opened.config.study!r} was deleted while this host worked on it")
        except StorageError as gone:  # a study that was deleted explains whatever else went wrong
            error = gone if isinstance(gone, StudyError) else error
        self.trouble.append(error)
        self.state.shutdown.begin()
