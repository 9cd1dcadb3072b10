"""The image files of a folder by stem; nothing leads out of the folder, no two files share a stem."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.errors import DataError

SUFFIXES = ("png", "jpg", "jpeg", "tif", "tiff")
MOST_NAMED = 3  # files that a sentence lists
_KINDS = "PNG, JPEG or TIFF"


@dataclass(frozen=True, kw_only=True)
class Files:
    """What lies in a folder.

    paths: of the images by stem, in the order of the stems. others: the names of what is left out, hidden files apart.
    """

    paths: Mapping[str, Path]
    others: tuple[str, ...] = ()


def image_files(folder: Path, root: Path) -> Files:
    """The images directly in the folder.

    root: the data set's own folder, out of which no link may lead, and from which messages count.
    Raises DataError for a folder that cannot be read, a link that leads out, two files of a stem, unwritable names.
    """
    home = root.resolve()
    _check_inside(folder, home, root)
    found: dict[str, Path] = {}
    others: list[str] = []
    for entry in sorted(_entries(folder, root), key=lambda entry: entry.name):
        if entry.name.startswith(".") or entry.name in ("Thumbs.db", "desktop.ini"):
            continue
        stem, _, suffix = entry.name.rpartition(".")
        path = folder / entry.name
        if suffix.lower() in SUFFIXES and entry.is_symlink():
            _check_inside(path, home, root)
        if suffix.lower() not in SUFFIXES or entry.is_dir():
            others.append(entry.name)
            continue
        _check_name(path, root)
        if not entry.is_file():
            raise DataError(f"{shown(path, root)} is no file that can be read; put an image there, or remove it")
        if stem in found:
            raise DataError(
                f"{shown(found[stem], root)} and {path.name} have the same stem; which one is meant? Rename or remove"
                " one"
            )
        found[stem] = path
    return Files(paths=dict(sorted(found.items())), others=tuple(others))


def read_text(path: Path, name: str, largest: int) -> str:
    """The text of a file of at most so many bytes. name: what messages call it. Raises DataError."""
    try:
        if path.stat().st_size > largest:
            raise DataError(f"{name} has {path.stat().st_size:,} bytes; expected at most {largest:,}")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}); give a file that you may read") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{name} is no text in UTF-8; save it in that encoding") from error


def is_folder(path: Path) -> bool:
    """Whether there is a folder; not so where the path cannot be looked at, which whoever opens it says."""
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def left_out_note(files: Files, folder: str) -> str:
    """A sentence on what in the folder is no image; "" where all is."""
    if not files.others:
        return ""
    are = "is" if len(files.others) == 1 else "are"
    return f"{listed(files.others)} in {folder} {are} no {_KINDS} and left out"


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def shown(path: Path, root: Path) -> str:
    """The path as a message names it: seen from the data set's folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def folder_names(root: Path) -> list[str]:
    """The names of the folders in a folder, hidden ones apart."""
    return sorted(entry.name for entry in _entries(root, root) if entry.is_dir() and not entry.name.startswith("."))


def _entries(folder: Path, root: Path) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise DataError(
            f"{shown(folder, root)} cannot be read ({error.strerror}); give a folder you may read"
        ) from error


def _check_name(path: Path, root: Path) -> None:
    if not path.name.isprintable():
        place = shown(path.parent, root)
        raise DataError(f"{place} holds a file called {path.name!a}, which cannot be written; rename it in plain signs")


def _check_inside(path: Path, home: Path, root: Path) -> None:
    """Raise DataError for a link to somewhere else: a folder that is passed on would take along what it points at."""
    try:
        inside = path.resolve().is_relative_to(home)
    except (OSError, RuntimeError):  # links in a circle
        inside = False
    if not inside:
        raise DataError(
            f"{shown(path, root)} is a link that leads out of the folder; copy what it points at, or name the files in"
            " a CSV with the columns image and mask"
        )
