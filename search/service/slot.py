"""A slot: a thread that takes a free child, runs one trial in it, and does so until the study is finished.

There are two slots to a child: while one draws and uploads what its trial left, the other trains.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.errors import TrainingFailed
from search.service.link import Link
from search.service.objective import INTERRUPTED, Board, Objective
from search.service.progress import Counts, count
from search.service.study import OpenStudy, attach
from storage.requeue import requeue
from storage.store import Store

POLL = 0.3  # seconds between looks at a study whose last trials run elsewhere
MOST_FAILURES = 5  # trainings in a row that may fail before the host gives up


@dataclass
class Crew:
    """What the slots of one host share.

    target: finished trials that end the study. worker: identity of this host. free: children without a job.
    """

    store: Store
    opened: OpenStudy
    board: Board
    worker: str
    target: int
    free: queue.Queue[Link]
    gate: threading.Lock = field(default_factory=threading.Lock)
    starting: int = 0
    failures: int = 0
    trouble: list[BaseException] = field(default_factory=list)


def run_slot(crew: Crew) -> None:
    """Run trials until the study is finished or the host stops; what goes wrong stops the host and is kept."""
    try:
        study = attach(crew.store, crew.opened.plan)
        while not crew.board.stop.is_set() and not _finished(crew, study):
            _one_trial(crew, study)
    except BaseException as error:
        crew.trouble.append(error)
        crew.board.stop.set()


def _one_trial(crew: Crew, study: Study) -> None:
    try:
        link = crew.free.get(timeout=POLL)
    except queue.Empty:
        return
    lease = _Lease(crew, link)
    try:
        if crew.board.stop.is_set() or not _may_start(crew, study):
            crew.board.stop.wait(POLL)
            return
        objective = Objective(
            store=crew.store,
            opened=crew.opened,
            link=link,
            board=crew.board,
            worker=crew.worker,
            started=lambda: _started(crew),
            release=lease.give_back,
        )
        # The callback runs after the trial is told, in the thread that ran it.
        study.optimize(objective, n_trials=1, catch=(TrainingFailed,), callbacks=[lease.told])
    finally:
        lease.give_back()


def _may_start(crew: Crew, study: Study) -> bool:
    with crew.gate:
        counts = _counts(study)
        if counts.finished + counts.running + crew.starting >= crew.target:
            return False
        crew.starting += 1
        return True


def _started(crew: Crew) -> None:
    with crew.gate:
        crew.starting -= 1


def _finished(crew: Crew, study: Study) -> bool:
    return _counts(study).finished >= crew.target


def _counts(study: Study) -> Counts:
    return count(study.get_trials(deepcopy=False))


class _Lease:
    """A child on loan to one trial."""

    def __init__(self, crew: Crew, link: Link) -> None:
        self._crew = crew
        self._link: Link | None = link

    def give_back(self) -> None:
        """Put the child back for the next trial; again is harmless."""
        link, self._link = self._link, None
        if link is not None:
            self._crew.free.put(link)

    def told(self, study: Study, trial: FrozenTrial) -> None:
        """Hand an interrupted trial back to the queue; give up when trainings only fail, since the next would too."""
        if trial.state is not TrialState.FAIL:
            self._crew.failures = 0
        elif trial.user_attrs.get("reason") == INTERRUPTED:
            requeue(study, trial)
        else:
            self._crew.failures += 1
        if self._crew.failures >= MOST_FAILURES:
            reason = trial.user_attrs.get("reason", "no reason is known")
            raise TrainingFailed(f"{MOST_FAILURES} trainings in a row failed, the last one with: {reason}")
