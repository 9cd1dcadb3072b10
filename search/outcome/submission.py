"""Predicted masks as a file: an npz for programs, the homework's CSV for its competition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.errors import UsageError
from storage.atomic_write import replacing_path

_LABELS = tuple(str(label) for label in range(256))


def write_prediction(path: Path, masks: NDArray[np.uint8]) -> None:
    """Write masks (M, H, W) as the suffix says: ``.npz`` or ``.csv``. Raises UsageError for another suffix."""
    check_prediction_path(path)
    if path.suffix.lower() == ".csv":
        write_csv(path, masks)
    else:
        write_masks(path, masks)


def check_prediction_path(path: Path) -> None:
    """Raise UsageError when `write_prediction` could not write there: another suffix, or no such folder."""
    if path.suffix.lower() not in (".npz", ".csv"):
        raise UsageError(f"{path}: the masks are written as .npz or .csv, choose a name that ends in one of them")
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, the name of a file was expected")
    if not path.parent.is_dir():
        raise UsageError(f"{path}: the folder {path.parent} does not exist, make it first")


def write_masks(path: Path, masks: NDArray[np.uint8]) -> None:
    """Write an npz with the one array ``masks``, uint8 (M, H, W), compressed, whole or not at all."""
    labels = _checked(masks)
    with _writing(path) as part, part.open("wb") as file:
        np.savez_compressed(file, masks=labels)


def write_csv(path: Path, masks: NDArray[np.uint8]) -> None:
    """Write the homework's submission: header ``id,0,1,...``, then per image its number and H*W labels by row."""
    labels = _checked(masks).reshape(len(masks), -1)
    with _writing(path) as part, part.open("w", encoding="ascii", newline="") as file:
        file.write(",".join(["id", *map(str, range(labels.shape[1]))]) + "\n")
        for number, row in enumerate(labels):
            file.write(f"{number},{','.join(map(_LABELS.__getitem__, row.tolist()))}\n")


def _checked(masks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if masks.ndim != 3 or masks.dtype != np.uint8:
        raise UsageError(f"masks are {masks.dtype} {masks.shape}, uint8 (M, H, W) was expected")
    return masks


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """`replacing_path`, with one sentence when the file cannot be written."""
    try:
        with replacing_path(path) as part:
            yield part
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path}: cannot be written ({reason}), choose a folder you may write to with room") from error
