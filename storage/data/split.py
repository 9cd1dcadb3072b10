"""The split of a data set into training, validation and an untouched holdout; it belongs to the study.

One algorithm for grouped and ungrouped sets (there each sample is its own group): give every part every class
that has groups enough, then hand out the rest, largest first, where the shares of samples, classes and pixels
stay nearest to what was asked (the cost of iterative stratification, Sechidis et al. 2011, over whole groups as
in scikit-learn's StratifiedGroupKFold). Several random orders are tried and the cheapest kept.
Legend: G groups, P parts, F features.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.data.dataset import Dataset
from storage.errors import DataError

ORDERS = 12  # random orders tried; measured: more gain little
WORK = 30_000  # group placements in all, about a second; large sets try fewer orders
MISSING = 10.0  # cost of a part without a class that it could have: above any cost of imbalance
TRAIN, VALIDATION = 0, 1
PARTS = ("train", "contaminated", "validation", "holdout")


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """Which sample is for what; all indices are sorted, and no index is in two parts.

    train: int64 indices; contaminated samples are here, for the recipe's cleaning to drop or keep.
    contaminated: int64 indices of those in train.
    validation, holdout: int64 indices, clean samples only; holdout is empty unless asked for.
    method: "group" (groups never straddle parts) or "stratified" (the set has no groups).
    seed: what made it; the same data set, shares and seed give the same split.
    """

    train: NDArray[np.int64]
    contaminated: NDArray[np.int64]
    validation: NDArray[np.int64]
    holdout: NDArray[np.int64]
    method: str
    seed: int


def dump_split(split: Split) -> str:
    """The split as JSON, to be stored with a study."""
    parts = {name: getattr(split, name).tolist() for name in PARTS}
    return json.dumps({**parts, "method": split.method, "seed": split.seed})


def load_split(text: str) -> Split:
    """The inverse of `dump_split`."""
    values = json.loads(text)
    parts = {name: np.asarray(values.get(name, ()), dtype=np.int64) for name in PARTS}
    return Split(**parts, method=values["method"], seed=values["seed"])


def split_dataset(
    dataset: Dataset,
    *,
    seed: int,
    validation: float = 0.2,
    holdout: float = 0.0,
    contaminated: NDArray[np.bool_],
    together: NDArray[np.int64] | None = None,
) -> Split:
    """Split a data set; validation and holdout are shares of its clean samples, contaminated is (N,).

    together: (N,) numbers, equal for samples that must not be parted; by default those of one group of the data.

    A contaminated sample whose group went to validation or holdout is in no part: in training it would show the
    network a site that it is scored on. Without contaminated samples the parts together are the whole set.
    Raises DataError for impossible shares, or when there are fewer groups (or samples) than parts.
    """
    clean = ~contaminated
    part = _parts(dataset, _checked_shares(validation, holdout), seed, clean, TRAIN, together)
    return Split(
        train=np.flatnonzero(part == TRAIN),
        contaminated=np.flatnonzero((part == TRAIN) & contaminated),
        validation=np.flatnonzero((part == VALIDATION) & clean),
        holdout=np.flatnonzero((part > VALIDATION) & clean),
        method=_method(dataset),
        seed=seed,
    )


def split_folds(
    dataset: Dataset,
    *,
    seed: int,
    folds: int,
    contaminated: NDArray[np.bool_],
    together: NDArray[np.int64] | None = None,
) -> tuple[Split, ...]:
    """Split a data set in as many ways: each clean sample is in the validation part of exactly one, of like size.

    A group is never in two parts of one split; contaminated samples as in `split_dataset`. There is no holdout.
    Raises DataError for fewer than two folds, or fewer groups (or samples) than folds.
    """
    if folds < 2:
        raise DataError(f"cannot make {folds} folds; expected at least 2")
    clean = ~contaminated
    part = _parts(dataset, np.full(folds, 1 / folds), seed, clean, folds, together)
    return tuple(
        Split(
            train=np.flatnonzero(part != fold),
            contaminated=np.flatnonzero((part != fold) & contaminated),
            validation=np.flatnonzero((part == fold) & clean),
            holdout=np.zeros(0, dtype=np.int64),
            method=_method(dataset),
            seed=seed,
        )
        for fold in range(folds)
    )


def _parts(
    dataset: Dataset,
    shares: NDArray[np.float64],
    seed: int,
    clean: NDArray[np.bool_],
    rest: int,
    together: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """The part of each sample, (N,): whole groups to parts of these shares, groups without clean samples to rest."""
    named = np.arange(len(clean)) if dataset.group is None else np.unique(dataset.group, return_inverse=True)[1]
    group = named if together is None else together
    features, groups = _group_features(dataset, group, clean)
    if len(groups) < len(shares):
        what = "different clean images" if dataset.group is None else "groups with clean samples"
        raise DataError(f"a split into {len(shares)} parts needs as many {what}, but there are {len(groups)}")
    part_of_group = np.full(int(group.max()) + 1, rest)
    part_of_group[groups] = _assign(features, shares, np.random.default_rng(seed))
    parts: NDArray[np.int64] = part_of_group[group]
    return parts


def _method(dataset: Dataset) -> str:
    return "stratified" if dataset.group is None else "group"


def _checked_shares(validation: float, holdout: float) -> NDArray[np.float64]:
    train = 1.0 - validation - holdout
    if not (validation > 0 and holdout >= 0 and train > 0):
        raise DataError(
            f"cannot split off validation {validation:g} and holdout {holdout:g}; "
            "expected validation above 0, holdout 0 or more, and their sum under 1"
        )
    return np.array([train, validation, holdout] if holdout > 0 else [train, validation])


def _group_features(
    dataset: Dataset, group: NDArray[np.int64], clean: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What each group with clean samples brings, (G,F), and its number, (G,).

    The F = 1 + 2K columns are samples, then samples that show a class, then pixels of a class; each column
    sums to 1 over the groups (or is zero).
    """
    pixels = np.stack([(dataset.masks == k).sum(axis=(1, 2)) for k in range(dataset.classes)], axis=1)
    samples = np.concatenate([np.ones((len(pixels), 1)), pixels > 0, pixels], axis=1)[clean]
    groups, index = np.unique(group[clean], return_inverse=True)
    features = np.zeros((len(groups), samples.shape[1]))
    np.add.at(features, index, samples)
    return features / np.maximum(features.sum(axis=0), 1.0), groups


def _assign(
    features: NDArray[np.float64], shares: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    """The part of each group, (G,): the cheapest of several random orders."""
    orders = min(ORDERS, max(1, WORK // len(features)))
    tried = [_assign_once(features, shares, random) for _ in range(orders)]
    costs = [_cost(features, parts, shares) for parts in tried]
    return tried[int(np.argmin(costs))]


def _assign_once(
    features: NDArray[np.float64], shares: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.int64]:
    parts = np.full(len(features), -1)
    held = np.zeros((len(shares), features.shape[1]))
    for group, part in _cover(features, len(shares), random):
        parts[group] = part
        held[part] += features[group]
    for group in _largest_first(features, random):
        if parts[group] < 0:
            parts[group] = _neediest(held, features[group], shares)
            held[parts[group]] += features[group]
    return parts


def _cover(features: NDArray[np.float64], count: int, random: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs (group, part) that give each class to training, validation and holdout, as far as its groups reach.

    Rarest class first, because its groups bring the common classes along. No part stays empty.
    """
    classes = (features.shape[1] - 1) // 2
    shows = features[:, : classes + 1] > 0  # column 0: every group shows samples
    placed: dict[int, int] = {}
    for column in sorted(range(classes + 1), key=lambda column: (shows[:, column].sum(), column)):
        having = random.permutation(np.flatnonzero(shows[:, column])).tolist()
        for part in range(count):
            free = [group for group in having if group not in placed]
            empty = set(range(count)) - set(placed.values())
            spare = len(features) - len(placed) > len(empty)  # groups beyond those that empty parts wait for
            if free and (spare or part in empty) and not any(placed.get(group) == part for group in having):
                placed[free[0]] = part
    return list(placed.items())


def _largest_first(features: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    """Groups by the size of their largest share, in powers of two, at random within one size."""
    size = np.floor(np.log2(features.max(axis=1)))
    return np.lexsort((random.permutation(len(features)), -size))


def _neediest(held: NDArray[np.float64], group: NDArray[np.float64], shares: NDArray[np.float64]) -> int:
    """The part whose cost rises least when it takes the group (the first of equals)."""
    rise = (((2 * held + group) * group).sum(axis=1)) / shares - 2 * group.sum()
    return int(np.argmin(rise))


def _cost(features: NDArray[np.float64], parts: NDArray[np.int64], shares: NDArray[np.float64]) -> float:
    """How far the parts are from their shares, chi-squared over the features, plus `MISSING` per missing class."""
    held = np.stack([features[parts == part].sum(axis=0) for part in range(len(shares))])
    classes = (features.shape[1] - 1) // 2
    possible = (features[:, 1 : classes + 1] > 0).sum(axis=0) >= np.arange(1, len(shares) + 1)[:, None]
    missing = possible & (held[:, 1 : classes + 1] == 0)
    wanted = shares[:, None] * (features.sum(axis=0) > 0)
    return float((np.square(held - wanted) / shares[:, None]).sum() + MISSING * missing.sum())
