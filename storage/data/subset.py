"""A part of a split made smaller, without losing the rarest class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.data.dataset import Dataset, class_shares


def rarest_class(dataset: Dataset) -> int | None:
    """The label with the fewest pixels (but some) among the classes that count in the mean; None without any."""
    shares = class_shares(dataset.masks, dataset.classes, dataset.ignore_label)
    present = [k for k, share in enumerate(shares) if share > 0 and k not in dataset.excluded_labels]
    return min(present, key=lambda k: shares[k], default=None)


def choose_tiles(dataset: Dataset, samples: Sequence[int], count: int, *, seed: int) -> tuple[int, ...]:
    """A random choice of ``count`` of the samples, ascending; all of them when there are no more.

    The share of tiles that show the rarest class stays what it is, and at least one such tile stays in.
    """
    indices = np.asarray(sorted(samples), dtype=np.int64)
    if count >= len(indices):
        return tuple(indices.tolist())
    label = rarest_class(dataset)
    shows = (dataset.masks[indices] == label).any(axis=(1, 2)) if label is not None else np.zeros(len(indices), bool)
    rare, common = indices[shows], indices[~shows]
    wanted = max(round(count * len(rare) / len(indices)), min(1, len(rare)), count - len(common))
    random = np.random.default_rng(seed)
    chosen = (random.choice(rare, wanted, replace=False), random.choice(common, count - wanted, replace=False))
    return tuple(np.sort(np.concatenate(chosen)).tolist())
