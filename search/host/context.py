"""What the trial loops and the periodic tasks of one host work with."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from optuna.exceptions import StorageInternalError
from optuna.study import Study

from search.host.checkpoints import Checkpoint
from search.host.state import HostState
from search.host.uploads import Outbox
from search.studies.samplers import load_study
from search.studies.study import OpenStudy
from search.worker.devices import Gpu
from search.worker.process import WorkerProcess
from storage.database.retry import reason
from storage.errors import DatabaseError, StorageError, StudyError
from storage.store import Store
from storage.studies.studies import load_config

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Seconds between two runs of each periodic task of a host."""

    display: float = 0.5
    commands: float = 2.0
    reap_here: float = 5.0  # trials whose host has died on this machine
    reap: float = 30.0  # and those that are silent wherever they run
    tidy: float = 60.0
    heartbeat: float = 10.0
    uploads: float = 30.0


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds that tests make shorter.

    poll: between two looks of an idle trial loop. checkpoint: between two checkpoints of a worker, at least.
    """

    intervals: Intervals = Intervals()
    poll: float = 0.3
    checkpoint: float = 10.0


@dataclass(frozen=True, kw_only=True)
class HostSettings:
    """What does not change while a host works.

    host: its id. home: its folder. target: finished trials that end the study. stem: of the study's checkpoint names.
    gpu: what every worker has at least, None without a GPU.
    """

    host: str
    home: Path
    target: int
    stem: str
    gpu: Gpu | None
    timing: Timing = field(default_factory=Timing)


class Lease:
    """A worker process on loan to one attempt."""

    def __init__(self, free: queue.Queue[WorkerProcess], worker: WorkerProcess) -> None:
        self.worker = worker
        self._free: queue.Queue[WorkerProcess] | None = free

    def give_back(self) -> None:
        """Let another attempt have the worker; again is harmless."""
        free, self._free = self._free, None
        if free is not None:
            free.put(self.worker)


@dataclass
class HostContext:
    """What all trial loops of one host share.

    free: worker processes without a job. claiming: held while a trial is claimed, so that the loops of this host do not
    claim more than the study needs. trouble: what went wrong for good.
    """

    store: Store
    opened: OpenStudy
    state: HostState
    outbox: Outbox
    settings: HostSettings
    free: queue.Queue[WorkerProcess]
    claiming: threading.Lock = field(default_factory=threading.Lock, init=False)
    trouble: list[BaseException] = field(default_factory=list, init=False)
    failures: int = field(default=0, init=False)

    def study(self) -> Study:
        """A study object for one thread, whose pruner counts a trial once, however many attempts it has had."""
        return load_study(self.store, self.opened, self.settings.gpu)

    def checkpoint(self, first: int) -> Checkpoint:
        """The checkpoint of the trial whose first attempt has that number."""
        return Checkpoint(self.store.artifacts, self.settings.home, self.settings.stem, first)

    @contextmanager
    def lease(self) -> Iterator[Lease | None]:
        """A free worker process until the block ends or it is given back; None when there is none for a while."""
        try:
            lease = Lease(self.free, self.free.get(timeout=self.settings.timing.poll))
        except queue.Empty:
            yield None
            return
        try:
            yield lease
        finally:
            lease.give_back()

    def fail(self, error: BaseException) -> None:
        """Stop the host for what went wrong; once it leaves, trouble is only logged: its trials are reclaimed later."""
        if self.state.shutdown.begun:
            _logger.warning("while leaving: %s", " ".join(str(error).split()))
            return
        if isinstance(error, StorageInternalError):
            error = DatabaseError(
                f"the database {self.store.url} does not answer as it should: {reason(error.__cause__ or error)}"
            )
        with suppress(StorageError):
            try:
                load_config(self.store, self.opened.config.study)
            except StudyError as gone:
                error = gone  # which explains whatever else went wrong
        self.trouble.append(error)
        self.state.shutdown.begin()
