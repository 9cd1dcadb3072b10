"""A data set read from a source: every image and mask once, straight into its place on the canvas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import Sizes
from storage.data.folder.ai4mars import ai4mars_root, ai4mars_source
from storage.data.folder.codes import CodeBook
from storage.data.folder.coding import Coding, by_colour, listed_coding
from storage.data.folder.decoding import Header, read_image, read_numbers
from storage.data.folder.files import is_folder
from storage.data.folder.guessing import guessed_coding
from storage.data.folder.headers import Headers, canvas_shape, notes_on, read_headers
from storage.data.folder.listed_paths import csv_source
from storage.data.folder.sources import Source, folder_source
from storage.data.labels import IGNORED
from storage.data.layouts import Contents


def is_source(path: Path) -> bool:
    """Whether the path is a data set of single files: a folder, or a CSV of paths."""
    return is_folder(path) or path.suffix.lower() == ".csv"


def find_source(path: Path) -> Source:
    """What lies at the path. Raises DataError where it is no data set."""
    if not is_folder(path):
        return csv_source(path)
    root = ai4mars_root(path)
    return folder_source(path) if root is None else ai4mars_source(root)


def read_contents(path: Path, class_names: Sequence[str] = (), shrink: int = 1) -> tuple[Contents, tuple[str, ...]]:
    """The contents of the data set at the path, and sentences on what was assumed or left out.

    class_names: of masks that hold the labels 0 to K-1 and have no classes.yaml. shrink: each side is divided by this;
    an image's pixel is then the mean of a square, a mask's pixel the one in the middle of it. Raises DataError.
    """
    source = find_source(path)
    headers = read_headers(source, shrink)
    images, sizes = _images(headers.images, headers, shrink)
    masks, coding = _masks(source, headers, class_names, shrink)
    tests = _images(headers.tests, headers, shrink) if headers.tests else (None, None)
    void = any(headers.void)
    contents = Contents(
        images=images,
        masks=masks,
        class_names=coding.names,
        excluded=coding.excluded,
        ignore_label=IGNORED if void else coding.ignore_label,
        group=np.array(source.group, np.str_) if source.group else None,
        test_images=tests[0],
        no_data=None,
        sizes=sizes,
        test_sizes=tests[1],
        card=coding.card,
    )
    shrunk = [f"every side is divided by {shrink}"] if shrink > 1 else []
    return contents, (*source.notes, *coding.notes, *notes_on(headers), *shrunk)


def smaller(array: NDArray[Any], shrink: int) -> NDArray[Any]:
    """An image at a part of its size: means over squares, rounded; what is left at the lower and right edge goes."""
    if shrink == 1:
        return array
    height, width = (side // shrink for side in array.shape[:2])
    squares = array[: height * shrink, : width * shrink].reshape(height, shrink, width, shrink, *array.shape[2:])
    means = squares.mean(axis=(1, 3), dtype=np.float64)
    return np.asarray(means if array.dtype.kind == "f" else np.rint(means)).astype(array.dtype)


def _images(every: Sequence[Header], headers: Headers, shrink: int) -> tuple[NDArray[Any], Sizes | None]:
    canvas = np.zeros(canvas_shape(every, headers.channels, shrink), headers.dtype)
    for place, header in zip(canvas, every, strict=True):
        image = smaller(read_image(header), shrink)
        grey = image.ndim == 2 and headers.channels == 3
        place[: image.shape[0], : image.shape[1]] = image[..., None] if grey else image
    return canvas, _sizes(every, shrink)


def _masks(
    source: Source, headers: Headers, class_names: Sequence[str], shrink: int
) -> tuple[NDArray[np.uint8], Coding]:
    """The labels on a canvas (N, H, W), and what they stand for."""
    book, wanted = CodeBook(), by_colour(source.classes)
    masks = np.zeros(canvas_shape(headers.masks, 1, shrink), np.uint8)
    for place, header in zip(masks, headers.masks, strict=True):
        places = _middles(book.read(header, by_colour=wanted), shrink)
        place[: places.shape[0], : places.shape[1]] = places
    listed = source.classes
    coding = guessed_coding(book, class_names) if listed is None else listed_coding(book, listed)
    for place, void in zip(masks, headers.void, strict=True):
        np.take(coding.table, place, out=place)
        for header in void:
            gone = _middles(read_numbers(header) != 0, shrink)
            place[: gone.shape[0], : gone.shape[1]][gone] = IGNORED
    return masks, coding


def _middles(mask: NDArray[Any], shrink: int) -> NDArray[Any]:
    """A mask at a part of its size: the pixel in the middle of each square."""
    height, width = (side // shrink for side in mask.shape)
    return mask[shrink // 2 :: shrink, shrink // 2 :: shrink][:height, :width]


def _sizes(every: Sequence[Header], shrink: int) -> Sizes | None:
    sizes = np.array([header.size for header in every], np.int32) // shrink
    return None if (sizes == sizes[0]).all() else sizes
