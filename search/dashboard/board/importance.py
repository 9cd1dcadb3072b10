"""How much of the differences between the scores of a study each setting explains, with an interval.

The measure is epsilon squared of the Kruskal-Wallis test (Tomczak and Tomczak 2014): the share of the variance of the
scores' ranks that lies between the groups of a setting, less what chance alone puts there. Numbers are grouped by their
quantiles; trials that do not have the setting, such as the weight of a loss term that is off, are a group of their own.
So every trial counts for every setting, which Optuna's evaluators do not do for conditional ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

LEAST_TRIALS = 20  # complete ones, before which nothing is told
MOST_TRIALS = 1000  # that are looked at, at random from all
GROUPS = 4  # of a number
SAMPLES = 200  # of the bootstrap
_ABSENT = "absent"


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much a setting explains, 0 to 1. low, high: ends of the 95 % interval, by the bootstrap over trials."""

    path: str
    share: float
    low: float
    high: float


def importances(
    params: Sequence[Mapping[str, Any]], scores: Sequence[float], *, most: int = 10, seed: int = 0
) -> tuple[Importance, ...]:
    """The settings that explain most, by falling share. params, scores: of each trial, at least `LEAST_TRIALS`.

    The interval is the basic bootstrap's, which takes back that equal trials within a sample look like groups.
    """
    chance = np.random.default_rng(seed)
    order = chance.permutation(len(scores))[:MOST_TRIALS]
    ranks = rankdata(np.asarray(scores, dtype=np.float64)[order])
    some = [params[place] for place in order]
    groups = {path: _groups([one.get(path) for one in some]) for path in sorted({name for one in some for name in one})}
    shares = {path: _share(group, ranks) for path, group in groups.items() if group.max() > 0}
    first = sorted(shares, key=lambda path: (-shares[path], path))[:most]
    drawn = chance.integers(0, len(ranks), (SAMPLES, len(ranks)))
    return tuple(_with_interval(path, shares[path], groups[path], ranks, drawn) for path in first)


def _with_interval(
    path: str, share: float, group: NDArray[np.int64], ranks: NDArray[np.float64], drawn: NDArray[np.int64]
) -> Importance:
    again = np.array([_share(group[rows], ranks[rows]) for rows in drawn])
    low, high = (float(np.clip(2 * share - end, 0, 1)) for end in np.quantile(again, (0.975, 0.025)))
    return Importance(path=path, share=max(0.0, share), low=low, high=max(low, high))


def _groups(values: Sequence[Any]) -> NDArray[np.int64]:
    """A group for each value: its own where there are few, of numbers else by quantiles; one for those without."""
    there = [value for value in values if value is not None]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
    if numbers and len(set(there)) > GROUPS:
        edges = np.unique(np.quantile(np.array(there, dtype=np.float64), np.linspace(0, 1, GROUPS + 1)[1:-1]))
        return np.array([len(edges) + 1 if v is None else np.searchsorted(edges, v, side="right") for v in values])
    named = [_ABSENT if value is None else repr(value) for value in values]
    found: NDArray[np.int64] = np.unique(named, return_inverse=True)[1].astype(np.int64)
    return found


def _share(group: NDArray[np.int64], ranks: NDArray[np.float64]) -> float:
    """Epsilon squared: what the groups explain of the ranks' variance, less (k - 1) / (n - 1) by chance; may be < 0."""
    sizes = np.bincount(group)
    present = sizes > 0
    means = np.bincount(group, ranks)[present] / sizes[present]
    whole = float(((ranks - ranks.mean()) ** 2).sum())
    count, among = len(ranks), int(present.sum())
    if whole == 0 or among < 2 or count <= among:
        return 0.0
    between = float((sizes[present] * (means - ranks.mean()) ** 2).sum()) / whole
    return 1 - (1 - between) * (count - 1) / (count - among)
