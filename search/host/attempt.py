"""One trial from its recipe to its value: train in a child, report at the rungs, prune, keep what came out."""

from __future__ import annotations

import math
import os
import signal
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from search.errors import Interrupted, TakenOver, TrainingFailed, TransientFailure
from search.host.checkpoints import Checkpoint
from search.host.reporter import TrialReporter
from search.host.results import attach_pictures
from search.host.state import INTERRUPTED, HostState
from search.host.uploads import Outbox
from search.studies.constraints import constraint_values, gpu_of, pixel_bytes_of, refusal
from search.studies.samplers import trial_seed
from search.studies.study import OpenStudy
from search.training.epoch import EpochRecord
from search.worker.job_files import WEIGHTS
from search.worker.process import ChildDied, WorkerProcess
from search.worker.protocol import (
    Checkpointing,
    EpochEnd,
    Failed,
    Finished,
    Message,
    Note,
    Resumed,
    Samples,
    Saved,
    Stopped,
    Train,
)
from spaces import Recipe, dump_recipe
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import drop_weights, finish_run, kept_weights, start_run
from storage.trials.retries import claim_copy, may_return, origin, promise, retried

TRACE = 4000  # characters of a traceback that a trial keeps
CHECKPOINT_S = 10.0  # between two checkpoints on this host, at least; an epoch, where that is longer
FLUSH_S = 60.0  # for the last upload of a training that is held; a host that leaves has less


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training came to, before anybody was told. epochs: all of them; best: the number of the best."""

    recipe: Recipe
    epochs: tuple[EpochRecord, ...]
    best: int


@dataclass(kw_only=True)
class Objective:
    """Optuna's objective for one trial, and what the slot must know of it afterwards.

    link: the child that trains it, one of `sharing` on its GPU. out: an empty directory for what the child leaves.
    checkpoint_of: the checkpoint of the trial of that origin. worker: identity of the host.
    started: called once the trial is there. release: called as soon as the child is free, before pictures are drawn.
    trial: the trial. run: its run, 0 before there is one. result: set once the training has ended well.
    raised: what was raised, None before. checkpoint: the trial's, None before there is one.
    """

    store: Store
    opened: OpenStudy
    link: WorkerProcess
    sharing: int
    board: HostState
    worker: str
    outbox: Outbox
    out: Path
    checkpoint_of: Callable[[int], Checkpoint]
    started: Callable[[], None]
    release: Callable[[], None]
    trial: FrozenTrial | None = field(default=None, init=False)
    run: int = field(default=0, init=False)
    result: Result | None = field(default=None, init=False)
    raised: BaseException | None = field(default=None, init=False)
    checkpoint: Checkpoint | None = field(default=None, init=False)

    def __call__(self, trial: Trial) -> float:
        """Train the trial and return the objective of its best epoch.

        Raises TrialPruned, Interrupted, TakenOver, or TrainingFailed with the reason.
        """
        try:
            return self._attempt(trial)
        except BaseException as error:
            self.raised = error
            raise

    def hand_over(self, study: Study) -> bool:
        """Tell the result to the copy that has taken the trial's place; False without one, or when somebody has it."""
        if self.result is None or self.trial is None:
            return False
        copy = claim_copy(study, self.trial.number)
        if copy is None:
            return False
        self.run = self._start_run(copy.number)
        ledger = TrialReporter(self.store, self.opened, copy, self.run)
        ledger.catch_up(self.result.epochs, final=True)
        study.tell(copy, self._finish(ledger, self.result))
        return True

    def _attempt(self, trial: Trial) -> float:
        self.trial = trial.storage.get_trial(trial._trial_id)
        self.started()
        try:
            self.run = self._start_run(trial.number)
            return self._run(trial, TrialReporter(self.store, self.opened, trial, self.run))
        except optuna.TrialPruned as pruned:
            self._note(trial, "pruned", str(pruned))
            raise
        except UpdateFinishedTrialError as error:
            raise TakenOver(f"trial {trial.number} was taken back while this host was silent") from error
        except TakenOver:
            raise
        except Exception as error:
            self._fail(trial, error)
            raise

    def _start_run(self, number: int) -> int:
        study, device = self.opened.config.study, self.link.place.device
        return start_run(self.store, study=study, trial=number, worker=self.worker, device=device)

    def _fail(self, trial: Trial, error: Exception) -> None:
        """Say why the trial fails, and whether it comes back."""
        final = not own_fault(error) and not isinstance(error, Interrupted)
        detail = getattr(error, "detail", "") if isinstance(error, TrainingFailed) else traceback.format_exc()
        assert self.trial is not None
        # Were the promise the second, a host that dies in between would leave a trial that is failed for good.
        if not final and may_return(self.trial, own_fault=own_fault(error)):
            promise(trial, own_fault=own_fault(error))
        if detail:
            trial.set_user_attr("traceback", detail[-TRACE:])
        self._note(trial, "failed", _sentence(error))

    def _note(self, trial: Trial, state: str, reason: str) -> None:
        finish_run(self.store, self.run, state=state, reason=reason)
        trial.set_user_attr("reason", reason)

    def _run(self, trial: Trial, ledger: TrialReporter) -> float:
        try:
            recipe = self._recipe(trial)
            self._refuse_excess(trial, recipe)
            best = self._train(trial, recipe, ledger)
        finally:
            self.board.clear(self.link.place.name)
            self.release()
        self.result = Result(recipe=recipe, epochs=tuple(ledger.epochs), best=best)
        return self._finish(ledger, self.result)

    def _recipe(self, trial: Trial) -> Recipe:
        assert self.trial is not None
        return self.opened.space.suggest(trial, seed=trial_seed(self.opened.config.seed, origin(self.trial)))

    def _refuse_excess(self, trial: Trial, recipe: Recipe) -> None:
        """Note how far the recipe lies below or above the study's limits. Raises TrialPruned for one above."""
        config, gpu = self.opened.config, gpu_of(self.link.place, self.sharing)
        over = constraint_values(
            recipe,
            self.opened.space.facts,
            config,
            gpu.gb if gpu is not None else None,
            pixel_bytes=pixel_bytes_of(self.opened.dataset.images),
            bfloat16=gpu is None or gpu.bfloat16,
        )
        for name, value in over.items():
            trial.set_constraint(name, value)
        reason = refusal(over, config, gpu.gb if gpu is not None else None)
        if reason:
            raise optuna.TrialPruned(reason)

    def _train(self, trial: Trial, recipe: Recipe, ledger: TrialReporter) -> int:
        """Train to the end, and return the number of the best epoch."""
        assert self.trial is not None
        self.checkpoint = self.checkpoint_of(origin(self.trial))
        again = bool(retried(self.trial)) and self.checkpoint.fetch()
        job = self._job(recipe, self.checkpoint.path, again)
        self.board.killers[trial.number] = lambda: kill_child(self.link)
        try:
            with closing(self.link.train(job, silence=self.board.silence)) as messages:
                for message in messages:
                    if trial.number in self.board.lost:
                        raise TakenOver(f"trial {trial.number} was taken back while this host was silent")
                    if isinstance(message, Finished):
                        return message.best
                    self._hear(trial, message, ledger, recipe)
                    if ledger.verdict or self.board.held:
                        self.link.stop(job.job)
        except ChildDied as error:
            if trial.number in self.board.lost:
                raise TakenOver(f"trial {trial.number} was taken back while this host was silent") from error
            if not self.board.stop.is_set():
                raise
            self._interrupt(INTERRUPTED)  # the host has no more time for it
        finally:
            self.board.killers.pop(trial.number, None)
        raise ChildDied(f"{self.link.place.name}: the child closed no job")

    def _hear(self, trial: Trial, message: Message, ledger: TrialReporter, recipe: Recipe) -> None:
        if isinstance(message, EpochEnd):
            ledger.add(message.record)
            self.board.took(message.record.seconds)
            self._show(trial, ledger, recipe)
        elif isinstance(message, Resumed):
            trial.set_user_attr("resumed_from_epoch", message.epoch)
            ledger.catch_up(message.history)
            self._show(trial, ledger, recipe)
        elif isinstance(message, Saved) and self.checkpoint is not None:
            self.checkpoint.saved()
        elif isinstance(message, Note):
            self.board.say(f"trial {trial.number}: {message.text}")
        elif isinstance(message, Stopped | Failed):
            self._closed(message, ledger)

    def _show(self, trial: Trial, ledger: TrialReporter, recipe: Recipe) -> None:
        latest = ledger.epochs[-1]
        epochs = recipe.optimisation.epochs
        self.board.show(self.link.place.name, trial.number, latest.number, epochs, ledger.value(latest))

    def _closed(self, message: Stopped | Failed, ledger: TrialReporter) -> None:
        """Turn the end of a job without a result into the exception that says why."""
        if isinstance(message, Failed):
            if message.kind == "diverged":
                raise TrainingFailed(message.reason)
            raise TransientFailure(message.reason, message.detail)
        if ledger.verdict:
            ledger.describe(ledger.best())
            raise optuna.TrialPruned(ledger.verdict)
        self._interrupt(self.board.held or INTERRUPTED)

    def _interrupt(self, why: str) -> None:
        """Upload the newest checkpoint, for whoever goes on, and give the trial up."""
        if self.checkpoint is not None:
            self.checkpoint.flush(self.board.upload_time(FLUSH_S))
        raise Interrupted(why)

    def _job(self, recipe: Recipe, checkpoint: Path, again: bool) -> Train:
        return Train(
            job=self.link.next_job(),
            recipe=dump_recipe(recipe),
            samples=Samples(
                path=str(self.opened.data),
                train=self.opened.train,
                validation=self.opened.validation,
                panel=self.opened.panel,
            ),
            out=str(self.out),
            device=self.link.place.device,
            objective="miou_strict" if self.opened.config.objective == "miou_strict" else "miou",
            checkpoint=Checkpointing(
                path=str(checkpoint), resume=str(checkpoint) if again else "", seconds=CHECKPOINT_S
            ),
        )

    def _finish(self, ledger: TrialReporter, result: Result) -> float:
        """Keep what the training came to; its value. All of that comes before the trial is told."""
        best = next(epoch for epoch in result.epochs if epoch.number == result.best)
        value = ledger.value(best)
        if math.isnan(value):
            raise TrainingFailed(
                "the validation score is undefined: no class that counts occurs in the validation part"
            )
        ledger.describe(best)
        try:
            attach_pictures(self.outbox, ledger.trial, self.opened, result.recipe, result.epochs, best, self.out)
        except ArtifactError as error:
            self.board.say(f"trial {ledger.trial.number} has no pictures: {error}")
        self._keep_weights(ledger, best, value)
        with suppress(ArtifactError), self.board.weights:
            for surplus in kept_weights(self.store, self.opened.config.study)[self.opened.config.keep :]:
                drop_weights(self.store, surplus.run)
        return value

    def _keep_weights(self, ledger: TrialReporter, best: EpochRecord, value: float) -> None:
        """Store the weights if the trial is among the best K so far, and note at the run where they are."""
        number, run = ledger.trial.number, ledger.run
        with self.board.weights:
            kept = kept_weights(self.store, self.opened.config.study)
        better = [other for other in kept if other.value is not None and other.value >= value]
        artifact = f"weights-{self.opened.config.space_digest[:8]}-{number}-{run}.safetensors"
        sent = False
        if len(better) < self.opened.config.keep:
            try:
                sent = self.outbox.send_weights(artifact, self.out / WEIGHTS, run, self.opened.config.study)
            except ArtifactError as error:
                self.board.say(f"trial {number} is done, but its weights are lost: {error}")
        kept_as = artifact if sent else ""
        finish_run(self.store, run, state="complete", parameters=best.parameters, weights_artifact=kept_as, value=value)


def kill_child(link: WorkerProcess) -> None:
    """End the link's child at once, if there is one; any thread may."""
    pid = link.pid
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def own_fault(error: BaseException) -> bool:
    """Whether a training failed by itself, in a way that need not come again: a crash, a hang, want of memory."""
    return isinstance(error, ChildDied | TransientFailure) or not isinstance(error, TrainingFailed | optuna.TrialPruned)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, TrainingFailed) else f"{type(error).__name__}: {text[:500]}"
