"""A trial's life: claimed, attempted, settled. Each trial loop is a thread; a host runs two of them for each worker.

While one loop draws pictures and uploads what its trial left, the other one keeps the worker busy.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import Trial, TrialState

from search.errors import TrainingFailed
from search.host.attempt import FLUSH_S, Claim, Job, run_attempt
from search.host.checkpoints import retire
from search.host.context import HostContext, Lease
from search.host.outcomes import Completed, Failed, Lost, Outcome, Pruned, Result, Retry
from search.host.reporter import TrialReporter
from search.host.results import drop_surplus_weights, store_result
from search.studies.queries import count
from storage.database.optuna_schema import trial_id_of
from storage.studies.attempts import Ending, Holder, claim_retry_of, claim_trial, settle
from storage.trials.retries import earlier_attempts

MOST_FAILURES = 5  # attempts in a row that may fail by themselves before the host gives up

_logger = logging.getLogger(__name__)


def run_trials(context: HostContext) -> None:
    """Run trials until the study is finished or the host leaves; what goes wrong for good stops the host."""
    try:
        study = context.study()
        while not context.state.shutdown.begun and not _finished(context, study):
            if context.state.command == "stop":
                return
            if context.state.held or not _run_one(context, study):
                context.state.shutdown.wait(context.settings.timing.poll)
    except BaseException as error:
        context.fail(error)


def _run_one(context: HostContext, study: Study) -> bool:
    """Run one trial from its claim to its settlement; False when there is no worker or no trial for it now."""
    with context.lease() as lease:
        claim = _claim(context, study, lease) if lease is not None else None
        if lease is None or claim is None:
            return False
        with (
            context.state.training(claim.number, lease.worker.slot.name) as training,
            tempfile.TemporaryDirectory(prefix="marsearch-") as out,
        ):
            checkpoint = context.checkpoint(claim.first)
            job = Job(claim=claim, worker=lease.worker, training=training, out=Path(out), checkpoint=checkpoint)
            outcome = run_attempt(context, job)
            lease.give_back()
            outcome = _settle(context, study, job, outcome)
        _clean_up(context, study, job, outcome)
        _count_failures(context, outcome)
    return True


def _claim(context: HostContext, study: Study, lease: Lease) -> Claim | None:
    """The next trial, held by this host; None when the study needs no more, or its last ones run elsewhere."""
    with context.claiming:
        trials = study.get_trials(deepcopy=False)
        counts = count(trials)
        ours = context.state.trainings.keys()
        # A trial that was reclaimed from us, but that we have not let go of yet, may still be settled here.
        awaited = any(t.state is TrialState.WAITING and ours & set(earlier_attempts(t)[-1:]) for t in trials)
        # The host may have begun to leave, or the study been paused, while this loop waited for a worker.
        if context.state.held or counts.finished + counts.running >= context.settings.target or awaited:
            return None
        holder = Holder(host=context.settings.host, device=lease.worker.slot.device)
        trial = claim_trial(study, holder)
    return None if trial is None else Claim(trial=trial, frozen=trial.storage.get_trial(trial_id_of(trial)))


def _settle(context: HostContext, study: Study, job: Job, outcome: Outcome) -> Outcome:
    """Tell the study how the attempt ended: state, value and attempt change together; the outcome, or Lost."""
    if _settled(context, study, job.claim.trial, job.out, outcome):
        return outcome
    kept = isinstance(outcome, Completed) and _adopt(context, study, job, outcome)
    words = "its result is kept" if kept else "another host goes on with it"
    _logger.info("trial %d was reclaimed while this host was silent: %s", job.claim.number, words)
    return outcome if kept else Lost()


def _settled(context: HostContext, study: Study, trial: Trial, out: Path, outcome: Outcome) -> bool:
    """Whether this trial has ended with this outcome; False when it is not this host's any more."""
    try:
        ending = _ending(context, trial, outcome, out)
    except UpdateFinishedTrialError:
        return False
    if ending is None:
        return False
    frozen = trial.storage.get_trial(trial_id_of(trial))
    return settle(context.store, study, frozen, context.settings.host, ending)


def _ending(context: HostContext, trial: Trial, outcome: Outcome, out: Path) -> Ending | None:
    """How the outcome is settled; what a completed training leaves is stored before that. None for a lost trial."""
    match outcome:
        case Completed(result=Result() as result, value=value):
            weights = store_result(context, trial, outcome, out)
            parameters = result.best_epoch.parameters
            return Ending(state="complete", value=value, parameters=parameters, weights_artifact=weights)
        case Pruned(reason=reason, value=value):
            return Ending(state="pruned", reason=reason, value=value)
        case Retry(reason=reason, fault=fault, traceback=trace):
            return Ending(state="retried", reason=reason, traceback=trace, retry=fault)
        case Failed(reason=reason, traceback=trace):
            return Ending(state="failed", reason=reason, traceback=trace)
        case Lost():
            return None


def _adopt(context: HostContext, study: Study, job: Job, done: Completed) -> bool:
    """Give the result to the retry that has taken the trial's place; False when another host has it already."""
    holder = Holder(host=context.settings.host, device=job.worker.slot.device)
    retry = claim_retry_of(study, job.claim.number, holder)
    if retry is None:
        return False
    try:
        TrialReporter(context.store, context.opened, retry).catch_up(done.result.epochs, final=True)
    except UpdateFinishedTrialError:
        return False
    return _settled(context, study, retry, job.out, done)


def _clean_up(context: HostContext, study: Study, job: Job, outcome: Outcome) -> None:
    """Remove what a trial that has ended for good no longer needs, and weights beyond the best ones."""
    if isinstance(outcome, Completed):
        drop_surplus_weights(context)
    if isinstance(outcome, Completed | Failed) or (isinstance(outcome, Pruned) and outcome.value is not None):
        trials, seconds = study.get_trials(deepcopy=False), context.state.shutdown.upload_seconds(FLUSH_S)
        retire(job.checkpoint, trials[job.claim.number], trials, context.settings.stem, seconds)


def _count_failures(context: HostContext, outcome: Outcome) -> None:
    """Give up when attempts only fail by themselves, since the next would too. Raises TrainingFailed then."""
    match outcome:
        case Completed() | Pruned():
            context.failures = 0
        case Retry(fault="own", reason=reason) | Failed(own=True, reason=reason):
            context.failures += 1
            if context.failures >= MOST_FAILURES:
                words = f"{MOST_FAILURES} trainings in a row failed, the last one with: {reason}"
                raise TrainingFailed(words)


def _finished(context: HostContext, study: Study) -> bool:
    return count(study.get_trials(deepcopy=False)).finished >= context.settings.target
