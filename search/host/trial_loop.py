"""A trial's life: claimed, attempted, settled. Each trial loop is a thread; a host runs two of them for each worker.

While one loop sees its trial's last epochs, draws pictures and uploads what the trial left, the other one claims and
samples the worker's next trial.
"""

from __future__ import annotations

import logging
import queue
from contextlib import ExitStack, suppress
from pathlib import Path

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import Trial, TrialState

from search.errors import TrainingFailed
from search.host.attempt import FLUSH_S, Completed, Failed, Job, Lost, Outcome, Pruned, Retry, run_attempt
from search.host.checkpoints import Checkpoint, retire
from search.host.context import HostContext
from search.host.reporter import TrialReporter
from search.host.results import drop_surplus_weights, store_result
from storage.database.optuna_schema import trial_id_of
from storage.studies.attempts import Holder, claim_retry_of, claim_trial, settle
from storage.temporary_folder import temporary_folder
from storage.trials.queries import count
from storage.trials.retries import earlier_attempts, first_attempt

MOST_FAILURES = 5  # attempts in a row that may fail by themselves before the host gives up

_logger = logging.getLogger(__name__)


def run_trials(context: HostContext) -> None:
    """Run trials until the study is finished or the host leaves; what goes wrong for good stops the host."""
    try:
        study = context.study()
        while not context.state.shutdown.begun and not context.over(study.get_trials(deepcopy=False)):
            if context.state.command == "stop":
                return
            with suppress(UpdateFinishedTrialError):  # at whatever step a trial is taken from a host, it takes the next
                if context.state.held or not _run_one(context, study):
                    context.state.shutdown.wait(context.timing.poll)
    except BaseException as error:
        context.fail(error)


def _run_one(context: HostContext, study: Study) -> bool:
    """Run one trial from its claim to its settlement; False when there is no worker or no trial for it now."""
    try:
        worker = context.free.get(timeout=context.timing.poll)
    except queue.Empty:
        return False
    with ExitStack() as turn:  # closed as soon as another trial may be claimed for the worker
        turn.callback(context.give_back, worker)
        trial = _claim(context, study, worker.slot.device)
        if trial is None:
            return False
        frozen = trial.storage.get_trial(trial_id_of(trial))
        checkpoint = Checkpoint(context.store.artifacts, context.options.home, context.stem, first_attempt(frozen))
        with (
            context.state.training(trial.number, worker.slot.name) as training,
            temporary_folder() as out,
        ):
            job = Job(trial, frozen, worker, training, checkpoint, out, nearly_over=turn.close)
            context.state.recent.add(f"trial {trial.number} begins on {worker.slot.name}")
            outcome = run_attempt(context, job)
            turn.close()
            outcome = _settle(context, study, job, outcome)
            context.state.recent.add(f"trial {trial.number} {_words(outcome)}")
        _clean_up(context, study, job, outcome)
        _count_failures(context, outcome)
    return True


def _claim(context: HostContext, study: Study, device: str) -> Trial | None:
    """The next trial, held by this host; None when the study needs no more, or its last ones run elsewhere."""
    with context.claiming:
        trials = study.get_trials(deepcopy=False)
        counts = count(trials)
        ours = context.state.trainings.keys()
        # A trial that was reclaimed from us, but that we have not let go of yet, may still be settled here.
        awaited = any(t.state is TrialState.WAITING and ours & set(earlier_attempts(t)[-1:]) for t in trials)
        enough = counts.finished + counts.running >= context.target or context.state.ends.end(trials) is not None
        # The host may have begun to leave, or the study been paused, while this loop waited for a worker.
        if context.state.held or enough or awaited:
            return None
        return claim_trial(study, Holder(host=context.host, device=device))


def _settle(context: HostContext, study: Study, job: Job, outcome: Outcome) -> Outcome:
    """Tell the study how the attempt ended, in one transaction; the outcome, or Lost."""
    if _settled(context, study, job.trial, job.out, outcome):
        return outcome
    kept = isinstance(outcome, Completed) and _adopt(context, study, job, outcome)
    words = "its result is kept" if kept else "another host goes on with it"
    _logger.info("trial %d was reclaimed while this host was silent: %s", job.trial.number, words)
    return outcome if kept else Lost()


def _settled(context: HostContext, study: Study, trial: Trial, out: Path, outcome: Outcome) -> bool:
    """Whether the outcome has reached the study; False when the trial is not this host's any more."""
    if isinstance(outcome, Lost):
        return False
    try:
        ending = store_result(context, trial, outcome, out) if isinstance(outcome, Completed) else outcome
    except UpdateFinishedTrialError:
        return False
    return settle(context.store, study, trial.storage.get_trial(trial_id_of(trial)), context.host, ending)


def _adopt(context: HostContext, study: Study, job: Job, result: Completed) -> bool:
    """Give the result to the retry that has taken the trial's place; False when another host has it already."""
    retry = claim_retry_of(study, job.trial.number, Holder(host=context.host, device=job.worker.slot.device))
    if retry is None:
        return False
    try:
        reporter = TrialReporter(context.store, context.opened, retry, result.recipe.optimisation.kept)
        reporter.catch_up(result.epochs, final=True)
    except UpdateFinishedTrialError:
        return False
    return _settled(context, study, retry, job.out, result)


def _clean_up(context: HostContext, study: Study, job: Job, outcome: Outcome) -> None:
    """Remove what a trial that has ended for good no longer needs, and weights beyond the best ones."""
    match outcome:
        case Retry() | Pruned(value=None) | Lost():
            return
        case Completed():
            drop_surplus_weights(context)
    trials, seconds = study.get_trials(deepcopy=False), context.state.shutdown.upload_seconds(FLUSH_S)
    retire(job.checkpoint, trials[job.trial.number], trials, context.stem, seconds)


def _words(outcome: Outcome) -> str:
    """How an attempt ended, for the log of its host."""
    match outcome:
        case Completed(value=value, epochs=epochs):
            return f"complete, {value:.4f} in {len(epochs)} epochs"
        case Pruned(reason=reason):
            return reason
        case Retry(reason=reason):
            return f"goes back: {reason}"
        case Failed(reason=reason):
            return f"failed: {reason}"
    return "is another host's now"


def _count_failures(context: HostContext, outcome: Outcome) -> None:
    """Give up where the next attempt would fail, too: when all do by themselves, or the place has no room.

    Raises TrainingFailed then.
    """
    match outcome:
        case Completed() | Pruned():
            context.failures = 0
        case Retry(fault="own", reason=reason) | Failed(fault="own", reason=reason):
            context.failures += 1
            if context.failures >= MOST_FAILURES:
                raise TrainingFailed(f"{MOST_FAILURES} trainings in a row failed, the last one with: {reason}")
        case Retry(fault="place", reason=reason):
            raise TrainingFailed(reason)
