"""The file of a checkpoint without its tensors: which epoch it holds, and how it is removed. Loads no torch."""

from __future__ import annotations

import glob
from contextlib import suppress
from pathlib import Path


def epoch_of(path: Path) -> int | None:
    """The epoch after which the checkpoint at path was taken; None where there is no complete one.

    Reads the header only, so it costs the same for any size.
    """
    from safetensors import SafetensorError, safe_open  # here: the small installation has no safetensors

    try:
        with safe_open(path, framework="numpy") as file:
            epoch = int((file.metadata() or {})["epoch"])
        return epoch if epoch > 0 else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint, if it is there, and what a killed worker left half-written."""
    remove_parts(path)
    path.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what a killed worker left half-written beside the checkpoint at path."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):
            part.unlink(missing_ok=True)
