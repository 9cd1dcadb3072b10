"""How far a study is, counted from the study itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from storage.trials.retries import earlier_attempts

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
    states = [t.state for t in trials if t.state is not TrialState.FAIL or t.number not in replaced | lost]
    return Counts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
        running=states.count(TrialState.RUNNING),
        waiting=states.count(TrialState.WAITING) + len(lost - replaced),
    )


def best_of(trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The complete, feasible trial of the highest value; None before there is one."""
    good = [
        t
        for t in trials
        if t.state is TrialState.COMPLETE and t.value is not None and all(v <= 0 for v in t.constraints.values())
    ]
    return max(good, key=lambda t: (t.value or 0.0, -t.number), default=None)


def remaining_seconds(trials: Sequence[FrozenTrial], target: int, workers: int) -> float | None:
    """Estimated time to the target from the mean duration of what has finished; None before anything has."""
    done = [
        t.duration.total_seconds()
        for t in trials
        if t.state in (TrialState.COMPLETE, TrialState.PRUNED) and t.duration is not None
    ]
    if not done:
        return None
    left = max(0, target - count(trials).finished)
    return left * sum(done) / len(done) / max(1, workers)
