"""A pruner that sees each trial once, however often it was cut off and taken up again.

A trial that was lost stays in the study as a failed one with the rungs it had reached, and its copy reaches them again:
to Optuna's pruners these are two competitors. Here the copy has its origin's number, and its earlier lives only lend it
the rungs that it has not reported yet.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable
from typing import Any

from optuna.pruners import BasePruner
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from storage.trials.retries import first_attempt

_RUNG = "completed_rung_"  # how successive halving names what it notes at a trial


class RetryAwarePruner(BasePruner):
    """A pruner's verdict on a trial as if none had ever been cut off."""

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:  # noqa: D102
        view = copy.copy(study)
        view._storage = _Lives(study._storage, first_attempt(trial))  # type: ignore[assignment]
        return self._pruner.prune(view, _as_origin(trial))


class _Lives:
    """The study's storage, with one trial for all lives of each."""

    def __init__(self, storage: Any, asking: int) -> None:
        self._storage = storage
        self._asking = asking

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As Optuna's; `deepcopy` is not needed, since pruners only look."""
        merged = _merged(self._storage.get_all_trials(study_id, deepcopy=False), self._asking)
        return [trial for trial in merged if states is None or trial.state in states]


def _merged(trials: Iterable[FrozenTrial], asking: int) -> list[FrozenTrial]:
    """One trial for all of its attempts. The one that asks brings no rungs from before, it is about to report."""
    lives: dict[int, list[FrozenTrial]] = {}
    for trial in trials:
        lives.setdefault(first_attempt(trial), []).append(trial)
    return [_as_origin(own[-1], () if first == asking else own[:-1]) for first, own in lives.items()]


def _as_origin(trial: FrozenTrial, earlier: Iterable[FrozenTrial] = ()) -> FrozenTrial:
    first = first_attempt(trial)
    if first == trial.number:
        return trial
    seen = copy.copy(trial)
    seen.number = first
    rungs = {key: value for life in earlier for key, value in life.system_attrs.items() if key.startswith(_RUNG)}
    seen._system_attrs = rungs | dict(trial.system_attrs)
    return seen
