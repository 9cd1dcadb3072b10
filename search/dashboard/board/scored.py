"""The complete trials with their scores per class, as charts need them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from storage.trials.queries import feasible


@dataclass(frozen=True, kw_only=True)
class ScoredTrial:
    """A complete trial.

    value: the study's objective. iou: per class in label order, None where undefined. best: the best one when it ended.
    """

    number: int
    value: float
    iou: tuple[float | None, ...]
    best: bool


def scored(trials: Sequence[FrozenTrial], classes: Sequence[str]) -> tuple[ScoredTrial, ...]:
    """The complete, feasible trials in order of their numbers, with the marks of those that were the best by then."""
    found, highest, names = [], -1.0, [f"iou_{name}" for name in classes]
    for trial in trials:
        if trial.state is TrialState.COMPLETE and trial.values and feasible(trial):
            value = trial.values[0]
            found.append(ScoredTrial(number=trial.number, value=value, iou=_iou(trial, names), best=value > highest))
            highest = max(highest, value)
    return tuple(found)


def iou_of(trial: FrozenTrial, classes: Sequence[str]) -> tuple[float | None, ...]:
    """The trial's IoU per class in label order, None where undefined."""
    return _iou(trial, [f"iou_{name}" for name in classes])


def _iou(trial: FrozenTrial, names: Sequence[str]) -> tuple[float | None, ...]:
    known = map(trial.user_attrs.get, names)
    return tuple(float(value) if isinstance(value, int | float) else None for value in known)
