"""What numbers the images of a training hold, and whether other images are on the same scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import own_pixels
from storage.data.dataset import Dataset

MOST = 2_000_000  # numbers that are looked at, evenly spread: percentiles of more are the same
OTHER_SCALE = {True: 8.0, False: 32.0}
"""From this ratio on the scale is another one: of another type, and of floating point numbers of the same. Integers of
the same type may be as dark as they like."""
FACTORS = {frozenset({"uint8", "uint16"}): 257.0, frozenset({"uint16", "float32"}): 65535.0}
"""Between the full ranges of two types, floating point ending at 1; 255 for any other pair."""
MOST_VOID = 4
FAR = 2.0  # deviations of the mean, from which on images look other than those of the training
SPREAD = 4.0  # the same, as a ratio of the deviations


@dataclass(frozen=True, kw_only=True)
class Pixels:
    """The numbers in images, those of void pixels left out.

    dtype: as numpy names it. low, high: the 1st and the 99th percentile. void: what stands in void pixels and in no
    other, such as -9999: a few numbers at most.
    """

    dtype: str
    minimum: float
    maximum: float
    low: float
    high: float
    mean: float
    std: float
    void: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what is no description of pixels, as a file from elsewhere may hold."""
        np.dtype(self.dtype)
        if not all(
            map(math.isfinite, (*self.void, self.minimum, self.maximum, self.low, self.high, self.mean, self.std))
        ):
            raise ValueError("finite numbers were expected")

    @property
    def scale(self) -> float:
        """The size of the largest numbers."""
        return max(abs(self.low), abs(self.high))

    def __str__(self) -> str:
        return f"{self.dtype} from {self.low:.4g} to {self.high:.4g}"


def pixels_of(dataset: Dataset, void: Sequence[float] = ()) -> Pixels:
    """The numbers in a data set's images, those of ignored pixels left out. void: as `measure_pixels` takes it."""
    counted = own_pixels(dataset.masks, dataset.sizes) != dataset.ignore_label
    return measure_pixels(own_pixels(dataset.images, dataset.sizes), counted, void)


def measure_pixels(
    images: NDArray[Any], counted: NDArray[np.bool_] | None = None, void: Sequence[float] = ()
) -> Pixels:
    """The numbers in images (N, H, W) or (N, H, W, C).

    counted: (N, H, W), False where a pixel is void. void: numbers that make a pixel void, see `Pixels`.
    """
    every = images.reshape(-1, 1 if images.ndim == 3 else images.shape[-1])
    kept = np.ones(len(every), bool) if counted is None else counted.ravel()
    kept = kept & ~np.isin(every, void).all(axis=1) if void else kept
    pixels = every if kept.all() or not kept.any() else every[kept]
    numbers = pixels[:: max(1, pixels.size // MOST)].astype(np.float64)
    low, high = np.percentile(numbers, (1, 99))
    return Pixels(
        dtype=images.dtype.name,
        minimum=float(pixels.min()),
        maximum=float(pixels.max()),
        low=float(low),
        high=float(high),
        mean=float(numbers.mean()),
        std=float(numbers.std()),
        void=tuple(void) or _void(every[~kept], pixels),
    )


def _void(left_out: NDArray[Any], pixels: NDArray[Any]) -> tuple[float, ...]:
    """The numbers in void pixels, if they are a few that no other pixel has."""
    found = np.unique(left_out)
    return tuple(found.tolist()) if len(found) <= MOST_VOID and not np.isin(pixels, found).any() else ()


def other_scale(trained: Pixels, given: Pixels) -> str:
    """What brings images to the scale of those of the training, such as "* 255"; "" where they are on it.

    On another scale no label would mean anything.
    """
    other = given.dtype != trained.dtype
    limit = OTHER_SCALE[other] if other or given.dtype.startswith("float") else math.inf
    if min(trained.scale, given.scale) > 0 and not 1 / limit < given.scale / trained.scale < limit:
        return _factor(trained, given)
    return ""


def other_look(trained: Pixels, given: Pixels) -> str:
    """In which numbers images look other than those of the training; "" where they do not."""
    spread = given.std / trained.std if trained.std > 0 and given.std > 0 else 1.0
    if abs(given.mean - trained.mean) <= FAR * trained.std and 1 / SPREAD < spread < SPREAD:
        return ""
    return f"mean {given.mean:.4g} and deviation {given.std:.4g} instead of {trained.mean:.4g} and {trained.std:.4g}"


def _factor(trained: Pixels, given: Pixels) -> str:
    """What brings numbers to the scale: the usual factor between the types where it is near."""
    wanted = trained.scale / given.scale
    size = max(wanted, 1 / wanted)
    usual = FACTORS.get(frozenset({trained.dtype, given.dtype}), 255.0)
    factor = usual if 0.4 < usual / size < 2.5 else float(f"{size:.2g}")
    return f"{'*' if wanted > 1 else '/'} {factor:g}"
