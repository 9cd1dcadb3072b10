"""Files that appear only when all of them is on the disk, and the removal of what dead writers left unfinished."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil

from storage.process_identity import machine_id

OLD_S = 86400.0  # an unfinished file of another machine, unchanged for so long, has no writer any more

_PART = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]{12}\.part")


def part_beside(path: Path) -> Path:
    """A hidden, unused name in the folder of ``path``, so that a rename between the two stays on one disk."""
    return path.parent / f".{path.name}.{machine_id()}-{os.getpid()}-{secrets.token_hex(6)}.part"


def is_part(name: str) -> bool:
    """Whether a file or folder has a name of `part_beside`."""
    return _PART.fullmatch(name) is not None


@contextmanager
def replacing_path(path: Path) -> Iterator[Path]:
    """A path to write a file at, which takes the place of ``path`` when the block ends well, and is removed otherwise.

    Raises what the block raises, and OSError for a folder that cannot be written.
    """
    part = part_beside(path)
    try:
        yield part
        _to_disk(part)
        part.replace(path)
    except BaseException:  # also an interrupt: nothing half-written may stay
        with suppress(OSError):
            part.unlink()
        raise
    _to_disk(path.parent)  # the new name, too, must outlive a power cut


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to write files in, which becomes ``path`` when the block ends well, and is removed otherwise.

    path: a new folder, or an empty one, whose place it takes. Raises what the block raises, and OSError.
    """
    path = path.resolve()  # a link to an empty folder stays one
    part = part_beside(path)
    try:
        part.mkdir()
        yield part
        part.replace(path)
    except BaseException:  # also an interrupt: nothing half-written may stay
        shutil.rmtree(part, ignore_errors=True)
        raise
    _to_disk(path.parent)


@contextmanager
def replacing(path: Path, *, private: bool = False) -> Iterator[BinaryIO]:
    """As `replacing_path`, for a block that writes to an open file. private: only its owner may read it."""
    mode = 0o600 if private else 0o666  # which the umask makes smaller
    with (
        replacing_path(path) as part,
        os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target,
    ):
        yield target


def write_bytes(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file whole or not at all."""
    with replacing(path, private=private) as target:
        target.write(content)


def private_folder(path: Path) -> None:
    """Create the folder with its parents; one that is created is for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _to_disk(path: Path) -> None:
    """Wait until a file's contents, or a folder's names, have reached the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path) -> int:
    """Remove what processes of this machine that are gone left unfinished in the folder, and what is a day old.

    How many files and folders there were; trouble with the folder is passed over.
    """
    removed = 0
    with suppress(OSError):
        for part in folder.glob(".*.part"):
            if _abandoned(part):
                shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
                removed += 1
    return removed


def _abandoned(part: Path) -> bool:
    parts = _PART.fullmatch(part.name)
    if parts is None:
        return False
    if parts["machine"] == machine_id():
        return not psutil.pid_exists(int(parts["pid"]))
    return time.time() - part.stat().st_mtime > OLD_S
