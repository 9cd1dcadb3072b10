"""The arrays of one training, as they come from a data set and a split."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spaces.facts import DataFacts


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingData:
    """What a training learns from and is judged on.

    train_images: (N, H, W) grey or (N, H, W, 3), uint8, uint16 or float32, in the data's own scale.
    train_masks: (N, H, W) uint8 labels 0 .. K-1, or ignore_label.
    validation_images: (M, H, W) or (M, H, W, 3), same type as the training images.
    validation_masks: (M, H, W) uint8.
    facts: channels, size and classes of the data.
    ignore_label: label of pixels that count nowhere, neither in the loss nor in a metric; None if there is none.
    bounds: the least and largest value of a pixel, which new images keep as well.
    shown: places in the validation part, of the images whose labels are wanted after each epoch.
    train_sizes, validation_sizes: (N, 2) and (M, 2), height and width of each image where they differ: then each stands
        at the top left of its array, and beside it ignore_label; None where all are equal.
    """

    train_images: NDArray[Any]
    train_masks: NDArray[np.uint8]
    validation_images: NDArray[Any]
    validation_masks: NDArray[np.uint8]
    facts: DataFacts
    ignore_label: int | None = None
    bounds: tuple[float, float] = (-math.inf, math.inf)
    shown: tuple[int, ...] = ()
    train_sizes: NDArray[np.int32] | None = None
    validation_sizes: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        """Refuse empty parts, sizes that disagree and a number of channels that is not that of the facts."""
        self._check("training", self.train_images, self.train_masks)
        self._check("validation", self.validation_images, self.validation_masks)

    def _check(self, part: str, images: NDArray[Any], masks: NDArray[np.uint8]) -> None:
        if len(images) == 0:
            raise ValueError(f"the {part} part is empty: it needs at least one image")
        channels = 1 if images.ndim == 3 else images.shape[-1]
        if images.shape[:3] != masks.shape or channels != self.facts.channels:
            raise ValueError(
                f"{part} images {images.shape} and masks {masks.shape} must agree in (N, H, W)"
                f" and have {self.facts.channels} channels"
            )


def channel_statistics(
    images: NDArray[Any], masks: NDArray[np.uint8] | None = None, ignore_label: int | None = None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of (N, H, W) or (N, H, W, 3), in float64; a deviation of 0 becomes 1.

    Over the labelled pixels where masks (N, H, W) are given: an ignored one may hold anything.
    """
    kept = None if masks is None else masks != ignore_label
    pixels = images if kept is None or kept.all() or not kept.any() else images[kept]
    pixels = pixels.reshape(-1, 1 if images.ndim == 3 else images.shape[-1])
    mean = pixels.mean(axis=0, dtype=np.float64)
    std = pixels.std(axis=0, dtype=np.float64)
    return tuple(mean.tolist()), tuple(np.where(std == 0, 1.0, std).tolist())


def label_shares(masks: NDArray[np.uint8], classes: int, ignore_label: int | None = None) -> tuple[float, ...]:
    """Share of each label 0 .. classes-1 among the pixels that carry one of them; zeros when none does."""
    counts = label_counts(masks, classes, ignore_label)
    return tuple((counts / max(1, counts.sum())).tolist())


def label_counts(masks: NDArray[np.uint8], classes: int, ignore_label: int | None = None) -> NDArray[np.int64]:
    """Pixels of each label 0 .. classes-1, (K,)."""
    counts = np.bincount(masks.ravel(), minlength=256)
    if ignore_label is not None:
        counts[ignore_label] = 0
    return counts[:classes]
