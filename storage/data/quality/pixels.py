"""The values of a data set's pixels, as training and report see them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from storage.data.canvas import own_pixels
from storage.data.dataset import Dataset

MOST_VALUES = 4_000_000  # that quantiles are taken of
TAIL = 0.001  # of the values on either side that may be anything
BEYOND = 3.0  # spans of the values between the tails that a value may lie beyond them
APART = 0.0005  # share of the pixels that is worth a word when they all have one far value


class PixelReport(BaseModel):
    """The pixels of a data set.

    dtype: of the images. low, high: over all pixels. mean, std: per channel, over the labelled pixels within the
    range that is kept. far_value: one value far from all others that many pixels have, as a marker for "no data" is;
    far_share: of the pixels, 0 to 1.
    """

    model_config = ConfigDict(frozen=True)

    dtype: str
    low: float
    high: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    far_value: float | None
    far_share: float


def describe_pixels(dataset: Dataset) -> PixelReport:
    """Look at every pixel."""
    images, masks, ignore = dataset.images, dataset.masks, dataset.ignore_label
    low, high = float(images.min()), float(images.max())
    bounds = labelled_range(images, masks, ignore)
    statistics = _statistics(draw_in(images, bounds), masks != ignore)
    far_value, far_share = _far_value(own_pixels(images, dataset.sizes), bounds, low, high)
    return PixelReport(
        dtype=images.dtype.name, low=low, high=high, far_value=far_value, far_share=far_share, **statistics
    )


def labelled_range(
    images: NDArray[Any], masks: NDArray[np.uint8], ignore_label: int | None = None
) -> tuple[float, float]:
    """The values that images keep, in the data's own scale; those beyond are drawn in to it.

    All but the outer thousandths of the labelled pixels' values, and three times their span on either side. Eight
    bits hold no value that could do harm.
    """
    if images.dtype == np.uint8:
        return 0.0, 255.0
    values = images[masks != ignore_label].reshape(-1)
    if not len(values):
        return float(images.min()), float(images.max())
    values = values[:: max(1, len(values) // MOST_VALUES)].astype(np.float64)
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    room = BEYOND * max(high - low, 1e-6 * max(abs(low), abs(high), 1.0))
    return float(low - room), float(high + room)


def draw_in(images: NDArray[Any], bounds: tuple[float, float]) -> NDArray[Any]:
    """The images with every value within the bounds; the same array where it is so already."""
    if images.dtype == np.uint8 or (images.min() >= bounds[0] and images.max() <= bounds[1]):
        return images
    if images.dtype.kind == "u":
        bounds = max(0.0, bounds[0]), min(float(np.iinfo(images.dtype).max), bounds[1])
    drawn: NDArray[Any] = np.clip(images, *(images.dtype.type(bound) for bound in bounds))
    return drawn


def _statistics(images: NDArray[Any], kept: NDArray[np.bool_]) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation per channel, over the pixels that are kept."""
    pixels = (images[kept] if kept.any() else images).reshape(-1, 1 if images.ndim == 3 else images.shape[-1])
    return {
        "mean": tuple(pixels.mean(axis=0, dtype=np.float64).tolist()),
        "std": tuple(pixels.std(axis=0, dtype=np.float64).tolist()),
    }


def _far_value(
    images: NDArray[Any], bounds: tuple[float, float], low: float, high: float
) -> tuple[float | None, float]:
    """The extreme value that many pixels have while all others are far from it, and its share."""
    if images.dtype == np.uint8:
        return None, 0.0
    for value in (low, high):
        share = float((images == value).mean())
        others = images[images != value]
        if share < APART or not len(others):
            continue
        span = float(others.max()) - float(others.min())
        gap = min(abs(value - float(others.min())), abs(value - float(others.max())))
        if not bounds[0] <= value <= bounds[1] or gap > BEYOND * max(span, 1e-6):
            return value, share
    return None, 0.0
