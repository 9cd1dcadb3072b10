"""What came of the work on a study, as its hosts say it when they end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from storage.studies.ends import End, Ends, is_over
from storage.trials.queries import Counts, count, so_far
from storage.trials.retries import earlier_attempts


@dataclass(frozen=True, kw_only=True)
class WorkDone:
    """How the work on a study stands when a host ends.

    target: finished trials that end it; fewer are finished when the host was stopped. exhausted: it leaves no
    recipe of the study's space untried. reason: the most frequent one for which trials ended without being complete.
    end: why no new trial begins although the target is not reached, or not only because it is.
    """

    counts: Counts
    target: int
    exhausted: bool
    reason: str
    end: End | None

    @property
    def finished(self) -> int:
        """Trials that count towards the target."""
        return self.counts.finished

    @property
    def over(self) -> bool:
        """Whether the study is finished."""
        return is_over(finished=self.finished, running=self.counts.running, target=self.target, end=self.end)

    @property
    def fruitless(self) -> bool:
        """Whether the study is over without a complete trial."""
        return self.over and not self.counts.complete

    def sentence(self, study: str) -> str:
        """What came of it, and how what waits is taken up."""
        counts, ended = self.counts, "finished" if self.over else "stopped"
        parts = [
            f"{ended}: {so_far(self.finished, self.target)} of study {study}: {counts.complete} complete,"
            f" {counts.pruned} pruned, {counts.failed} failed"
        ]
        if counts.failed and counts.complete:
            parts.append(f"most often: {self.reason}")
        if self.exhausted and self.over:
            parts.append("every recipe of its space is tried")
        if self.over and counts.waiting:
            waits = "1 more waits" if counts.waiting == 1 else f"{counts.waiting} more wait"
            more = f": marsearch work {study} --trials {self.finished + counts.waiting}"
            parts.append(f"{waits}{more if self.finished >= self.target else ''}")
        if self.over and self.end is not None:
            parts.append(f"{self.end.reason}: {self.end.remedy}")
        return "; ".join(parts)


def work_done(trials: Sequence[FrozenTrial], target: int, ends: Ends, *, exhausted: bool = False) -> WorkDone:
    """The state of a study. trials: all of it. exhausted: the target leaves no recipe of its space untried."""
    replaced = {number for trial in trials for number in earlier_attempts(trial)}
    last = [trial for trial in trials if trial.number not in replaced]
    failed = [t for t in last if t.state is TrialState.FAIL]
    reason = _most_frequent(failed or [t for t in last if t.state is TrialState.PRUNED])
    return WorkDone(counts=count(trials), target=target, exhausted=exhausted, reason=reason, end=ends.end(trials))


def _most_frequent(trials: Iterable[FrozenTrial]) -> str:
    """The most frequent reason, whatever numbers it holds; "" where no trial has any."""
    reasons = [str(t.user_attrs["reason"]) for t in trials if "reason" in t.user_attrs]
    kinds = Counter(_kind(reason) for reason in reasons)
    return next((reason for reason in reasons if _kind(reason) == kinds.most_common(1)[0][0]), "")


def _kind(reason: str) -> str:
    return re.sub(r"[0-9]+", "#", reason)
