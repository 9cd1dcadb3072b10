"""Where predicted labels go, told by the name: an .npz, the homework's .csv, one .png, or a folder of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from search.errors import UsageError
from search.outcome.pictures.labelled import write_labelled
from search.outcome.submission import write_csv, write_masks
from spaces.facts import DataFacts
from storage.atomic_write import replacing_folder, replacing_path
from storage.data.canvas import on_canvas
from storage.data.labels import IGNORED

Kind = Literal["npz", "csv", "png", "folder"]
Put = Callable[[int, NDArray[Any], NDArray[np.uint8]], None]
"""Takes the place of an image among all, the image, and its labels (H, W)."""

_KINDS: dict[str, Kind] = {".npz": "npz", ".csv": "csv", ".png": "png", "": "folder"}
_EXPECTED = "name a file that ends in .npz, .csv or .png, or a folder for a PNG of each image"


@dataclass(frozen=True, kw_only=True)
class LabelTarget:
    """A place for labels that was free when it was looked at."""

    path: Path
    kind: Kind
    overlay: bool = False

    def check(self, names: Sequence[str], sizes: Sequence[tuple[int, int]]) -> None:
        """Raise UsageError where these images do not fit in: several in one .png, several sizes in a .csv."""
        if self.kind == "png" and len(names) > 1:
            raise UsageError(f"{self.path}: holds one image, and there are {len(names):,}: name a folder instead")
        if self.kind == "csv" and len(set(sizes)) > 1:
            raise UsageError(
                f"{self.path}: has a row of labels for each image, all of one length, and these images have"
                f" {len(set(sizes))} sizes: name an .npz, or a folder for a PNG of each image"
            )


def label_target(path: Path, *, overlay: bool = False) -> LabelTarget:
    """The place of that name. Raises UsageError for a name that tells nothing, and where nothing can be written."""
    try:
        kind = _kind(path)
    except OSError as error:  # a name that is too long, a folder that may not be looked into
        raise UsageError(f"{path}: cannot be looked at ({error.strerror}), choose another place") from error
    if overlay and kind not in ("png", "folder"):
        raise UsageError(f"--overlay: {path} holds labels alone, {_EXPECTED.replace('.npz, .csv or ', '')}")
    return LabelTarget(path=path, kind=kind, overlay=overlay)


def _kind(path: Path) -> Kind:
    """What is to be written at the path, which is free. Raises UsageError, OSError."""
    there, suffix = path.is_dir(), path.suffix.lower()
    kind = "folder" if there else _KINDS.get(suffix)
    if kind is None or (kind == "folder" and not there and path.exists()):
        raise UsageError(f"{path}: is no place for labels, {_EXPECTED}")
    if there and suffix in (".npz", ".csv", ".png"):
        raise UsageError(f"{path}: is a folder, the name of a file was expected")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist, make it first")
    if there and any(path.iterdir()):
        raise UsageError(f"{path}: is a folder that holds something, name a new or an empty one")
    return kind


@contextmanager
def label_writer(target: LabelTarget, names: Sequence[str], facts: DataFacts, *, with_names: bool) -> Iterator[Put]:
    """What takes the labels of one image after another; they appear when the block ends well, all or none.

    names: of the images; with_names: whether an .npz holds them, too. Raises UsageError where they cannot be written.
    """
    try:
        if target.kind == "folder":
            with replacing_folder(target.path) as part:
                yield _pictures(lambda place: part / f"{names[place]}.png", facts, overlay=target.overlay)
        elif target.kind == "png":
            with replacing_path(target.path) as part:
                yield _pictures(lambda _: part, facts, overlay=target.overlay)
        else:
            found: dict[int, NDArray[np.uint8]] = {}
            yield lambda place, _, labels: found.update({place: labels})
            _write_arrays(target, [found[place] for place in range(len(names))], names if with_names else ())
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"{target.path}: cannot be written ({reason}), choose a place you may write to with room"
        ) from error


def _pictures(path_of: Callable[[int], Path], facts: DataFacts, *, overlay: bool) -> Put:
    return lambda place, image, labels: write_labelled(path_of(place), image, labels, facts, overlay=overlay)


def _write_arrays(target: LabelTarget, every: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> None:
    masks, sizes = on_canvas(every)
    if target.kind == "csv":
        write_csv(target.path, masks)
        return
    beside: dict[str, NDArray[Any]] = {"names": np.array(names, np.str_)} if names else {}
    if sizes is not None:
        beside["sizes"] = sizes
        for place, (height, width) in enumerate(sizes.tolist()):
            masks[place, height:], masks[place, :, width:] = IGNORED, IGNORED
    write_masks(target.path, masks, **beside)
