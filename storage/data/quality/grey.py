"""Grey versions of images for comparisons between them, in which pixels without a label play no part."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.dataset import Dataset


def grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """One image (H, W) or (H, W, 3) as the mean of its channels, (H, W)."""
    values = image.astype(np.float64)
    return values if values.ndim == 2 else values.mean(axis=2)


def grey_images(dataset: Dataset, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """These images in grey, (R, H, W); an ignored pixel gets the mean of its image, since it may hold anything."""
    found = np.empty((len(rows), dataset.height, dataset.width), dtype=np.float32)
    for place, row in enumerate(rows):
        image, counts = grey(dataset.images[row]), dataset.masks[row] != dataset.ignore_label
        found[place] = image if counts.all() else np.where(counts, image, image[counts].mean() if counts.any() else 0.0)
    return found


def unit_rows(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each image as a row of mean 0 and length 1, (R, pixels): the product of two is their correlation.

    An image without any contrast is a row of zeros.
    """
    rows = images.reshape(len(images), -1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.where(length > 1e-6 * np.abs(images).max(initial=1e-30), rows, 0) / np.maximum(
        length, 1e-30
    )
    return unit
