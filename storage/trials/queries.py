"""How far a study is and which of its trials is the best: the one place that counts and ranks trials."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from storage.trials.retries import earlier_attempts
from storage.trials.trial_times import seconds_of, utc

PARAMETERS = "parameters"  # user attribute of a complete trial: how many its network has
CONSTRAINTS = "constraints"  # how Optuna's names of a trial's constraints begin
_BEGINNING = datetime.min.replace(tzinfo=UTC)  # of time, where a trial does not say when it ended
STALE = "marsearch:stale"  # system attribute by which a view marks a lost trial that it shows as failed


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Trials by state; failed ones that a retry has replaced are not among them. waiting: lost ones, too."""

    complete: int
    pruned: int
    failed: int
    running: int
    waiting: int

    @property
    def finished(self) -> int:
        """Trials that count towards the study's target."""
        return self.complete + self.pruned + self.failed


def count(trials: Sequence[FrozenTrial]) -> Counts:
    """Count the trials of a study."""
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    lost = {trial.number for trial in trials if STALE in trial.system_attrs}
    gone = replaced | lost
    states = [t.state for t in trials if t.state is not TrialState.FAIL or t.number not in gone]
    return Counts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        running=states.count(TrialState.RUNNING),
        waiting=states.count(TrialState.WAITING) + len(lost - replaced),
    )


def so_far(finished: int, target: int) -> str:
    """How many trials are finished, in words; there may be more than were asked for."""
    if finished <= target:
        return f"{finished} of {target} trials"
    return f"{finished} trials ({target} {'was' if target == 1 else 'were'} asked for)"


def feasible(trial: FrozenTrial) -> bool:
    """Whether the trial keeps every limit; one that has not been measured against any does."""
    return all(value <= 0 for value in trial.constraints.values())


def rank(value: float | None, parameters: int | None, number: int) -> tuple[float, float, int]:
    """What results are sorted by: the highest value first, then the smaller network, then the earlier trial."""
    return math.inf if value is None or math.isnan(value) else -value, parameters or math.inf, number


def ranked(trials: Iterable[FrozenTrial], *, maximise: bool = True) -> list[FrozenTrial]:
    """The complete trials that keep every limit, by `rank`."""
    scored = [t for t in trials if t.state is TrialState.COMPLETE and t.values and feasible(t)]
    sign = 1 if maximise else -1
    return sorted(scored, key=lambda t: rank(sign * t.values[0], t.user_attrs.get(PARAMETERS), t.number))


def best_seen(trials: Sequence[FrozenTrial], most: int) -> list[FrozenTrial]:
    """The complete trials that keep every limit, then the pruned ones, each by falling value; at most so many of both.

    As `ranked` and `best_pruned` but for ties, at a cost that a sampler can pay for each trial of a long study.
    """
    found: list[FrozenTrial] = []
    for state in (TrialState.COMPLETE, TrialState.PRUNED):
        ended = [trial for trial in trials if trial.state is state and trial.values]
        values = np.array([trial.values[0] for trial in ended])
        order = np.argsort(-values, kind="stable")[: len(values) - np.isnan(values).sum()]
        found += islice(filter(feasible, (ended[place] for place in order)), most - len(found))
    return found


def best_of(trials: Iterable[FrozenTrial], *, maximise: bool = True) -> FrozenTrial | None:
    """The first of `ranked`; None before there is one."""
    return next(iter(ranked(trials, maximise=maximise)), None)


def best_pruned(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The pruned trials that were trained at all, best first."""
    pruned = [t for t in trials if t.state is TrialState.PRUNED and t.value is not None]
    return sorted(pruned, key=lambda t: rank(t.value, None, t.number))


def without_better(trials: Sequence[FrozenTrial]) -> int:
    """How many trials in a row, as they finished, brought no higher value than those before; up to the last one.

    trials: all of the study. Those that `Counts.finished` counts; a value is a complete trial's that keeps every limit.
    """
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    highest, row = -math.inf, 0
    for trial in sorted((t for t in trials if t.state.is_finished()), key=_ended):
        if trial.state is TrialState.COMPLETE and trial.values and trial.values[0] > highest and feasible(trial):
            highest, row = trial.values[0], 0
        elif trial.state is not TrialState.FAIL or not (trial.number in replaced or STALE in trial.system_attrs):
            row += 1
    return row


def _ended(trial: FrozenTrial) -> tuple[datetime, int]:
    return utc(trial.datetime_complete) if trial.datetime_complete else _BEGINNING, trial.number


def params_of(trial: FrozenTrial) -> Mapping[str, Any]:
    """The trial's parameters; of one that waits, those that it was enqueued with."""
    found: Mapping[str, Any] = trial.params or trial.system_attrs.get("fixed_params", {})
    return found


def same_recipe(trials: Iterable[FrozenTrial], params: Mapping[str, Any], *, before: int) -> FrozenTrial | None:
    """The first trial with these parameters and a smaller number that has a result, or will have one; None without.

    One that failed may be tried again, and one that was refused or not trained is no competitor.
    """
    going = (TrialState.COMPLETE, TrialState.RUNNING, TrialState.WAITING)
    for trial in trials:
        if trial.number < before and params_of(trial) == params and (trial.state in going or trial.value is not None):
            return trial
    return None


def remaining_seconds(trials: Sequence[FrozenTrial], target: int, workers: int) -> float | None:
    """Estimated time to the target from the mean duration of what has finished; None before anything has."""
    times = (seconds_of(t) for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED))
    done = [seconds for seconds in times if seconds is not None]
    if not done:
        return None
    left = max(0, target - count(trials).finished)
    return left * sum(done) / len(done) / max(1, workers)
