"""Handing a trial back: a waiting copy that the next free worker takes up."""

from __future__ import annotations

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

MOST_RETRIES = 3  # times that the same trial may lose its host before it counts as failed


def requeue(study: Study, trial: FrozenTrial) -> bool:
    """Enqueue a waiting copy of a trial that lost its host; False when it has been tried too often.

    The copy keeps the parameters, but neither curve nor rungs: it starts again at the first epoch, and a pruner that
    still saw the old rungs would skip them (Optuna's own retry callback copies them).
    """
    history = [*retried(trial), trial.number]
    if len(history) > MOST_RETRIES:
        return False
    study.add_trial(
        optuna.create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            system_attrs={"failed_trial": history[0], "retry_history": history}
            | {name: value for name, value in trial.system_attrs.items() if name == "fixed_params"},
        )
    )
    return True


def retried(trial: FrozenTrial) -> list[int]:
    """The numbers of the failed trials that this one takes the place of, oldest first."""
    return list(trial.system_attrs.get("retry_history", []))
