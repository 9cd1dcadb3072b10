"""Masks that many samples share, and whether they fit the images behind them.

A mask of several classes that repeats to the pixel is no proof of contamination: straight borders, a fixed camera and
copies that were augmented beforehand repeat it honestly. A slipped-in mask has nothing to do with its images. So the
images behind one mask are compared with other images of the set: they resemble each other no more than those, and
their brightness follows the mask no more than theirs. Measured on the 110 contaminated of 2,615 real tiles:
correlation 0.02 within as to others, brightness above others' in 0.49 of the pairs; honest shared masks have 0.1 to
0.9 and 0.65 to 1.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.dataset import Dataset
from storage.data.quality.grey import grey_images, unit_rows

FEWEST_ALIKE = 3  # samples: two equal masks are a coincidence
COMMON = 0.02  # share of the masks that repeat from which on repeating is usual in a data set
MOST_COMPARED = 200  # images on either side of a comparison
CORRELATED = 0.15  # so much higher among the images of an honest mask
FOLLOWED = 0.65  # in so large a share of pairs an honest mask fits its own image better than another


def shared_masks(dataset: Dataset) -> tuple[NDArray[np.int64], ...]:
    """The samples behind each mask that repeats *and* has two or more classes that count, largest set first.

    Plain one-class masks repeat honestly.
    """
    return _repeated(_by_mask(dataset))


def foreign_masks(dataset: Dataset) -> NDArray[np.bool_]:
    """Mark the samples, (N,), whose shared mask fits none of their images.

    Where repeating is usual none is marked.
    """
    marked = np.zeros(len(dataset.images), dtype=np.bool_)
    by_mask = _by_mask(dataset)
    sets = _repeated(by_mask)
    if len(sets) > max(2, COMMON * len(by_mask)):
        return marked
    for rows in sets:
        others = np.setdiff1d(_of_size(dataset, dataset.size(int(rows[0]))), rows)
        if len(rows) >= FEWEST_ALIKE and len(others) and not _fits(dataset, rows, others):
            marked[rows] = True
    return marked


def _of_size(dataset: Dataset, size: tuple[int, int]) -> NDArray[np.int64]:
    """The samples whose images have that size, which alone can be compared behind one mask."""
    if dataset.sizes is None:
        return np.arange(len(dataset.images))
    return np.flatnonzero((dataset.sizes == size).all(axis=1))


def _by_mask(dataset: Dataset) -> list[list[int]]:
    """The samples of each different mask that has two or more classes that count."""
    flat = dataset.masks.reshape(len(dataset.masks), -1)
    seen: dict[tuple[tuple[int, int], bytes], list[int]] = {}
    for index, mask in enumerate(flat):
        seen.setdefault((dataset.size(index), mask.tobytes()), []).append(index)
    return [rows for rows in seen.values() if _counting_classes(flat[rows[0]], dataset) >= 2]


def _repeated(by_mask: list[list[int]]) -> tuple[NDArray[np.int64], ...]:
    sets = [np.array(rows) for rows in by_mask if len(rows) > 1]
    return tuple(sorted(sets, key=lambda rows: (-len(rows), int(rows[0]))))


def _counting_classes(mask: NDArray[np.uint8], dataset: Dataset) -> int:
    apart = {*dataset.excluded_labels, dataset.ignore_label}
    return sum(int(label) not in apart for label in np.unique(mask))


def _fits(dataset: Dataset, rows: NDArray[np.int64], others: NDArray[np.int64]) -> bool:
    """Whether the mask of these samples belongs to their images rather than to the others'."""
    random = np.random.default_rng(0)
    own, foreign = (grey_images(dataset, _some(part, random)) for part in (rows, others))
    mine, theirs = unit_rows(own), unit_rows(foreign)
    within = (mine @ mine.T)[np.triu_indices(len(mine), 1)]
    if np.median(within) - np.median(mine @ theirs.T) > CORRELATED:
        return True
    mask = dataset.masks[rows[0]]
    explained, by_chance = (_explained(images, mask) for images in (own, foreign))
    return float((explained[:, None] > by_chance[None]).mean()) > FOLLOWED


def _some(rows: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    return rows if len(rows) <= MOST_COMPARED else np.sort(random.choice(rows, MOST_COMPARED, replace=False))


def _explained(images: NDArray[np.float32], mask: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each image's variance that lies between the classes of the mask, (N,), 0 to 1."""
    pixels, labels = images.reshape(len(images), -1).astype(np.float64), mask.reshape(-1)
    mean, total = pixels.mean(axis=1), pixels.var(axis=1)
    between = sum(
        (labels == k).mean() * np.square(pixels[:, labels == k].mean(axis=1) - mean) for k in np.unique(labels)
    )
    share: NDArray[np.float64] = between / np.where(total > 0, total, 1.0)
    return share
