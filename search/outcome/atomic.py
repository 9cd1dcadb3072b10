"""Files that appear complete or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def part_beside(path: Path) -> Path:
    """A hidden, unused name in the folder of ``path``, so that a rename between the two stays on one disk."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the block a temporary path to write; rename it to ``path`` if the block ends well, else remove it.

    Raises: whatever the block raises, and OSError when the folder cannot be written.
    """
    temporary = part_beside(path)
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:  # also an interrupt: nothing half-written may stay
        temporary.unlink(missing_ok=True)
        raise
