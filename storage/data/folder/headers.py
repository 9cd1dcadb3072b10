"""The headers of all files of a source, checked against each other before any pixel is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from storage.data.canvas import SMALLEST
from storage.data.folder.decoding import Header, probe
from storage.data.folder.files import shown
from storage.data.folder.sources import Source
from storage.data.npz import memory_limit
from storage.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Headers:
    """Of the images, their masks, what else makes pixels of them void, and the images without masks.

    channels: 1 or 3 of all images. dtype: of all images.
    """

    images: tuple[Header, ...]
    masks: tuple[Header, ...]
    void: tuple[tuple[Header, ...], ...]
    tests: tuple[Header, ...]
    channels: int
    dtype: np.dtype[np.generic]


def read_headers(source: Source, shrink: int = 1) -> Headers:
    """Probe every file. shrink: by which all sides will be divided.

    Raises DataError for files that do not go together: sizes, turns, bits, memory.
    """
    root = source.root
    images = tuple(probe(pair.image, shown(pair.image, root)) for pair in source.pairs)
    masks = tuple(probe(pair.mask, shown(pair.mask, root)) for pair in source.pairs)
    void = tuple(tuple(probe(path, shown(path, root)) for path in pair.void) for pair in source.pairs)
    tests = tuple(probe(path, shown(path, root)) for path in source.tests)
    for image, mask, others in zip(images, masks, void, strict=True):
        for other in (mask, *others):
            _check_fit(image, other)
    _check_bits((*images, *tests))
    channels = max(header.channels for header in images)
    if channels == 1 and (coloured := next((header for header in tests if header.channels == 3), None)):
        raise DataError(
            f"{coloured.name} is a colour image, those in images/ are grey; give all in colour, or all in grey"
        )
    found = Headers(images=images, masks=masks, void=void, tests=tests, channels=channels, dtype=images[0].dtype)
    _check_memory(found, shrink)
    _check_smallest(found, shrink)
    return found


def canvas_shape(headers: Sequence[Header], channels: int, shrink: int = 1) -> tuple[int, ...]:
    """The shape of one array with all these images, each at the top left: (N, H, W) or (N, H, W, 3)."""
    height, width = (max(header.size[axis] // shrink for header in headers) for axis in (0, 1))
    return (len(headers), height, width, *((3,) if channels == 3 else ()))


def notes_on(headers: Headers) -> Iterator[str]:
    """Sentences on what is not taken as it stands in the files."""
    every = (*headers.images, *headers.tests)
    yield from notes_on_images(every)
    greys = sum(header.channels == 1 for header in every)
    if headers.channels == 3 and greys:
        yield f"{_images(greys)} {'is' if greys == 1 else 'are'} grey: taken as colour, like the others"


def notes_on_images(every: Sequence[Header]) -> Iterator[str]:
    """Sentences on what is not taken as it stands in these images."""
    if count := sum(header.has_alpha for header in every):
        yield f"the alpha channel (how transparent a pixel is) of {_images(count)} is left out"
    if count := sum(header.cut for header in every):
        yield f"of {_images(count)} in colours of 16 bits a channel the upper 8 are taken"
    if count := sum(header.turn != 1 for header in every):
        yield f"{_images(count)} {'is' if count == 1 else 'are'} turned as EXIF data say"
    if count := sum(header.format == "MPO" for header in every):
        yield f"of {_images(count)} with further pictures inside, as phones make them, the first one is taken"


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _check_fit(image: Header, mask: Header) -> None:
    """Raise DataError where a mask is not of its image's size, or it is doubtful which way up it is."""
    if image.turn != mask.turn and not (mask.turn == 1 and mask.size == image.size != image.stored):
        turned = image if image.turn != 1 else mask
        raise DataError(
            f"{turned.name} says in its EXIF data that it is to be turned, {(mask if turned is image else image).name}"
            " does not say so: which way up it was labelled is unknown; save both upright, such as with Pillow's"
            " ImageOps.exif_transpose"
        )
    if image.size != mask.size:
        raise DataError(
            f"{mask.name} has {mask.height}x{mask.width} pixels, {image.name} has {image.height}x{image.width}; give"
            " each image a mask of its size (resize labels with the nearest pixel, never smoothly)"
        )


def _check_bits(headers: Sequence[Header]) -> None:
    """Raise DataError where images hold numbers on several scales."""
    kinds = Counter(header.dtype.name for header in headers)
    if len(kinds) > 1:
        odd = next(header for header in headers if header.dtype.name == min(kinds, key=lambda kind: kinds[kind]))
        other = next(header for header in headers if header.dtype != odd.dtype)
        raise DataError(
            f"{odd.name} holds {odd.dtype.name}, {other.name} {other.dtype.name}; bring all images to one number of"
            " bits"
        )


def _check_memory(found: Headers, shrink: int) -> None:
    """Raise DataError for more than may be held, before any of it is."""
    images = canvas_shape(found.images, found.channels, shrink)
    needed = int(np.prod(images, dtype=np.float64)) * found.dtype.itemsize + int(np.prod(images[:3], dtype=np.float64))
    if found.tests:
        tests = canvas_shape(found.tests, found.channels, shrink)
        needed += int(np.prod(tests, dtype=np.float64)) * found.dtype.itemsize
    if needed > (limit := memory_limit()):
        largest = max((*found.images, *found.tests), key=lambda header: header.height * header.width)
        raise DataError(
            f"the images would take {needed:,} bytes of memory, more than the {limit:,} bytes allowed (the largest is"
            f" {largest.name}, {largest.height}x{largest.width}); marsearch data import SOURCE OUT.npz --shrink 4"
            " makes them smaller"
        )


def _check_smallest(found: Headers, shrink: int) -> None:
    """Raise DataError where shrinking leaves too little of an image."""
    smallest = min((*found.images, *found.tests), key=lambda header: min(header.size))
    if min(smallest.size) // shrink < SMALLEST:
        raise DataError(
            f"{smallest.name} has {smallest.height}x{smallest.width} pixels, too few for --shrink {shrink}; expected"
            f" {SMALLEST}x{SMALLEST} or more after that: take a smaller --shrink"
        )
