"""Pixels without a measurement, which a value of the data's own marks: they are filled, and count nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import Sizes, own_part


def filled(images: NDArray[Any], no_data: float, sizes: Sizes | None = None) -> NDArray[Any]:
    """The images with each such pixel at the mean of the measured ones of its image and channel (0 without any).

    sizes: of images on a canvas, of which what lies outside is left as it is.
    """
    made = images.copy()
    for image in (own_part(made, sizes, place) for place in range(len(made))):
        gone = _gone(image, no_data)
        for plane in [image] if image.ndim == 2 else [image[..., channel] for channel in range(image.shape[-1])]:
            plane[gone] = plane[~gone].mean() if not gone.all() else 0
    return made


def without_labels(images: NDArray[Any], masks: NDArray[Any], no_data: float, ignore_label: int) -> NDArray[Any]:
    """The masks with ignore_label at these pixels."""
    gone = np.stack([_gone(image, no_data) for image in images]) if len(images) == len(masks) else np.zeros(0, bool)
    ignored = np.array(ignore_label, np.min_scalar_type(ignore_label))  # of a type, so that the masks' own makes room
    return np.where(gone, ignored, masks) if gone.shape == masks.shape else masks


def _gone(image: NDArray[Any], no_data: float) -> NDArray[np.bool_]:
    """Where one image (H, W) or (H, W, C) holds the value, in any of its channels."""
    found: NDArray[np.bool_] = np.asarray(np.isnan(image) if np.isnan(no_data) else image == no_data)
    return found if found.ndim == 2 else np.asarray(found.any(axis=2))
