"""Folders for passing files, in the place that TMPDIR names and in no other."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageError

LEAST = 16 << 20  # bytes; weights and pictures of a trial come to about as much
REMEDY = "set TMPDIR to a folder that can be written and has room"

_FULL = re.compile(r"no space left on device|disk quota exceeded|file too large", re.IGNORECASE)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new, empty folder, which is removed after the block.

    Python takes another place when TMPDIR cannot be used; a person who set it wants to know. Raises StorageError.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix="marsearch-", dir=os.environ.get("TMPDIR") or None)
    except OSError as error:
        raise StorageError(
            f"no folder for passing files can be made in {_place()} ({_why(error)}): {REMEDY}"
        ) from error
    with made as folder:
        yield Path(folder)


def check_temporary_folder() -> str:
    """Where passing files lie and how much room there is. Raises StorageError where they cannot, or hardly any can."""
    with temporary_folder() as folder:
        free = shutil.disk_usage(folder).free
        try:
            (folder / "probe").write_bytes(b"well" * 1024)
        except OSError as error:
            raise StorageError(f"{folder.parent} cannot be written ({_why(error)}): {REMEDY}") from error
    if free < LEAST:
        raise StorageError(f"{folder.parent} has only {free / 1e6:.0f} MB free for passing files: {REMEDY}")
    return f"{folder.parent} can be written, {free / 1e9:.1f} GB free"


def remedy_for(error: BaseException, folder: Path) -> str:
    """What helps when files in this temporary folder could not be written for want of room; "" for other errors."""
    return f"; {folder.parent} is full: {REMEDY}" if _FULL.search(str(error)) else ""


def _place() -> str:
    wanted = os.environ.get("TMPDIR")
    return f"TMPDIR={wanted}" if wanted else "any of the usual places, /tmp and others"


def _why(error: OSError) -> str:
    return error.strerror or str(error)
