"""One attempt: from a claimed trial to an outcome, through a worker process that trains it."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial

from search.host.checkpoints import Checkpoint
from search.host.context import HostContext
from search.host.reporter import TrialReporter, describe
from search.host.state import INTERRUPTED, Training
from search.studies.limits import constraint_values, needed_gb, refusal
from search.studies.pruners import moments
from search.studies.study import StudyDefinition, trial_seed
from search.training.epoch import EpochRecord
from search.worker import protocol
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import Message
from spaces import Recipe, dump_recipe
from storage.errors import StorageError
from storage.studies.attempts import Ending, State
from storage.trials.queries import best_of, same_recipe
from storage.trials.retries import earlier_attempts, first_attempt, may_retry

TRACE = 4000  # characters of a traceback that a trial keeps
FLUSH_S = 60.0  # for the last upload of a training that is held; a host that leaves has less
AHEAD_S = 1.0  # before a training ends the next trial is claimed: claiming and sampling take 0.1 to 0.4 s (measured)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Completed:
    """Trained to its end.

    epochs: all of them, in order. best: the number of the one that counts. value: the study's objective at that one.
    """

    recipe: Recipe
    epochs: tuple[EpochRecord, ...]
    best: int
    value: float

    @property
    def best_epoch(self) -> EpochRecord:
        """The epoch whose weights are kept."""
        return self.epochs[self.best - 1]


@dataclass(frozen=True, kw_only=True)
class Pruned(Ending):
    """Ended before its time, by the pruner or, without a value, by a limit of the study."""

    state: State = "pruned"


@dataclass(frozen=True, kw_only=True)
class Retry(Ending):
    """Broken off, and to be tried again."""

    state: State = "retried"


@dataclass(frozen=True, kw_only=True)
class Failed(Ending):
    """Failed for good."""

    state: State = "failed"


class Lost:
    """The trial was reclaimed by another host while this one was silent."""


Outcome = Completed | Pruned | Retry | Failed | Lost


@dataclass(frozen=True)
class Job:
    """What one attempt has to itself.

    frozen: the trial as it was when it was claimed; its parameters may not be sampled yet. out: an empty folder for
    what the worker leaves. nearly_over: to be called, once or more, when another trial is to be made ready for the
    worker.
    """

    trial: Trial
    frozen: FrozenTrial
    worker: WorkerProcess
    training: Training
    checkpoint: Checkpoint
    out: Path
    nearly_over: Callable[[], None]

    def broken(self, reason: str, fault: Literal["own", "host", "place"], trace: str = "") -> Retry | Failed:
        """The outcome of an attempt that broke off: a retry, as long as the trial has one left."""
        outcome = Retry if may_retry(self.frozen, own_fault=fault == "own") else Failed
        return outcome(reason=reason, fault=fault, traceback=trace[-TRACE:])


def run_attempt(context: HostContext, job: Job) -> Outcome:
    """Sample the trial's recipe and train it. Raises only when the database has failed for good."""
    try:
        seed = trial_seed(context.opened.config.seed, first_attempt(job.frozen))
        with context.claiming:  # one after the other: each samples with what the others try already
            recipe = context.opened.space.suggest(job.trial, seed=seed)
        if reason := _repeated(job):
            return Pruned(reason=reason)
        over = _over_the_limits(context, job, recipe)
        gpu, config = job.worker.slot.gpu, context.opened.config
        if reason := refusal(over, config, gpu):
            return Pruned(reason=reason)
        return _train(context, job, recipe, needed_gb(over, config, gpu))
    except UpdateFinishedTrialError:
        return Lost()
    except (StorageError, StorageInternalError):
        raise
    except Exception as error:
        sentence = " ".join(str(error).split())[:500] or "no message"
        return job.broken(f"{type(error).__name__}: {sentence}", "own", traceback.format_exc())


def _repeated(job: Job) -> str:
    """Why the recipe is not trained: another trial has it, and the better of two seeds would pass for a better one."""
    twin = same_recipe(job.trial.study.get_trials(deepcopy=False), job.trial.params, before=first_attempt(job.frozen))
    return f"not trained: trial {twin.number} has the same recipe" if twin is not None else ""


def _over_the_limits(context: HostContext, job: Job, recipe: Recipe) -> Mapping[str, float]:
    """Note, and return, how far the recipe lies below or above the study's limits."""
    over = constraint_values(context.opened, recipe, job.worker.slot.gpu)
    for name, value in over.items():
        job.trial.set_constraint(name, value)
    return over


def _train(context: HostContext, job: Job, recipe: Recipe, gb: float) -> Outcome:
    """Wait for the worker, and for so many GiB of its GPU, then train as long as nothing ends it."""
    order = _order(context, job, recipe)
    with job.worker.serving, context.room(job.worker, job.training, gb):
        if job.training.lost:
            return Lost()
        if context.state.held:
            return _interrupted(context, job)
        job.training.progress()
        return _follow(context, job, replace(order, job=job.worker.next_job()), recipe)


def _follow(context: HostContext, job: Job, order: protocol.Train, recipe: Recipe) -> Outcome:
    """Train to the end, or until the pruner, a command, the host or the worker itself ends it."""
    worker, state = job.worker, context.state
    reporter = TrialReporter(context.store, context.opened, job.trial, recipe.optimisation.kept)
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
                if reporter.verdict or reporter.seconds_left(recipe.optimisation.epochs) < AHEAD_S:
                    job.nearly_over()
    except WorkerDied as error:
        if job.training.lost:
            return Lost()
        if state.shutdown.begun:  # which has no more time for it
            return _interrupted(context, job)
        return job.broken(str(error), "own")
    finally:
        job.training.kill = None
    return job.broken(f"{worker.slot.name}: the worker closed no job", "own")


def _hear(context: HostContext, job: Job, message: Message, reporter: TrialReporter, recipe: Recipe) -> Outcome | None:
    """Act on one message of the worker; the outcome, once one closes the job."""
    job.training.progress()
    match message:
        case protocol.EpochEnd(record=record):
            reporter.add(record)
            context.state.epoch_took(record.seconds)
            if context.sharing is not None:
                context.sharing.ended(job.worker, job.trial.number, record)
        case protocol.Resumed():
            job.trial.set_user_attr("resumed_from_epoch", message.epoch)
            reporter.catch_up(message.history)
        case protocol.Saved():
            job.checkpoint.saved()
        case protocol.Note():
            _logger.info("trial %d: %s", job.trial.number, message.text)
        case protocol.Finished():
            return _completed(context.opened, recipe, reporter, message.best)
        case protocol.Failed(kind="diverged"):
            return Failed(reason=message.reason)
        case protocol.Failed():
            return job.broken(message.reason, "place" if message.kind == "room" else "own", message.detail)
        case protocol.Stopped() if reporter.verdict:
            describe(job.trial, context.opened, reporter.epochs, reporter.counted())
            return Pruned(reason=reporter.verdict, value=reporter.reported)
        case protocol.Stopped():
            return _interrupted(context, job)
    if isinstance(message, protocol.EpochEnd | protocol.Resumed):
        job.training.latest, job.training.epochs = reporter.epochs[-1], recipe.optimisation.epochs
    return None


def _completed(study: StudyDefinition, recipe: Recipe, reporter: TrialReporter, best: int) -> Completed | Failed:
    value = study.value(reporter.epochs[best - 1])
    if math.isnan(value):
        reason = "the validation score is undefined: no class that counts occurs in the validation part"
        return Failed(reason=reason)
    return Completed(recipe=recipe, epochs=tuple(reporter.epochs), best=best, value=value)


def _interrupted(context: HostContext, job: Job) -> Retry | Failed:
    """Upload the newest checkpoint, for the host that goes on, and give the trial up."""
    job.checkpoint.flush(context.state.shutdown.upload_seconds(FLUSH_S))
    return job.broken(context.state.held or INTERRUPTED, "host")


def _order(context: HostContext, job: Job, recipe: Recipe) -> protocol.Train:
    opened, path = context.opened, str(job.checkpoint.path)
    again = bool(earlier_attempts(job.frozen)) and job.checkpoint.fetch()
    best, kept = best_of(job.trial.study.get_trials(deepcopy=False)), moments(opened.config, recipe.optimisation.epochs)
    return protocol.Train(
        job=0,  # numbered when the worker is there for it
        recipe=dump_recipe(recipe),
        samples=replace(opened.samples, moments=kept, beat=-1.0 if best is None else best.values[0]),
        out=str(job.out),
        device=job.worker.slot.device,
        share=job.worker.slot.share,
        objective="miou_strict" if opened.config.objective == "miou_strict" else "miou",
        checkpoint=protocol.Checkpointing(path=path, resume=path if again else "", seconds=context.timing.checkpoint),
    )
