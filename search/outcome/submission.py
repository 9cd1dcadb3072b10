"""Predicted masks as a file: an npz for programs, the homework's CSV for its competition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.errors import UsageError
from storage.atomic_write import replacing_path

_LABELS = tuple(str(label) for label in range(256))


def write_masks(path: Path, masks: NDArray[np.uint8], **beside: NDArray[Any]) -> None:
    """Write an npz with the array ``masks``, uint8 (M, H, W), and those beside it, compressed, whole or not at all."""
    labels = _checked(masks)
    with _writing(path) as part, part.open("wb") as file:
        arrays: dict[str, Any] = {"masks": labels, **beside}
        np.savez_compressed(file, **arrays)


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
