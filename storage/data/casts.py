"""Arrays that hold what is wanted in another type are taken where nothing is lost; else a line of numpy mends them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError

LARGEST_EXACT = 2**24  # whole numbers that float32 holds


def as_images(images: NDArray[Any], name: str) -> NDArray[Any]:
    """Images (N, H, W) or (N, H, W, 3) as uint8, uint16 or float32; a last axis of length 1 is dropped.

    Whole numbers take the smallest of these types that holds them, other floats become float32. Raises DataError.
    """
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    _check_shape(images, name)
    kind = images.dtype.kind
    if kind == "b":
        return images.astype(np.uint8)
    if images.dtype.name in ("uint8", "uint16", "float32"):
        return images
    if kind == "f":
        return _as_float32(images, name)
    if kind in "iu":
        return _as_smaller(images, name)
    raise DataError(f"{name} have dtype {images.dtype}; expected numbers, such as {name}.astype(np.uint8)")


def of_one_type(images: NDArray[Any], others: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Both as the smaller of uint16 and float32 that holds either, where their types differ."""
    if images.dtype == others.dtype:
        return images, others
    kind = np.float32 if "f" in (images.dtype.kind, others.dtype.kind) else np.uint16
    return images.astype(kind), others.astype(kind)


def as_labels(masks: NDArray[Any]) -> NDArray[Any]:
    """Masks (N, H, W) of any type whose values are whole numbers; a last axis of length 1 is dropped.

    Raises DataError.
    """
    if masks.ndim == 4 and masks.shape[3] == 1:
        masks = masks[..., 0]
    if masks.dtype.kind == "b":
        return masks.astype(np.uint8)
    if masks.dtype.kind in "iu":
        return masks
    if masks.dtype.kind != "f":
        raise DataError(f"masks have dtype {masks.dtype}; expected whole numbers, such as masks.astype(np.uint8)")
    if not all(np.array_equal(mask, np.round(mask)) for mask in masks):
        raise DataError(
            f"masks have dtype {masks.dtype} with values that are no whole numbers, such as {_a_fraction(masks):g};"
            " expected labels 0, 1, ...: np.round(masks).astype(np.uint8), or masks.argmax(axis=-1) of probabilities"
        )
    return masks.astype(np.int64)


def _a_fraction(masks: NDArray[Any]) -> float:
    return float(next(value for value in masks.ravel() if value != np.round(value)))


def _check_shape(images: NDArray[Any], name: str) -> None:
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3):
        return
    wanted = f"{name} have shape {images.shape}; expected (N, H, W) grey or (N, H, W, 3) colour"
    if images.ndim == 4 and images.shape[1] in (1, 3):
        raise DataError(f"{wanted}: {name}.transpose(0, 2, 3, 1) puts the channels last")
    if images.ndim == 4 and images.shape[3] in (2, 4):
        raise DataError(f"{wanted}: {name}[..., :{images.shape[3] - 1}] drops an alpha channel")
    if images.ndim == 2:
        raise DataError(f"{wanted}: {name}[None] makes one image a set of one")
    raise DataError(f"{wanted}: {_mend_of_shape(images, name)}")


def _mend_of_shape(images: NDArray[Any], name: str) -> str:
    """What to do about other numbers of axes and channels."""
    if images.ndim < 2:
        return f"np.stack([image, ...]) makes {name} of single images"
    if images.ndim > 4:
        kept = images.shape[-3:] if images.shape[-1] == 3 else images.shape[-2:]
        return f"{name}.reshape{(-1, *kept)} makes one set of all, and the masks likewise"
    if images.shape[1] < images.shape[3]:
        return f"{name}[:, 0] takes one of {images.shape[1]} channels"
    return f"{name}[..., :3] takes three of {images.shape[3]} channels"


def _as_float32(images: NDArray[Any], name: str) -> NDArray[np.float32]:
    largest = float(np.finfo(np.float32).max)
    found = np.longdouble(max((np.abs(image[np.isfinite(image)]).max(initial=0.0) for image in images), default=0.0))
    if found > largest:
        raise DataError(
            f"{name} have dtype {images.dtype} with values beyond float32; divide them, such as"
            f" {name} / 1e{int(np.floor(np.log10(found)))}"
        )
    return images.astype(np.float32)


def _as_smaller(images: NDArray[Any], name: str) -> NDArray[Any]:
    low, high = int(images.min(initial=0)), int(images.max(initial=0))
    for kind, least, most in (
        (np.uint8, 0, 255),
        (np.uint16, 0, 65535),
        (np.float32, -LARGEST_EXACT, LARGEST_EXACT),
    ):
        if low >= least and high <= most:
            return images.astype(kind)
    raise DataError(
        f"{name} have dtype {images.dtype} with values {low} to {high}; {name} / {max(high, 1)} makes floats"
    )
