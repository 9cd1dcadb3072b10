"""The labels of masks, checked against images and classes; a refusal tells the line of numpy that mends them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.errors import DataError

IGNORED = 255  # what no class has, of at most 255


def checked_ignore_label(ignore_label: int, classes: int) -> int:
    """The label of ignored pixels as a byte: one outside 0 to 255 becomes 255. Raises DataError for a class's label."""
    if 0 <= ignore_label < classes:
        raise DataError(
            f"has ignore_label {ignore_label}; expected a label that no class has, such as {IGNORED}:"
            f" np.where(masks == {ignore_label}, {IGNORED}, masks) with ignore_label={IGNORED}"
        )
    return ignore_label if 0 <= ignore_label <= IGNORED else IGNORED


def checked_labels(
    masks: NDArray[Any], shape: tuple[int, ...], classes: int, ignore_label: int | None
) -> NDArray[np.uint8]:
    """The masks as bytes, ignored pixels at `checked_ignore_label`.

    shape: (N, H, W) of the images. ignore_label: as the masks have it, in any range. Raises DataError.
    """
    if masks.shape != shape:
        mend = _mend_of_shape(masks, shape)
        raise DataError(f"masks have shape {masks.shape}; expected {shape}, one label per pixel: {mend}")
    found = sorted({int(label) for mask in masks for label in np.unique(mask)})  # one by one: no large temporary
    wrong = [label for label in found if not 0 <= label < classes and label != ignore_label]
    if wrong:
        allowed = f"0 to {classes - 1}" + ("" if ignore_label is None else f" or {ignore_label} (ignored)")
        mend = _mend_of_labels(masks, found, wrong, classes, ignore_label)
        raise DataError(
            f"masks hold the labels {wrong[:5]}, but there are {classes} classes; expected {allowed}: {mend}"
        )
    if found == [ignore_label]:
        raise DataError(f"masks hold nothing but the ignored label {ignore_label}; label some pixels")
    labels = np.ascontiguousarray(masks, dtype=np.uint8)
    if ignore_label is not None and not 0 <= ignore_label <= IGNORED and ignore_label in found:
        labels[masks == ignore_label] = IGNORED
    return labels


def _mend_of_labels(
    masks: NDArray[Any], found: Sequence[int], wrong: Sequence[int], classes: int, ignore_label: int | None
) -> str:
    """What to do about labels that no class has."""
    ignored = ignore_label in found
    if wrong == [classes] and 0 not in found:
        return f"np.where(masks == {ignore_label}, masks, masks - 1)" if ignored else "masks - 1 counts from 0"
    if not set(found) & set(range(classes)):
        return "no pixel has a class, label some pixels"
    if found == [0, 255] and classes == 2:
        return "masks // 255 counts from 0, ignore_label=255 says that it means nothing"
    if len(wrong) == 1 and ignore_label is None:
        return f"ignore_label={wrong[0]} says that it means nothing"
    apart = [*wrong] if ignore_label is None else [*wrong, ignore_label]
    sides = ["masks < 0"] * (min(apart) < 0) + [f"masks >= {classes}"] * (max(apart) >= classes)
    where = sides[0] if len(sides) == 1 else f"({sides[0]}) | ({sides[1]})"
    held = "masks.astype(np.int16)" if masks.dtype == np.int8 else "masks"  # a byte with a sign holds no 255
    return f"np.where({where}, {IGNORED}, {held}) with ignore_label={IGNORED} says that they mean nothing"


def _mend_of_shape(masks: NDArray[Any], shape: tuple[int, ...]) -> str:
    """What to do about masks of another shape than (N, H, W)."""
    if masks.ndim == 4 and masks.shape[:3] == shape:
        return _mend_of_channels(masks, "masks")
    if masks.ndim == 4 and (masks.shape[0], *masks.shape[2:]) == shape:
        return _mend_of_channels(masks.transpose(0, 2, 3, 1), "masks.transpose(0, 2, 3, 1)")
    if masks.ndim == 3 and masks.size:
        return _mend_of_sides(masks.shape, shape)
    if masks.size == math.prod(shape):
        return f"masks.reshape{shape} is of that shape"
    return "give each image a mask of its size, np.stack([mask, ...]) makes one array of them"


def _mend_of_sides(had: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What to do about as many axes of other lengths: swapped ones, other images, another size."""
    if order := next((order for order in permutations(range(3)) if tuple(had[k] for k in order) == shape), None):
        return f"masks.transpose{order} swaps the axes"
    if had[0] < shape[0]:
        return f"give each image a mask, images[:{had[0]}] leaves out those after the last mask"
    if had[0] > shape[0]:
        return f"give each mask an image, masks[:{shape[0]}] leaves out those after the last image"
    rows, columns = (f"np.arange({to}) * {side} // {to}" for to, side in zip(shape[1:], had[1:], strict=True))
    return f"masks[:, {rows}][:, :, {columns}] takes the nearest pixels"


def _mend_of_channels(masks: NDArray[Any], name: str) -> str:
    """What to do about masks (N, H, W, C): a grey picture in colour, a channel for each class, or colours."""
    if all((mask == mask[..., :1]).all() for mask in masks):
        return f"{name}[..., 0] takes one of the equal channels"
    if all(((mask != 0).sum(axis=-1) == 1).all() for mask in masks):
        return f"{name}.argmax(axis=-1) of a channel for each class"
    colours = f"np.unique({name}.reshape(-1, {masks.shape[3]}), axis=0, return_inverse=True)"
    return f"{colours}[1].reshape{masks.shape[:3]} numbers the colours"
