"""Trials that have ended since somebody looked last, each with a line for people."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

from search.studies.queries import count
from storage.trials.retries import earlier_attempts
from storage.trials.trial_times import seconds_of


class Endings:
    """Remembers which trials had ended; those that had at the first look are not news."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._seen: set[int] | None = None

    def look(self, trials: Sequence[FrozenTrial]) -> list[tuple[FrozenTrial, str]]:
        """The trials that have ended since the last look, in order, and a line on each. trials: all of the study."""
        ended = {trial.number for trial in trials if trial.state.is_finished()}
        new = ended - (ended if self._seen is None else self._seen)
        self._seen = ended | (self._seen or set())
        if not new:
            return []
        retried = {number for trial in trials for number in earlier_attempts(trial)}
        finished = count(trials).finished
        return [
            (trial, f"{finished}/{self._target}  {line_on(trial, retried=trial.number in retried)}")
            for trial in trials
            if trial.number in new
        ]


def line_on(trial: FrozenTrial, *, retried: bool) -> str:
    """One line on a trial that has ended. retried: another one has taken its place."""
    seconds = seconds_of(trial)
    took = f", {seconds:.0f} s" if seconds is not None else ""
    what = {
        TrialState.COMPLETE: f"complete, {trial.value or 0.0:.4f}",
        TrialState.PRUNED: str(trial.user_attrs.get("reason", "pruned")),
        TrialState.FAIL: f"{'goes back' if retried else 'failed'}: {trial.user_attrs.get('reason', 'lost')}",
    }[trial.state]
    return f"trial {trial.number} {what}{took}"
