"""Images of different sizes in one array: each stands at the top left of a canvas as large as the largest.

What lies outside an image holds nothing: in images the mean of the image, in masks the ignored label, so that whatever
looks at labelled pixels alone sees the same as without it. Legend: N images, H x W pixels of the canvas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.npz import memory_limit
from storage.errors import DataError

SMALLEST = 8  # pixels a side: less leaves nothing after the two halvings of the shallowest network

Sizes = NDArray[np.int32]
"""Height and width of each image, (N, 2)."""


def on_canvas(arrays: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], Sizes | None]:
    """Images (h, w) or (h, w, 3), or masks (h, w), as one array (N, H, W) or (N, H, W, 3), and their sizes.

    The sizes are None where all are equal. Outside an image stands 0, until `build_dataset` fills it.
    Raises DataError where the array would take more than `memory_limit`, or where grey and colour are mixed.
    """
    if not arrays:
        raise DataError("holds no samples; give at least one image with its mask")
    channels = {array.shape[2:] for array in arrays}
    if len(channels) > 1:
        raise DataError("holds grey and colour images; np.repeat(grey[..., None], 3, axis=2) makes colour of grey")
    sizes = np.array([array.shape[:2] for array in arrays], dtype=np.int32)
    kind = np.result_type(*{array.dtype for array in arrays})
    height, width = sizes.max(axis=0).tolist()
    shape = (len(arrays), height, width, *channels.pop())
    _check_room(shape, kind.itemsize, sizes)
    if (sizes == sizes[0]).all():
        return np.stack(arrays).astype(kind, copy=False), None
    canvas = np.zeros(shape, dtype=kind)
    for place, array, (rows, columns) in zip(canvas, arrays, sizes.tolist(), strict=True):
        place[:rows, :columns] = array
    return canvas, sizes


def inside(shape: tuple[int, ...], sizes: Sizes) -> NDArray[np.bool_]:
    """Which pixels of a canvas of that shape (N, H, W, ...) belong to its image, (N, H, W)."""
    rows, columns = np.arange(shape[1])[None, :, None], np.arange(shape[2])[None, None, :]
    found: NDArray[np.bool_] = (rows < sizes[:, 0, None, None]) & (columns < sizes[:, 1, None, None])
    return found


def own_part(array: NDArray[Any], sizes: Sizes | None, place: int) -> NDArray[Any]:
    """One image or mask of a canvas in its own size, a view."""
    height, width = array.shape[1:3] if sizes is None else sizes[place].tolist()
    part: NDArray[Any] = array[place, :height, :width]
    return part


def own_parts(array: NDArray[Any], sizes: Sizes | None) -> list[NDArray[Any]]:
    """Each image or mask of a canvas in its own size, views."""
    return [own_part(array, sizes, place) for place in range(len(array))]


def own_pixels(array: NDArray[Any], sizes: Sizes | None) -> NDArray[Any]:
    """All pixels of a canvas (N, H, W, ...) that belong to images, as (1, 1, pixels, ...); the array where all do."""
    return array if sizes is None else array[inside(array.shape, sizes)][None, None]


def checked_sizes(sizes: NDArray[Any], images: NDArray[Any], name: str) -> Sizes:
    """The sizes of the images on a canvas as (N, 2) of int32. name: of the array of sizes. Raises DataError."""
    expected = f"expected ({len(images)}, 2), height and width of each image"
    if sizes.shape != (len(images), 2) or sizes.dtype.kind not in "iu":
        raise DataError(f"{name} have shape {sizes.shape} and dtype {sizes.dtype}; {expected}, whole numbers")
    largest = images.shape[1:3]
    wrong = np.flatnonzero((sizes < SMALLEST).any(axis=1) | (sizes > np.array(largest)).any(axis=1))
    if len(wrong):
        height, width = sizes[wrong[0]].tolist()
        raise DataError(
            f"{name} give {height}x{width} pixels to number {wrong[0]}; expected 8x8 to {largest[0]}x{largest[1]}, the"
            " size of the arrays: correct the number, or leave a smaller image out"
        )
    return sizes.astype(np.int32)


def trimmed(array: NDArray[Any], sizes: Sizes) -> tuple[NDArray[Any], Sizes | None]:
    """The canvas no larger than its largest image, and the sizes: None where all are equal."""
    height, width = sizes.max(axis=0).tolist()
    return array[:, :height, :width], None if (sizes == sizes[0]).all() else sizes


def with_means_outside(images: NDArray[Any], sizes: Sizes) -> NDArray[Any]:
    """The images with their mean, by channel, in each pixel outside; the same array where they stand there already."""
    made = images
    for place, (height, width) in enumerate(sizes.tolist()):
        mean = _mean(images[place, :height, :width])
        beside = (np.s_[place, height:], np.s_[place, :height, width:])
        if all((images[outside] == mean).all() for outside in beside):
            continue
        made = images.copy() if made is images else made
        for outside in beside:
            made[outside] = mean
    return made


def with_label_outside(masks: NDArray[Any], sizes: Sizes, label: int) -> NDArray[Any]:
    """The masks with that label in each pixel outside, of a type that holds it."""
    ignored = np.array(label, np.min_scalar_type(label))  # of a type, so that the masks' own makes room
    return np.where(inside(masks.shape, sizes), masks, ignored)


def _mean(image: NDArray[Any]) -> NDArray[Any]:
    """The mean over the pixels, a number or (C,), in the image's type; the same however the image lies in memory."""
    with np.errstate(invalid="ignore"):  # infinities are refused later, with a sentence
        mean = np.ascontiguousarray(image).mean(axis=(0, 1), dtype=np.float64)
    return np.asarray(mean if image.dtype.kind == "f" else np.rint(mean)).astype(image.dtype)


def _check_room(shape: tuple[int, ...], itemsize: int, sizes: Sizes) -> None:
    needed, limit = int(np.prod([*shape, itemsize], dtype=np.float64)), memory_limit()
    if needed > limit:
        largest = int(np.argmax(sizes.astype(np.int64).prod(axis=1)))
        height, width = sizes[largest].tolist()
        raise DataError(
            f"{shape[0]} images on a canvas of {shape[1]}x{shape[2]} pixels would take {needed:,} bytes of memory, more"
            f" than the {limit:,} bytes allowed: cut the largest (number {largest}, {height}x{width}) into parts, or"
            " use fewer images"
        )
