"""One trial from its recipe to its value: train in a child, report at the rungs, prune, keep what came out."""

from __future__ import annotations

import math
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import Trial

from search.errors import TrainingFailed
from search.service.link import ChildDied, Link
from search.service.messages import Failed, Finished, Message, Stopped, Train, Trained
from search.service.pictures import attach_pictures
from search.service.record import WEIGHTS
from search.service.strategy import rungs, trial_seed
from search.service.study import OpenStudy
from spaces import Recipe, dump_recipe
from storage.artifacts import save_file
from storage.runs import EpochRow, add_epoch, drop_weights, finish_run, kept_weights, start_run
from storage.store import Store

INTERRUPTED = "the host was stopped during the training"


class Interrupted(TrainingFailed):
    """The host is leaving; the trial goes back to the queue."""


@dataclass
class Board:
    """What the slots are doing right now, for the progress display; written by slots, read by the host."""

    stop: threading.Event = field(default_factory=threading.Event)
    running: dict[str, tuple[int, int, int, float]] = field(default_factory=dict)
    weights: threading.Lock = field(default_factory=threading.Lock)

    def show(self, slot: str, trial: int, epoch: int, epochs: int, value: float) -> None:
        """Say that the slot's trial has finished this epoch."""
        self.running[slot] = (trial, epoch, epochs, value)

    def clear(self, slot: str) -> None:
        """Say that the slot trains nothing."""
        self.running.pop(slot, None)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Optuna's objective for one trial.

    link: the child that trains it. release: called as soon as the child is free, before pictures are drawn.
    started: called once the trial is there. worker: identity of the host.
    """

    store: Store
    opened: OpenStudy
    link: Link
    board: Board
    worker: str
    started: Callable[[], None]
    release: Callable[[], None]

    def __call__(self, trial: Trial) -> float:
        """Train the trial and return the objective of its best epoch.

        Raises TrialPruned, Interrupted, or TrainingFailed with the reason.
        """
        self.started()
        recipe = self.opened.space.suggest(trial, seed=trial_seed(self.opened.plan.seed, trial.number))
        run = start_run(
            self.store,
            study=self.opened.plan.study,
            trial=trial.number,
            worker=self.worker,
            device=self.link.place.device,
        )
        with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
            try:
                return self._run(trial, recipe, run, Path(folder))
            except optuna.TrialPruned as pruned:
                finish_run(self.store, run, state="pruned", reason=str(pruned))
                trial.set_user_attr("reason", str(pruned))
                raise
            except TrainingFailed as error:
                finish_run(self.store, run, state="failed", reason=str(error))
                trial.set_user_attr("reason", str(error))
                raise

    def _run(self, trial: Trial, recipe: Recipe, run: int, out: Path) -> float:
        try:
            epochs, finished = self._train(trial, recipe, run, out)
        finally:
            self.board.clear(self.link.place.name)
            self.release()
        best = next(epoch for epoch in epochs if epoch.number == finished.best)
        value = self._value(best)
        if math.isnan(value):
            raise TrainingFailed(
                "the validation score is undefined: no class that counts occurs in the validation part"
            )
        self._describe(trial, best, epochs)
        attach_pictures(self.store, trial, self.opened, recipe, epochs, best, out)
        kept = self._keep_weights(run, trial.number, value, out / WEIGHTS)
        finish_run(self.store, run, state="complete", parameters=best.parameters, weights_artifact=kept, value=value)
        self._drop_surplus()
        return value

    def _train(self, trial: Trial, recipe: Recipe, run: int, out: Path) -> tuple[list[Trained], Finished]:
        job = self._job(recipe, out)
        epochs: list[Trained] = []
        pruned = ""
        for message in self.link.train(job):
            if isinstance(message, Trained):
                epochs.append(message)
                self._note(trial, run, message, recipe)
                # Reported after the verdict, too: the child may finish before the stop reaches it, and that counts.
                if self._hopeless(trial, epochs) and not pruned:
                    pruned = f"pruned at epoch {message.number}: {self._best(epochs):.4f} at its rung"
                if pruned or self.board.stop.is_set():
                    self.link.stop(job.job)
            elif isinstance(message, Finished):
                return epochs, message
            else:
                if pruned:
                    self._describe(trial, max(epochs, key=self._known_value), epochs)
                self._closed(message, pruned)
        raise ChildDied(f"{self.link.place.name}: the child closed no job")

    def _closed(self, message: Message, pruned: str) -> None:
        """Turn the end of a job without a result into the exception that says why."""
        if isinstance(message, Stopped):
            if pruned:
                raise optuna.TrialPruned(pruned)
            raise Interrupted(INTERRUPTED)
        if isinstance(message, Failed):
            raise TrainingFailed(message.reason)

    def _job(self, recipe: Recipe, out: Path) -> Train:
        return Train(
            job=self.link.next_job(),
            recipe=dump_recipe(recipe),
            data=str(self.opened.data),
            train=self.opened.train,
            validation=self.opened.validation,
            panel=self.opened.panel,
            out=str(out),
            device=self.link.place.device,
            objective="miou_strict" if self.opened.plan.objective == "miou_strict" else "miou",
        )

    def _note(self, trial: Trial, run: int, epoch: Trained, recipe: Recipe) -> None:
        self.board.show(
            self.link.place.name, trial.number, epoch.number, recipe.optimisation.epochs, self._value(epoch)
        )
        add_epoch(
            self.store,
            run,
            EpochRow(
                number=epoch.number,
                train_loss=epoch.train_loss,
                validation_loss=epoch.validation_loss,
                miou=epoch.miou,
                miou_strict=epoch.miou_strict,
                iou=tuple(math.nan if value is None else value for value in epoch.iou),
                lr=epoch.lr,
                seconds=epoch.seconds,
                memory_mb=epoch.memory_mb,
            ),
        )

    def _hopeless(self, trial: Trial, epochs: list[Trained]) -> bool:
        """Report at a rung, and ask the pruner. The best epoch so far counts: single epochs swing by 0.3 (measured)."""
        latest = epochs[-1]
        if latest.number not in rungs(self.opened.plan) and not latest.last:
            return False
        trial.report(self._best(epochs), latest.number)
        return not latest.last and trial.should_prune()

    def _best(self, epochs: list[Trained]) -> float:
        return max(0.0, self._known_value(max(epochs, key=self._known_value)))

    def _known_value(self, epoch: Trained) -> float:
        value = self._value(epoch)
        return -1.0 if math.isnan(value) else value

    def _value(self, epoch: Trained) -> float:
        return epoch.miou_strict if self.opened.plan.objective == "miou_strict" else epoch.miou

    def _describe(self, trial: Trial, best: Trained, epochs: list[Trained]) -> None:
        names = self.opened.space.facts.class_names
        numbers = {
            "miou": best.miou,
            "miou_strict": best.miou_strict,
            "accuracy": best.accuracy,
            **{f"iou_{name}": value for name, value in zip(names, best.iou, strict=True) if value is not None},
            "best_epoch": best.number,
            "epochs": len(epochs),
            "parameters": best.parameters,
            "training_seconds": round(sum(epoch.seconds for epoch in epochs), 3),
        }
        for name, value in numbers.items():
            if not math.isnan(value):
                trial.set_user_attr(name, value)

    def _keep_weights(self, run: int, number: int, value: float, weights: Path) -> str:
        """Store the weights if the trial is among the best K so far; returns their artifact, or ""."""
        with self.board.weights:
            kept = kept_weights(self.store, self.opened.plan.study)
        better = [other for other in kept if other.value is not None and other.value >= value]
        if len(better) >= self.opened.plan.keep:
            return ""
        artifact = f"weights-{self.opened.plan.space_digest[:8]}-{number}-{run}.safetensors"
        save_file(self.store.artifacts, artifact, weights)
        return artifact

    def _drop_surplus(self) -> None:
        with self.board.weights:
            for surplus in kept_weights(self.store, self.opened.plan.study)[self.opened.plan.keep :]:
                drop_weights(self.store, surplus.run)
