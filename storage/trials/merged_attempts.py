"""A study in which each trial stands once, however many attempts it has had, as a pruner must see it.

An attempt that was cut off stays in the study as a failed trial with the rungs that it had reached, and the retry
reaches them again: to Optuna's pruners these are two competitors. Here the retry has the number of the first attempt,
and the attempts before only lend it the rungs that it has not reported yet.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Container, Iterable
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from storage.trials.retries import first_attempt

_RUNG = "completed_rung_"  # how successive halving names what it notes at a trial


Chosen = Callable[[list[FrozenTrial]], list[FrozenTrial]]


def merged_attempts(study: Study, asking: FrozenTrial) -> Study:
    """The study with the last attempt of each trial only. asking: the trial that is judged."""
    return with_trials(study, lambda trials: _merged(trials, first_attempt(asking)))


def with_trials(study: Study, chosen: Chosen) -> Study:
    """The study for a reader, with some of its trials; they are chosen anew whenever they are read."""
    view = Study.__new__(Study)
    view.__dict__ |= object.__getattribute__(study, "__dict__")  # a study of Hyperband's hides its own
    view._storage = _ChosenTrials(study._storage, chosen)  # type: ignore[assignment]
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


class _ChosenTrials:
    """The study's storage with the trials that are chosen."""

    def __init__(self, storage: Any, chosen: Chosen) -> None:
        self._storage = storage
        self._chosen = chosen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """As Optuna's; `deepcopy` is not needed, since readers only look."""
        found = self._chosen(self._storage.get_all_trials(study_id, deepcopy=False))
        return [trial for trial in found if states is None or trial.state in states]
