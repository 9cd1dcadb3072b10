"""What there is to tell of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from storage.data.dataset import Dataset, class_shares
from storage.data.outliers import Method, find_outliers


@dataclass(frozen=True, kw_only=True)
class DataReport:
    """A data set in numbers.

    samples: labelled ones. groups: None where the data has none. class_shares: of the labelled pixels, 0 to 1, by
    class. excluded_from_mean: classes. outliers: how many samples each method finds. digest: sha256 of the contents.
    """

    samples: int
    test_images: int
    height: int
    width: int
    channels: int
    groups: int | None
    class_shares: Mapping[str, float]
    excluded_from_mean: tuple[str, ...]
    outliers: Mapping[str, int]
    digest: str


def report_on(dataset: Dataset) -> DataReport:
    """Look at every sample; takes some seconds for thousands."""
    shares = class_shares(dataset.masks, dataset.classes, dataset.ignore_label)
    return DataReport(
        samples=len(dataset.images),
        test_images=0 if dataset.test_images is None else len(dataset.test_images),
        height=dataset.height,
        width=dataset.width,
        channels=dataset.channels,
        groups=None if dataset.group is None else len(set(dataset.group.tolist())),
        class_shares=dict(zip(dataset.class_names, shares, strict=True)),
        excluded_from_mean=tuple(dataset.excluded),
        outliers={method: int(find_outliers(dataset, method).sum()) for method in get_args(Method)},
        digest=dataset.digest,
    )
