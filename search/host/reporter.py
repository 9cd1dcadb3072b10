"""One training as the study hears of it: a row for every epoch, a report at every rung, and the pruner's verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from optuna.trial import Trial

from search.studies.pruners import rungs
from search.studies.study import OpenStudy
from search.training.epoch import EpochRecord, counting
from storage.database.optuna_schema import trial_id_of
from storage.store import Store
from storage.studies.epochs import add_epoch
from storage.trials.retries import earlier_attempts


class TrialReporter:
    """The epochs of one attempt.

    verdict: why the trial is hopeless, "" while it is not. reported: its last report, None before the first rung.
    Every method raises UpdateFinishedTrialError when the trial is not running any more.
    """

    def __init__(self, store: Store, opened: OpenStudy, trial: Trial, kept: str) -> None:
        """Begin before the first epoch. kept: the recipe's `optimisation.kept`, which says what epoch counts."""
        self.trial = trial
        self.epochs: list[EpochRecord] = []
        self.verdict = ""
        self.reported: float | None = None
        self._store = store
        self._opened = opened
        self._kept = kept

    def add(self, epoch: EpochRecord) -> None:
        """Write one epoch; at a rung report, and ask the pruner."""
        # Reported after the verdict, too: the worker may finish before the stop reaches it, and that counts.
        self._tell(epoch, heed=not self.verdict)

    def catch_up(self, epochs: Iterable[EpochRecord], *, final: bool = False) -> None:
        """Write and report what an earlier attempt has done.

        The pruner sees each rung again, since it keeps count by trial; its verdict counts only where the earlier
        attempts never came to hear one. final: it does not count at all, the training has ended.
        """
        passed = _reported(self.trial)
        for epoch in epochs:
            self._tell(epoch, heed=not final and epoch.number not in passed)

    def seconds_left(self, epochs: int) -> float:
        """For how long the training goes on to its last epoch of so many, by its newest one; before the first: inf."""
        if not self.epochs:
            return math.inf
        newest = self.epochs[-1]
        return 0.0 if newest.last else (epochs - newest.number) * newest.seconds

    def counted(self) -> EpochRecord:
        """The epoch whose value is the trial's so far. There must be one."""
        return self.epochs[counting(self._kept, [self._opened.value(epoch) for epoch in self.epochs])]

    def _tell(self, epoch: EpochRecord, *, heed: bool) -> None:
        """Write the epoch and, at a rung, report the one that counts: single epochs swing by 0.3 (measured)."""
        self.epochs.append(epoch)
        add_epoch(self._store, trial_id_of(self.trial), epoch)
        if epoch.number not in rungs(self._opened.config) and not epoch.last:
            return
        value = self._opened.value(self.counted())
        self.reported = 0.0 if math.isnan(value) else value
        self.trial.report(self.reported, epoch.number)
        if not epoch.last and self.trial.should_prune() and heed:
            self.verdict = f"pruned at epoch {epoch.number}: {self.reported:.4f} at its rung"


def describe(trial: Trial, opened: OpenStudy, epochs: Sequence[EpochRecord], best: EpochRecord) -> None:
    """Note at the trial what people and `export` want to know of its training and the epoch that counts."""
    names = opened.space.facts.class_names
    numbers = {
        **best.summary(),
        **{f"iou_{name}": value for name, value in zip(names, best.iou, strict=True) if value is not None},
        "epochs": len(epochs),
        "training_seconds": round(sum(epoch.seconds for epoch in epochs), 3),
    }
    for name, value in numbers.items():
        if not math.isnan(value):
            trial.set_user_attr(name, value)
    trial.set_user_attr("confusion", [list(row) for row in best.confusion])


def _reported(trial: Trial) -> set[int]:
    """The epochs at which the trial's earlier attempts heard the pruner's verdict."""
    earlier = earlier_attempts(trial.storage.get_trial(trial_id_of(trial)))
    others = trial.study.get_trials(deepcopy=False) if earlier else []
    return {step for other in others if other.number in earlier for step in other.intermediate_values}
