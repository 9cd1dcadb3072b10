"""Images checked for what nothing can be trained on; a refusal tells the line of numpy that mends them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import SMALLEST
from storage.errors import DataError


def check_images(images: NDArray[Any], name: str) -> None:
    """Raise DataError for no image, for small ones, and for values that are no numbers. name: of the array."""
    if len(images) == 0 and name == "images":
        raise DataError("holds no samples; give at least one image with its mask")
    if min(images.shape[1:3]) < SMALLEST:
        size = f"{images.shape[1]}x{images.shape[2]}"
        raise DataError(f"{name} are {size} pixels; expected at least 8x8: {_mend_of_size(images, name)}")
    if images.dtype.kind == "f" and (broken := _not_finite(images)):
        mend = f"np.nan_to_num({name}) replaces them, no_data=np.nan says that they hold no measurement"
        raise DataError(f"{name} hold NaN or infinity (first in number {broken[0]}); {mend}")


def _mend_of_size(images: NDArray[Any], name: str) -> str:
    """What to do about images that are too small."""
    if not min(images.shape[1:3]):
        return "they hold no pixels, leave them out"
    more = [max(0, SMALLEST - side) for side in images.shape[1:3]]
    mend = f"np.pad(images, {((0, 0), (0, more[0]), (0, more[1]), (0, 0))[: images.ndim]}, 'edge') makes them larger"
    return f"{mend}, and the masks likewise" if name == "images" else mend.replace("images", name.strip("'"), 1)


def _not_finite(images: NDArray[Any]) -> list[int]:
    """The first image that is not finite, found one by one so that no large temporary is made."""
    return next(([index] for index, image in enumerate(images) if not np.isfinite(image).all()), [])


def check_tests(test_images: NDArray[Any], images: NDArray[Any]) -> None:
    """Raise DataError for test images that nothing trained on the images can label."""
    check_images(test_images, "test images")
    if test_images.shape[3:] != images.shape[3:]:
        channels, expected = (3 if array.ndim == 4 else 1 for array in (test_images, images))
        raise DataError(
            f"test images have {channels} channel{'s' if channels > 1 else ''}; expected {expected} like the images:"
            f" {_mend_of_tests(test_images, images)}"
        )


def _mend_of_tests(test_images: NDArray[Any], images: NDArray[Any]) -> str:
    """What to do about test images of another number of channels."""
    if images.ndim == 4:
        return "np.repeat(test_images[..., None], 3, axis=-1) makes colour of grey"
    return f"test_images.mean(axis=-1).astype(np.{test_images.dtype.name}) makes grey of colour"
