"""What ends a study beside its number of trials: its time, or trials that bring nothing better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from storage.store import Store
from storage.studies.config import declared
from storage.studies.durations import duration_text
from storage.studies.studies import find_study
from storage.trials.queries import without_better

_OPTIONS = {field.name: field.option for field in declared()}


@dataclass(frozen=True, kw_only=True)
class End:
    """Why no new trial of a study begins. reason: in words. option: of `create` and `run`, which set it so."""

    reason: str
    option: str

    @property
    def remedy(self) -> str:
        """How the study goes on."""
        return f"go on with a larger {self.option}, or without it, in the same marsearch run or create"


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What a study may end by, as last read.

    budget_s, patience_trials: as in `StudyConfig`, None for no limit. worked_s: how long its hosts have worked on it,
    see `storage.studies.worked_time`.
    """

    budget_s: float | None = None
    patience_trials: int | None = None
    worked_s: float = 0.0

    @property
    def time_over(self) -> bool:
        """Whether hosts have worked on the study for as long as they were to."""
        return self.budget_s is not None and self.worked_s >= self.budget_s

    def end(self, trials: Sequence[FrozenTrial]) -> End | None:
        """Why no new trial begins; None where one may. trials: all of the study."""
        if self.budget_s is not None and self.time_over:
            return End(reason=f"its {duration_text(self.budget_s)} are over", option=_OPTIONS["budget_s"])
        patience = self.patience_trials
        if patience is not None and without_better(trials) >= patience:
            return End(reason=f"no better trial in the last {patience}", option=_OPTIONS["patience_trials"])
        return None

    def remaining_s(self, estimate: float | None) -> float | None:
        """Seconds to the end; None where nothing is known of it. estimate: until all trials are there."""
        left = None if self.budget_s is None else max(0.0, self.budget_s - self.worked_s)
        return min((seconds for seconds in (left, estimate) if seconds is not None), default=None)


def ends(store: Store, study: str) -> Ends:
    """What the study may end by, now. Raises StudyError for an unknown study."""
    row = find_study(store, study)[1]
    limits = {name: row.config.get(name) for name in ("budget_s", "patience_trials")}
    return Ends(worked_s=row.worked_s, **limits)


def is_over(*, finished: int, running: int, target: int, end: object) -> bool:
    """Whether a study is finished: it has its trials, or it has another `end` and none of its trials runs any more.

    A trial that still runs when patience is at its end may be a better one, and then the study goes on.
    """
    return finished >= target or (bool(end) and not running)
