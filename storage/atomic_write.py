"""A file that takes its place only when all of it is on the disk, and what is left when its writer dies before that."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil

from storage.process_identity import machine_id

OLD_S = 86400.0  # an unfinished file of another machine that nobody has touched for so long is nobody's

_PART = re.compile(r"\..+\.(?P<machine>[0-9a-f]{8})-(?P<pid>[0-9]+)-[0-9a-f]{12}\.part")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the path's place when the block ends well, and is removed otherwise."""
    part = path.parent / f".{path.name}.{machine_id()}-{os.getpid()}-{secrets.token_hex(6)}.part"
    try:
        with part.open("xb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            part.unlink()
        raise
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # the new name, too, must outlive a power cut
    finally:
        os.close(handle)


def sweep(folder: Path) -> int:
    """Remove what processes of this machine that are gone left unfinished in the folder, and what is a day old.

    How many files there were; trouble with the folder is passed over.
    """
    removed = 0
    with suppress(OSError):
        for part in folder.glob(".*.part"):
            if _abandoned(part):
                part.unlink(missing_ok=True)
                removed += 1
    return removed


def _abandoned(part: Path) -> bool:
    parts = _PART.fullmatch(part.name)
    if parts is None:
        return False
    if parts["machine"] == machine_id():
        return not psutil.pid_exists(int(parts["pid"]))
    return time.time() - part.stat().st_mtime > OLD_S
