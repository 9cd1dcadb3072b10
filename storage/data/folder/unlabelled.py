"""Images that wait for labels, one at a time: of a data file, of a folder, or a single one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import own_part, own_pixels
from storage.data.dataset import read_class_names, read_images
from storage.data.folder.decoding import Header, probe, read_image
from storage.data.folder.files import SUFFIXES, is_folder, left_out_note, shown
from storage.data.folder.headers import notes_on_images
from storage.data.folder.sources import unlabelled_images
from storage.data.folder.writer import stems
from storage.errors import DataError

LOOKED_AT = 64  # images of a folder whose pixels are measured before the first one is labelled


@dataclass(frozen=True, kw_only=True, eq=False)
class Unlabelled:
    """Images without masks.

    names: of the images, stems or numbers. sizes: height and width of each. read: gives the image at a place, (H, W) or
    (H, W, 3). pixels: of all images, or of some that are spread over them, to be measured: (N, H, W) or (N, H, W, 3).
    class_names: what the data call their classes, () where they do not. single_files: whether each has a file.
    notes: what was assumed or left out, in sentences.
    """

    names: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    read: Callable[[int], NDArray[Any]]
    pixels: Callable[[], NDArray[Any]]
    class_names: tuple[str, ...] = ()
    single_files: bool = True
    notes: tuple[str, ...] = ()


def open_unlabelled(path: Path) -> Unlabelled:
    """The images at a path: an .npz, a folder (its test/, else images/, else itself) or one image.

    Of files only the headers are read. Raises DataError, one sentence that names the file.
    """
    if is_folder(path) or path.suffix.lower().lstrip(".") in SUFFIXES:
        try:
            return _of_files(path)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
    return _of_arrays(path)


def _of_arrays(path: Path) -> Unlabelled:
    images, sizes = read_images(path)
    own = [images.shape[1:3]] * len(images) if sizes is None else sizes.tolist()
    return Unlabelled(
        names=tuple(stems(len(images))),
        sizes=tuple((height, width) for height, width in own),
        read=lambda place: own_part(images, sizes, place),
        pixels=lambda: own_pixels(images, sizes),
        class_names=read_class_names(path),
        single_files=False,
    )


def _of_files(path: Path) -> Unlabelled:
    files, root, part = unlabelled_images(path)
    headers = [probe(file, shown(file, root)) for file in files.paths.values()]
    channels = max(header.channels for header in headers)
    greys = sum(header.channels < channels for header in headers)
    notes = [f"the images are those in {part}/"] if part else []
    notes += [note] if (note := left_out_note(files, part or path.name)) else []
    many = "1 grey image is" if greys == 1 else f"{greys:,} grey images are"
    notes += [f"{many} taken as colour, like the others"] if greys else []
    return Unlabelled(
        names=tuple(files.paths),
        sizes=tuple(header.size for header in headers),
        read=lambda place: _read(headers[place], channels, path),
        pixels=lambda: _some_pixels(headers, channels, path),
        notes=(*notes, *notes_on_images(headers)),
    )


def _read(header: Header, channels: int, path: Path) -> NDArray[Any]:
    """One image with so many channels, of a type that networks take."""
    try:
        image = read_image(header)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        raise DataError(f"{path}: {header.name} holds NaN or infinity; write numbers in their place")
    image = image.astype(np.float32) if image.dtype.kind == "i" else image
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 and channels == 3 else image


def _some_pixels(headers: list[Header], channels: int, path: Path) -> NDArray[Any]:
    """The pixels of up to `LOOKED_AT` images that are spread over all, in one row."""
    chosen = np.unique(np.linspace(0, len(headers) - 1, LOOKED_AT).round().astype(int))
    images = [_read(headers[place], channels, path) for place in chosen]
    return np.concatenate([image.reshape(-1, *image.shape[2:]) for image in images])[None, None]
