"""The folder that a bundle is put into: a new one, an empty one, or one with a bundle whose place it takes.

The folder itself stays, with its mode, as the mount point or the working directory that it may be.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from search.errors import BundleError
from search.outcome.manifest import MANIFEST, RECIPE, WEIGHTS, bundle_files, read_manifest, unlisted
from storage.atomic_write import part_beside, sweep


def check_target(out: Path) -> None:
    """Raise BundleError when `write_bundle` would refuse ``out``; call it before a long training."""
    out = out.resolve()
    place = next(path for path in (out, *out.parents) if path.exists())
    if not place.is_dir():
        raise BundleError(f"{out}: {place} is a file, the name of a folder was expected")
    if not os.access(place, os.W_OK | os.X_OK):
        raise BundleError(f"{out}: {place} is no folder you may write to: choose another place")
    if place != out or bundle_files(out) <= {WEIGHTS, RECIPE}:
        return  # nothing, or what a training has kept whose bundle was not finished
    try:
        listed = read_manifest(out)
    except BundleError as error:
        raise BundleError(f"{out}: is a folder that is no bundle: give a new or an empty one") from error
    others = unlisted(out, listed)
    if others:
        raise BundleError(f"{out}: holds {others[0]!r:.80} beside the bundle: move it away or give another folder")


@contextmanager
def filled_folder(out: Path) -> Iterator[Path]:
    """Give the block an empty folder within ``out``, whose files take their places there if the block ends well.

    On any failure, also an interrupt, ``out`` is as it was.
    """
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    sweep(out)
    part = part_beside(out / "bundle")  # within: beside it may be another disk, or no room for anybody
    try:
        part.mkdir()
        yield part
        fill(part, out)
    except BaseException:  # also an interrupt: nothing half-written may stay
        shutil.rmtree(part, ignore_errors=True)
        if made:
            with suppress(OSError):
                out.rmdir()
        raise
    shutil.rmtree(part, ignore_errors=True)


def fill(part: Path, out: Path) -> None:
    """Move a bundle into ``out``, its manifest last; the former one leaves first, and comes back if that fails."""
    new, aside = sorted(bundle_files(part) - {MANIFEST}), part / "former"
    there = [name for name in (MANIFEST, *_former(out)) if (out / name).exists()]
    moved: list[tuple[Path, Path]] = []
    try:
        for name in there:
            _move(out / name, aside / name, moved)
        for name in (*new, MANIFEST):
            _move(part / name, out / name, moved)
    except BaseException:
        for source, target in reversed(moved):
            target.rename(source)
        raise


def _former(out: Path) -> list[str]:
    return sorted(read_manifest(out)) if (out / MANIFEST).exists() else [WEIGHTS, RECIPE]


def _move(source: Path, target: Path, moved: list[tuple[Path, Path]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    moved.append((source, target))
