"""The file of a checkpoint without its tensors: which epoch it holds, and how it is removed. Loads no torch."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

_LENGTH = 8  # bytes at the start of a safetensors file that hold the length of its header
_LONGEST = 100_000_000  # bytes that a header may have (safetensors' own bound)


def epoch_of(path: Path) -> int | None:
    """The epoch after which the checkpoint at path was taken; None where there is no complete one.

    Reads the header only, so it costs the same for any size.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH), "little")
            if not 0 < length <= min(_LONGEST, size - _LENGTH):
                return None
            header = json.loads(file.read(length))
        complete = size == _LENGTH + length + _end(header)
        epoch = int(header["__metadata__"]["epoch"])
        return epoch if complete and epoch > 0 else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint, if it is there, and what a killed worker left half-written."""
    remove_parts(path)
    path.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what a killed worker left half-written beside the checkpoint at path."""
    for part in path.parent.glob(f".{_literal(path.name)}.*.part"):
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _end(header: dict[str, Any]) -> int:
    """How many bytes of tensors the header speaks of."""
    return max((tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"), default=0)


def _literal(name: str) -> str:
    """The name with the characters that a glob pattern treats specially in brackets."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
