"""Contaminated samples: drawn figures and broken masks that someone slipped into a labelled set.

Measured on the 2,615 tiles of the homework-like AI4Mars set, of which 110 are contaminated: auto and mask precision
1.00, recall 1.00; mahalanobis 0.71, 0.97; mean nothing found (the figures are too small to move a tile's mean; the
method is for over- and underexposed frames). mask takes every shared mask, auto those that fit none of their images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.dataset import Dataset, select_samples
from storage.data.quality.grey import grey
from storage.data.quality.shared_masks import foreign_masks, shared_masks
from storage.errors import DataError

QUANTILES = (0.05, 0.5, 0.9, 0.95, 0.99)  # of a sample's pixels; small bright figures live in the upper ones
MAHALANOBIS_LIMIT = 2.25  # robust deviations of the log distance, measured on the tiles named above
MEAN_LIMIT = 3.0  # robust deviations of the mean pixel value
FEWEST = 10  # samples: under this many, "far from the others" means nothing
LARGEST_SHARE = 0.2  # of the samples: what a rule finds above it is how these data are, not what was slipped in
_WHY = {
    "auto": "share one mask that fits none of their images",
    "mask": "share a mask of several classes with another sample",
    "mahalanobis": "are far from the others in the distribution of their brightness",
    "mean": "are far from the others in their mean brightness",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Contamination:
    """What a rule finds: the contaminated samples, (N,) bool, and a note on them, "" where there are none."""

    samples: NDArray[np.bool_]
    note: str


def contamination(dataset: Dataset, rule: str) -> Contamination:
    """The samples that a study leaves out; none where the rule would take more than a fifth of them.

    Deterministic. Raises DataError for an unknown rule.
    """
    found = find_outliers(dataset, rule)
    number, samples = int(found.sum()), len(found)
    if not number:
        return Contamination(samples=found, note="")
    if number > LARGEST_SHARE * samples:
        note = f"all {samples:,} samples are used: {number:,} {_WHY[rule]}, too many to call them contaminated"
        return Contamination(samples=_none(dataset), note=note)
    note = f"{samples - number:,} of {samples:,} samples are used: {number:,} {_WHY[rule]} (--clean none keeps them)"
    return Contamination(samples=found, note=note)


def find_outliers(dataset: Dataset, rule: str) -> NDArray[np.bool_]:
    """Mark the samples that a rule suspects, (N,), however many.

    Deterministic. Raises DataError for an unknown rule.
    """
    if rule not in METHODS:
        raise DataError(f"unknown cleaning rule {rule!r}; expected one of {', '.join(METHODS)}")
    return METHODS[rule](dataset)


def clean_dataset(dataset: Dataset, rule: str) -> Dataset:
    """The data set without the contaminated samples; test images are kept as they are.

    Raises DataError for an unknown rule, and where the rule would take more than a fifth of the samples.
    """
    found = contamination(dataset, rule)
    if found.note and not found.samples.any():
        raise DataError(f"{found.note}; nothing is written, choose another rule")
    return select_samples(dataset, ~found.samples)


def _none(dataset: Dataset) -> NDArray[np.bool_]:
    return np.zeros(len(dataset.images), dtype=np.bool_)


def _shared(dataset: Dataset) -> NDArray[np.bool_]:
    suspects = _none(dataset)
    for rows in shared_masks(dataset):
        suspects[rows] = True
    return suspects


def _far_in_mahalanobis(dataset: Dataset) -> NDArray[np.bool_]:
    """Report A's distance, over five quantiles of each sample's grey values.

    Centre and covariance come from the most ordinary half of the samples, so that the outliers do not hide
    themselves. Distances of real images have a far heavier tail than chi-squared (a threshold at p = 0.999 marks
    a quarter of the honest tiles), so the limit is on the robust score of their logarithm.
    """
    features = _per_sample(dataset, lambda pixels: np.quantile(pixels, QUANTILES))
    if len(features) < FEWEST:
        return _none(dataset)
    return _scores(np.log(_robust_distances(features) + 1e-9)) > MAHALANOBIS_LIMIT


def _robust_distances(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared Mahalanobis distances, (N,F) -> (N,), by concentration steps (Rousseeuw and Van Driessen 1999)."""
    scaled = np.stack([_scores(column) for column in features.T], axis=1)
    distances: NDArray[np.float64] = np.square(scaled).sum(axis=1)
    for _ in range(20):  # converges in about five
        core = scaled[np.argsort(distances, kind="stable")[: (len(scaled) + 1) // 2]]
        covariance = np.cov(core, rowvar=False) + 1e-6 * np.eye(scaled.shape[1])
        offset = scaled - core.mean(axis=0)
        distances = (offset @ np.linalg.inv(covariance) * offset).sum(axis=1)
    return distances


def _far_in_mean(dataset: Dataset) -> NDArray[np.bool_]:
    """Report C's mean pixel value, too far from the median on either side."""
    means = _per_sample(dataset, lambda pixels: np.atleast_1d(pixels.mean()))
    return np.abs(_scores(means[:, 0])) > MEAN_LIMIT


def _per_sample(dataset: Dataset, measure: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[np.float64]:
    """Features of each image's grey values, (N,F), one image at a time so that no large temporary is made."""
    rows = [measure(grey(dataset.image(sample))) for sample in range(len(dataset.images))]
    return np.asarray(rows, dtype=np.float64)


def _scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust z-scores: the distance from the median in units of the median deviation, scaled to a Gaussian's."""
    offset = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(offset)))
    scores: NDArray[np.float64] = offset / spread if spread > 0 else np.zeros_like(offset)
    return scores


METHODS: dict[str, Callable[[Dataset], NDArray[np.bool_]]] = {
    "none": _none,
    "auto": foreign_masks,
    "mask": _shared,
    "mahalanobis": _far_in_mahalanobis,
    "mean": _far_in_mean,
}
