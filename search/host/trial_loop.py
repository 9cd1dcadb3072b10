"""A slot: a thread that takes a free child, runs one trial in it, and does so until the study is finished.

There are two slots to a child: while one draws and uploads what its trial left, the other trains.
"""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.errors import TrainingFailed
from search.host.attempt import FLUSH_S, Objective, own_fault
from search.host.checkpoints import Checkpoint, retire
from search.host.state import HostState
from search.host.uploads import Outbox
from search.studies.constraints import Gpu, pixel_bytes_of
from search.studies.pruners import RetryAwarePruner
from search.studies.queries import count
from search.studies.study import OpenStudy, load_study
from search.worker.process import WorkerProcess
from storage.errors import ArtifactError, StorageError, StudyError, StudyFull
from storage.store import Store
from storage.studies.attempts import drop_weights, finish_run
from storage.studies.studies import load_config
from storage.trials.retries import COMES_BACK, requeue, retried, retry_pending

POLL = 0.3  # seconds between looks at a study whose last trials run elsewhere
MOST_FAILURES = 5  # trainings in a row that may fail by themselves before the host gives up


@dataclass
class HostContext:
    """What the slots of one host share.

    home: the host's folder. stem: of the names of the study's checkpoints. target: finished trials that end the study.
    worker: identity of this host. sharing: children on one GPU. gpu: what it offers to each, None without one.
    free: children without a job.
    """

    store: Store
    opened: OpenStudy
    board: HostState
    outbox: Outbox
    home: Path
    stem: str
    worker: str
    target: int
    sharing: int
    gpu: Gpu | None
    free: queue.Queue[WorkerProcess]
    gate: threading.Lock = field(default_factory=threading.Lock)
    starting: int = 0
    failures: int = 0
    at_work: list[Objective] = field(default_factory=list)
    trouble: list[BaseException] = field(default_factory=list)

    def study(self) -> Study:
        """A study object for one thread, whose pruner counts a trial once, however often it was taken up again."""
        study = load_study(self.store, self.opened.config, self.gpu, pixel_bytes_of(self.opened.dataset.images))
        study.pruner = RetryAwarePruner(study.pruner)
        return study

    def checkpoint(self, first: int) -> Checkpoint:
        """The checkpoint of the trial whose first attempt has that number."""
        return Checkpoint(self.store.artifacts, self.home, self.stem, first, self.board.say)

    @contextmanager
    def working(self, objective: Objective) -> Iterator[None]:
        """The trial of this objective is ours, until the block ends."""
        self.at_work.append(objective)
        try:
            yield
        finally:
            self.at_work.remove(objective)

    def awaited(self, trials: Iterable[FrozenTrial]) -> bool:
        """Whether the copy of a trial waits that was taken from us, but that we have not let go of yet."""
        ours = {objective.trial.number for objective in list(self.at_work) if objective.trial is not None}
        return any(t.state is TrialState.WAITING and ours.intersection(retried(t)[-1:]) for t in trials)

    def fail(self, error: BaseException) -> None:
        """Stop the host for what went wrong; once it leaves, trouble is only told: the trials are taken back later."""
        if self.board.stop.is_set():
            self.board.say(f"while leaving: {' '.join(str(error).split())}")
            return
        with suppress(StorageError):
            try:
                load_config(self.store, self.opened.config.study)
            except StudyError as gone:
                error = gone  # which explains whatever else went wrong
        self.trouble.append(error)
        self.board.stop.set()


def run_slot(crew: HostContext) -> None:
    """Run trials until the study is finished or the host stops; what goes wrong stops the host and is kept."""
    try:
        study = crew.study()
        while not crew.board.stop.is_set() and not _finished(crew, study):
            if crew.board.command == "run":
                _one_trial(crew, study)
            elif crew.board.command == "pause":
                crew.board.stop.wait(POLL)
            else:
                return
    except BaseException as error:
        crew.fail(error)


def _one_trial(crew: HostContext, study: Study) -> None:
    try:
        link = crew.free.get(timeout=POLL)
    except queue.Empty:
        return
    lease, start = _Lease(crew, link), _Start(crew)
    try:
        if crew.board.held or not start.allowed(study):
            crew.board.stop.wait(POLL)
            return
        with tempfile.TemporaryDirectory(prefix="marsearch-") as out:
            objective = Objective(
                store=crew.store,
                opened=crew.opened,
                link=link,
                sharing=crew.sharing,
                board=crew.board,
                worker=crew.worker,
                outbox=crew.outbox,
                out=Path(out),
                checkpoint_of=crew.checkpoint,
                started=start.done,
                release=lease.give_back,
            )
            with crew.working(objective):
                _optimize(crew, study, objective)
    finally:
        start.done()
        lease.give_back()


def _optimize(crew: HostContext, study: Study, objective: Objective) -> None:
    """Run one trial, and see to what is left of it, also when it was taken over or something unforeseen happened."""
    try:
        study.optimize(objective, n_trials=1, catch=(TrainingFailed,))
    except StudyFull:
        crew.board.stop.wait(POLL)  # another host was quicker; its trial may yet come back
    except Exception as error:
        if objective.trial is None:
            raise
        trial = study._storage.get_trial(objective.trial._trial_id)
        if error is objective.raised:
            _clear_up(crew, study, objective, trial)
            raise
        if trial.state is TrialState.RUNNING:
            raise
        _let_go(crew, study, objective, trial)  # Optuna could not tell it: somebody else had
    else:
        assert objective.trial is not None
        _clear_up(crew, study, objective, study._storage.get_trial(objective.trial._trial_id))


def _let_go(crew: HostContext, study: Study, objective: Objective, trial: FrozenTrial) -> None:
    """Leave a trial to the host that has taken it over; if it has finished here first, its copy gets the result."""
    run, checkpoint = objective.run, objective.checkpoint
    told = objective.hand_over(study)
    if run:
        with suppress(ArtifactError):
            drop_weights(crew.store, run)
        finish_run(crew.store, run, state="lost", reason="the trial was taken back while this host was silent")
    if told and checkpoint is not None:
        checkpoint.drop()
    ending = "its result is kept" if told else "another goes on with it"
    crew.board.say(f"trial {trial.number} was taken back while this host was silent: {ending}")


def _clear_up(crew: HostContext, study: Study, objective: Objective, trial: FrozenTrial) -> None:
    """Hand back a trial that comes back; of one that has ended for good, remove what it no longer needs."""
    promised = trial.system_attrs.get(COMES_BACK)
    if trial.state is TrialState.FAIL and promised is not None:
        requeue(study, trial, own_fault=promised == "own")
    elif objective.checkpoint is not None:
        trials = study.get_trials(deepcopy=False)
        retire(objective.checkpoint, trial, trials, crew.stem, crew.board.upload_time(FLUSH_S))
    _count_failure(crew, trial, objective)


def _count_failure(crew: HostContext, trial: FrozenTrial, objective: Objective) -> None:
    """Give up when trainings only fail by themselves, since the next would too. Raises TrainingFailed then."""
    if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
        crew.failures = 0
    elif objective.raised is not None and own_fault(objective.raised):
        crew.failures += 1
    if crew.failures >= MOST_FAILURES:
        reason = trial.user_attrs.get("reason", "no reason is known")
        raise TrainingFailed(f"{MOST_FAILURES} trainings in a row failed, the last one with: {reason}")


def _finished(crew: HostContext, study: Study) -> bool:
    return count(study.get_trials(deepcopy=False)).finished >= crew.target


class _Start:
    """The right to begin one trial, so that slots together do not begin more than the study still needs."""

    def __init__(self, crew: HostContext) -> None:
        self._crew = crew
        self._held = False

    def allowed(self, study: Study) -> bool:
        """Whether one more trial may begin; those that are about to come back have their place already."""
        with self._crew.gate:
            trials = study.get_trials(deepcopy=False)
            counts = count(trials)
            taken = counts.finished + counts.running + len(retry_pending(trials)) + self._crew.starting
            self._held = taken < self._crew.target and not self._crew.awaited(trials)
            self._crew.starting += self._held
            return self._held

    def done(self) -> None:
        """The trial is there, or will never be; again is harmless."""
        with self._crew.gate:
            self._crew.starting -= self._held
            self._held = False


class _Lease:
    """A child on loan to one trial."""

    def __init__(self, crew: HostContext, link: WorkerProcess) -> None:
        self._crew = crew
        self._link: WorkerProcess | None = link

    def give_back(self) -> None:
        """Put the child back for the next trial; again is harmless."""
        link, self._link = self._link, None
        if link is not None:
            self._crew.free.put(link)
