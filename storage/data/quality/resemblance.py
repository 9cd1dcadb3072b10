"""Images that are equal or nearly so: they belong on one side of a split, or validation scores what was learnt.

Nearly equal are images whose grey values correlate, also mirrored or turned: copies in another brightness, with some
noise, augmented beforehand. A coarse look at all pairs finds candidates, a fine one decides. Measured on
2,615 real tiles: 10 candidates, 2 pairs, 2.5 s.
Legend: N samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import Sizes, own_part
from storage.data.dataset import Dataset
from storage.data.quality.grey import grey_images, unit_rows

COARSE, FINE = 16, 64  # cells a side of the two looks
CANDIDATE, NEAR = 0.98, 0.95  # correlation of the coarse cells, and of the fine ones
MOST = 20_000  # samples whose pairs are all looked at: four hundred million
MOST_PAIRS = 200_000  # candidates that are looked at; of a fixed camera all are near
LARGEST_SHARE = 1 / 3  # of the samples in one set of near-equal images; above it they say nothing
ROWS = 1024  # of a block of pairs

_Turn = Callable[[NDArray[Any]], NDArray[Any]]
_MIRRORED: tuple[_Turn, ...] = (
    lambda a: a,
    lambda a: a[:, ::-1],
    lambda a: a[:, :, ::-1],
    lambda a: a[:, ::-1, ::-1],
)
_TURNED: tuple[_Turn, ...] = (
    lambda a: a.transpose(0, 2, 1),
    lambda a: a[:, ::-1].transpose(0, 2, 1),
    lambda a: a[:, :, ::-1].transpose(0, 2, 1),
    lambda a: a[:, ::-1, ::-1].transpose(0, 2, 1),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Resemblance:
    """Which samples belong together.

    together: (N,) numbers, equal for samples that must not be parted: those of one `group` of the data included.
    equal, near: how many samples have an equal image, a nearly equal one, elsewhere in the set.
    alike: so many images resemble each other that only equal ones were put together.
    compared: nearly equal ones were looked for, which takes too long for more than `MOST` samples.
    """

    together: NDArray[np.int64]
    equal: int
    near: int
    alike: bool
    compared: bool


def find_resemblance(dataset: Dataset) -> Resemblance:
    """Look at all pairs of images; deterministic."""
    equal = _equal_images(dataset)
    near = _near_pairs(dataset) if len(dataset.images) <= MOST else None
    sets = equal if near is None else _joined(equal, near)
    alike = near is not None and bool(np.bincount(sets).max() > max(2, LARGEST_SHARE * len(sets)) and len(near))
    used = equal if alike else sets
    group = None if dataset.group is None else np.unique(dataset.group, return_inverse=True)[1]
    return Resemblance(
        together=used if group is None else _united(used, group),
        equal=_repeated(equal),
        near=_repeated(sets) - _repeated(equal),
        alike=alike,
        compared=near is not None,
    )


def _equal_images(dataset: Dataset) -> NDArray[np.int64]:
    """A number for each different image, (N,)."""
    seen: dict[tuple[tuple[int, int], bytes], int] = {}
    samples = range(len(dataset.images))
    keys = ((dataset.size(sample), np.ascontiguousarray(dataset.image(sample)).tobytes()) for sample in samples)
    return np.array([seen.setdefault(key, len(seen)) for key in keys])


def _repeated(sets: NDArray[np.int64]) -> int:
    """How many samples are not alone in their set."""
    sizes = np.bincount(sets)
    return int(sizes[sizes > 1].sum())


def _joined(sets: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sets, with those of each pair made one."""
    from scipy.sparse import coo_array  # here: every command loads this file, and few of them join sets
    from scipy.sparse.csgraph import connected_components

    count = int(sets.max()) + 1
    links = coo_array((np.ones(len(pairs)), (sets[pairs[:, 0]], sets[pairs[:, 1]])), shape=(count, count))
    found: NDArray[np.int64] = connected_components(links, directed=False)[1].astype(np.int64)[sets]
    return found


def _united(sets: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """The groups, with those of each set made one."""
    first = np.unique(sets, return_index=True)[1]
    return _joined(group, np.stack([np.arange(len(sets)), first[sets]], axis=1))


def _near_pairs(dataset: Dataset) -> NDArray[np.int64]:
    """Pairs of nearly equal images, (P, 2), among the first `MOST_PAIRS` candidates."""
    coarse, fine = _cells(dataset, COARSE), _cells(dataset, FINE)
    one, exact = unit_rows(coarse), unit_rows(fine)
    turns = _MIRRORED + (_TURNED if _square(dataset, fine) else ())
    found, left = [np.zeros((0, 2), dtype=np.int64)], MOST_PAIRS
    for turn in turns:
        other, turned = unit_rows(turn(coarse)), unit_rows(turn(fine))
        for start in range(0, len(one), ROWS):
            rows, columns = np.nonzero(one[start : start + ROWS] @ other.T > CANDIDATE)
            pairs = np.stack([rows + start, columns], axis=1)[columns > rows + start][:left]
            left -= len(pairs)
            found += [some[_near(exact, turned, some)] for some in np.array_split(pairs, len(pairs) // ROWS + 1)]
    return np.concatenate(found)


def _near(one: NDArray[np.float32], other: NDArray[np.float32], pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = (one[pairs[:, 0]] * other[pairs[:, 1]]).sum(axis=1) > NEAR
    return near


def _square(dataset: Dataset, cells: NDArray[np.float32]) -> bool:
    """Whether a turned image could be found by its cells: of several sizes, it may have another shape than before."""
    return dataset.height == dataset.width if dataset.sizes is None else cells.shape[1] == cells.shape[2]


def _cells(dataset: Dataset, side: int) -> NDArray[np.float32]:
    """Means over a grid of at most so many cells a side, (N, rows, columns), each image's over its own size."""
    if dataset.sizes is not None:
        return _cells_of_each(dataset, dataset.sizes, side)
    sides = dataset.height, dataset.width
    edges = [np.linspace(0, pixels, min(side, pixels) + 1).astype(int)[:-1] for pixels in sides]
    found = []
    for start in range(0, len(dataset.images), ROWS):
        images = grey_images(dataset, np.arange(start, min(start + ROWS, len(dataset.images))))
        found.append(np.add.reduceat(np.add.reduceat(images, edges[0], axis=1), edges[1], axis=2))
    area = np.outer(*(np.diff([*edge, pixels]) for edge, pixels in zip(edges, sides, strict=True)))
    means: NDArray[np.float32] = (np.concatenate(found) / area).astype(np.float32)
    return means


def _cells_of_each(dataset: Dataset, sizes: Sizes, side: int) -> NDArray[np.float32]:
    """The means of images of several sizes, in as many cells as the smallest sides allow."""
    counts = np.minimum(side, sizes.min(axis=0)).tolist()
    found = np.empty((len(sizes), *counts), dtype=np.float32)
    for place, pixels in enumerate(sizes.tolist()):
        image = own_part(grey_images(dataset, np.array([place])), sizes[place : place + 1], 0)
        rows, columns = (np.linspace(0, end, count + 1).astype(int) for end, count in zip(pixels, counts, strict=True))
        summed = np.add.reduceat(np.add.reduceat(image, rows[:-1], axis=0), columns[:-1], axis=1)
        found[place] = summed / np.outer(np.diff(rows), np.diff(columns))
    return found
