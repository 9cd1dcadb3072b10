"""One attempt: from a claimed trial to an outcome, through a worker process that trains it."""

from __future__ import annotations

import logging
import traceback
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial

from search.host.checkpoints import Checkpoint
from search.host.context import HostContext
from search.host.outcomes import Completed, Failed, Lost, Outcome, Pruned, Result, Retry
from search.host.reporter import TrialReporter
from search.host.state import INTERRUPTED, Training
from search.studies.limits import constraint_values, refusal
from search.studies.study import trial_seed
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import (
    Checkpointing,
    EpochEnd,
    Finished,
    Message,
    Note,
    Resumed,
    Samples,
    Saved,
    Stopped,
    Train,
)
from search.worker.protocol import Failed as TrainingError
from spaces import Recipe, dump_recipe
from storage.errors import StorageError
from storage.trials.retries import earlier_attempts, first_attempt, may_retry

TRACE = 4000  # characters of a traceback that a trial keeps
FLUSH_S = 60.0  # for the last upload of a training that is held; a host that leaves has less

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A trial that this host has claimed. frozen: as it was just then; its parameters may not be sampled yet."""

    trial: Trial
    frozen: FrozenTrial

    @property
    def number(self) -> int:
        """The trial's number."""
        return self.frozen.number

    @property
    def first(self) -> int:
        """The number of its first attempt."""
        return first_attempt(self.frozen)

    def broken(self, reason: str, fault: Literal["own", "host"], trace: str = "") -> Retry | Failed:
        """The outcome of an attempt that broke off: a retry, as long as the trial has one left."""
        if may_retry(self.frozen, own_fault=fault == "own"):
            return Retry(reason=reason, fault=fault, traceback=trace[-TRACE:])
        return Failed(reason=reason, own=True, traceback=trace[-TRACE:])


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one attempt has to itself. out: an empty folder for what the worker leaves."""

    claim: Claim
    worker: WorkerProcess
    training: Training
    checkpoint: Checkpoint
    out: Path


def run_attempt(context: HostContext, job: Job) -> Outcome:
    """Sample the trial's recipe and train it. Raises only when the database has failed for good."""
    claim = job.claim
    try:
        seed = trial_seed(context.opened.config.seed, claim.first)
        recipe = context.opened.space.suggest(claim.trial, seed=seed)
        reason = _over_the_limits(context, job, recipe)
        return Pruned(reason=reason) if reason else _train(context, job, recipe)
    except UpdateFinishedTrialError:
        return Lost()
    except (StorageError, StorageInternalError):
        raise
    except Exception as error:
        return claim.broken(f"{type(error).__name__}: {_sentence(error)}", "own", traceback.format_exc())


def _over_the_limits(context: HostContext, job: Job, recipe: Recipe) -> str:
    """Note how far the recipe lies below or above the study's limits; why it is refused, "" when it is not."""
    gpu = job.worker.slot.gpu
    over = constraint_values(context.opened, recipe, gpu)
    for name, value in over.items():
        job.claim.trial.set_constraint(name, value)
    return refusal(over, context.opened.config, gpu)


def _train(context: HostContext, job: Job, recipe: Recipe) -> Outcome:
    """Train to the end, or until the pruner, a command, the host or the worker itself ends it."""
    claim, worker, state = job.claim, job.worker, context.state
    reporter = TrialReporter(context.store, context.opened, claim.trial)
    order = _order(context, job, recipe)
    job.training.kill = worker.kill
    try:
        with closing(worker.train(order, silence=state.silence_limit)) as messages:
            for message in messages:
                if job.training.lost:
                    return Lost()
                outcome = _hear(context, job, message, reporter, recipe)
                if outcome is not None:
                    return outcome
                if reporter.verdict or state.held:
                    worker.stop(order.job)
    except WorkerDied as error:
        if job.training.lost:
            return Lost()
        if state.shutdown.begun:  # which has no more time for it
            return _interrupted(context, job)
        return claim.broken(str(error), "own")
    finally:
        job.training.kill = None
    return claim.broken(f"{worker.slot.name}: the worker closed no job", "own")


def _hear(context: HostContext, job: Job, message: Message, reporter: TrialReporter, recipe: Recipe) -> Outcome | None:
    """Act on one message of the worker; the outcome, once one closes the job."""
    claim, training = job.claim, job.training
    training.progress()
    match message:
        case EpochEnd(record=record):
            reporter.add(record)
            context.state.epoch_took(record.seconds)
            training.step(record, recipe.optimisation.epochs, reporter.value(record))
        case Resumed():
            claim.trial.set_user_attr("resumed_from_epoch", message.epoch)
            reporter.catch_up(message.history)
            latest = reporter.epochs[-1]
            training.step(latest, recipe.optimisation.epochs, reporter.value(latest))
        case Saved():
            job.checkpoint.saved()
        case Note():
            _logger.info("trial %d: %s", claim.number, message.text)
        case Finished():
            return _completed(recipe, reporter, message.best)
        case TrainingError(kind="diverged"):
            return Failed(reason=message.reason)
        case TrainingError():
            return claim.broken(message.reason, "own", message.detail)
        case Stopped() if reporter.verdict:
            reporter.describe(reporter.best())
            return Pruned(reason=reporter.verdict, value=reporter.reported)
        case Stopped():
            return _interrupted(context, job)
    return None


def _completed(recipe: Recipe, reporter: TrialReporter, best: int) -> Completed | Failed:
    result = Result(recipe=recipe, epochs=tuple(reporter.epochs), best=best)
    value = reporter.value(result.best_epoch)
    if value != value:
        reason = "the validation score is undefined: no class that counts occurs in the validation part"
        return Failed(reason=reason)
    return Completed(result=result, value=value)


def _interrupted(context: HostContext, job: Job) -> Retry | Failed:
    """Upload the newest checkpoint, for the host that goes on, and give the trial up."""
    job.checkpoint.flush(context.state.shutdown.upload_seconds(FLUSH_S))
    return job.claim.broken(context.state.held or INTERRUPTED, "host")


def _order(context: HostContext, job: Job, recipe: Recipe) -> Train:
    opened, checkpoint = context.opened, job.checkpoint
    again = bool(earlier_attempts(job.claim.frozen)) and checkpoint.fetch()
    return Train(
        job=job.worker.next_job(),
        recipe=dump_recipe(recipe),
        samples=Samples(path=str(opened.data), train=opened.train, validation=opened.validation, panel=opened.panel),
        out=str(job.out),
        device=job.worker.slot.device,
        objective="miou_strict" if opened.config.objective == "miou_strict" else "miou",
        checkpoint=Checkpointing(
            path=str(checkpoint.path),
            resume=str(checkpoint.path) if again else "",
            seconds=context.settings.timing.checkpoint,
        ),
    )


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:500] or "no message"
