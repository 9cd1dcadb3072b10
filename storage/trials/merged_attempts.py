"""A study in which each trial stands once, however many attempts it has had, as a pruner must see it.

An attempt that was cut off stays in the study as a failed trial with the rungs that it had reached, and the retry
reaches them again: to Optuna's pruners these are two competitors. Here the retry has the number of the first attempt,
and the attempts before only lend it the rungs that it has not reported yet.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Iterable
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from storage.trials.retries import first_attempt

_RUNG = "completed_rung_"  # how successive halving names what it notes at a trial


def merged_attempts(study: Study, asking: FrozenTrial) -> Study:
    """The study with the last attempt of each trial only. asking: the trial that is judged."""
    view = copy.copy(study)
    view._storage = _MergedAttempts(study._storage, first_attempt(asking))  # type: ignore[assignment]
    return view


def _merged(trials: Iterable[FrozenTrial], asking: int) -> list[FrozenTrial]:
    """The last attempt of each trial. The trial that asks brings no earlier rungs, it is about to report them."""
    attempts: dict[int, list[FrozenTrial]] = {}
    for trial in trials:
        attempts.setdefault(first_attempt(trial), []).append(trial)
    return [as_first_attempt(own[-1], () if first == asking else own[:-1]) for first, own in attempts.items()]


def as_first_attempt(trial: FrozenTrial, earlier: Iterable[FrozenTrial] = ()) -> FrozenTrial:
    """The trial under the number of its first attempt, with the rungs of these earlier ones."""
    first = first_attempt(trial)
    if first == trial.number:
        return trial
    seen = copy.copy(trial)
    seen.number = first
    rungs = {key: value for other in earlier for key, value in other.system_attrs.items() if key.startswith(_RUNG)}
    seen._system_attrs = rungs | dict(trial.system_attrs)
    return seen


class _MergedAttempts:
    """The study's storage, with one trial for all attempts of each."""

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
