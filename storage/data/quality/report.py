"""What there is to tell of a data set; `storage.data.quality.examination` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from storage.data.canvas import Sizes
from storage.data.dataset import Dataset, class_shares
from storage.data.quality.pixels import PixelReport


class PartReport(BaseModel):
    """One part of a split. images, pixels: how many show a class, and how many pixels it has, by class."""

    model_config = ConfigDict(frozen=True)

    samples: int
    images: Mapping[str, int]
    pixels: Mapping[str, int]


class DataReport(BaseModel):
    """A data set in numbers, with what a study does with it.

    samples: labelled ones. groups: None where the data has none. class_shares: of the labelled pixels, 0 to 1, by
    class. excluded_from_mean: classes. clean: the rule for contaminated samples. left_out: how many it found.
    equal_images, near_equal_images: samples whose image stands elsewhere in the set, to the bit or nearly.
    parts: train, validation and, if there is one, holdout. notes: what a person should know, in sentences.
    digest: sha256 of the contents. licence, source: of the data, as they say themselves; "" where they do not.
    """

    model_config = ConfigDict(frozen=True)

    samples: int
    test_images: int
    height: int
    width: int
    smallest: tuple[int, int] | None = None
    channels: int
    groups: int | None
    pixels: PixelReport
    class_shares: Mapping[str, float]
    excluded_from_mean: tuple[str, ...]
    clean: str
    left_out: int
    equal_images: int
    near_equal_images: int
    parts: Mapping[str, PartReport]
    notes: tuple[str, ...]
    digest: str
    licence: str = ""
    source: str = ""


def report_on_part(dataset: Dataset, samples: NDArray[np.int64]) -> PartReport:
    """Count the classes of these samples."""
    masks = dataset.masks[samples]
    counts = np.stack([(masks == label).sum(axis=(1, 2)) for label in range(dataset.classes)], axis=1)
    return PartReport(
        samples=len(samples),
        images=dict(zip(dataset.class_names, (counts > 0).sum(axis=0).tolist(), strict=True)),
        pixels=dict(zip(dataset.class_names, counts.sum(axis=0).tolist(), strict=True)),
    )


def facts_of_arrays(dataset: Dataset) -> dict[str, Any]:
    """The fields of a report that need no choice of a study."""
    shares = class_shares(dataset.masks, dataset.classes, dataset.ignore_label)
    return {
        "samples": len(dataset.images),
        "test_images": 0 if dataset.test_images is None else len(dataset.test_images),
        "height": dataset.height,
        "width": dataset.width,
        "smallest": None if dataset.sizes is None else _smallest(dataset.sizes),
        "channels": dataset.channels,
        "groups": None if dataset.group is None else len(set(dataset.group.tolist())),
        "class_shares": dict(zip(dataset.class_names, shares, strict=True)),
        "excluded_from_mean": dataset.excluded,
        "digest": dataset.digest,
        "licence": dataset.card.licence,
        "source": dataset.card.source,
    }


def _smallest(sizes: Sizes) -> tuple[int, int]:
    """Height and width of the image of fewest pixels."""
    height, width = min(sizes.tolist(), key=lambda size: (size[0] * size[1], size))
    return height, width
