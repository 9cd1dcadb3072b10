"""Whether our numbers order the rows of a report's table as the report does."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """A mean with the lowest and the highest value it is made of; all three are equal for one value."""

    mean: float
    low: float
    high: float

    def overlaps(self, other: Range) -> bool:
        """Whether the two have a value in common: then their difference is within the spread."""
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a comparison: the report's number and ours, by the same metric and in per cent."""

    title: str
    paper: Range
    ours: Range


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two rows. paper, ours: the second one's mean minus the first one's, in points of per cent."""

    first: str
    second: str
    paper: float
    ours: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far the orderings of one track agree.

    pairs: every two rows, in the order of the table. tau: Kendall's tau-b between the means, -1 to 1; NaN with
    fewer than two different values on a side.
    """

    track: str
    pairs: tuple[Pair, ...]
    tau: float

    def count(self, verdict: Verdict) -> int:
        """The number of pairs with this verdict."""
        return sum(pair.verdict == verdict for pair in self.pairs)

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        if not self.pairs:
            return f"{self.track}: fewer than two rows are finished, there is no ordering to compare."
        pairs = f"{len(self.pairs)} pairs of rows" if len(self.pairs) > 1 else "1 pair of rows"
        tau = f"; Kendall's tau of the means {self.tau:+.2f}" if math.isfinite(self.tau) else ""
        return (
            f"{self.track}: {pairs}, {self.count('agrees')} in the paper's order, {self.count('disagrees')} the other"
            f" way round, {self.count('undecided')} undecided{tau}."
        )


def range_of(values: Sequence[float]) -> Range | None:
    """Mean, lowest and highest of the values that are numbers; None when none is."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    mean = math.fsum(known) / len(known)
    return Range(mean=min(max(mean, min(known)), max(known)), low=min(known), high=max(known))


def compare(track: str, entries: Sequence[Entry]) -> Agreement:
    """Compare every two rows of a track.

    A pair is undecided when the ranges of its rows overlap, in the report or in ours: the difference is then within
    the spread. Kendall's tau counts every pair by its means, undecided or not.
    """
    from scipy.stats import kendalltau

    pairs = tuple(_pair(first, second) for first, second in itertools.combinations(entries, 2))
    paper, ours = [entry.paper.mean for entry in entries], [entry.ours.mean for entry in entries]
    ordered = len(set(paper)) > 1 and len(set(ours)) > 1
    return Agreement(track=track, pairs=pairs, tau=float(kendalltau(paper, ours).statistic) if ordered else math.nan)


def _pair(first: Entry, second: Entry) -> Pair:
    paper, ours = second.paper.mean - first.paper.mean, second.ours.mean - first.ours.mean
    verdict: Verdict = "agrees" if paper * ours > 0 else "disagrees"
    if first.paper.overlaps(second.paper) or first.ours.overlaps(second.ours):
        verdict = "undecided"
    return Pair(first=first.title, second=second.title, paper=paper, ours=ours, verdict=verdict)
