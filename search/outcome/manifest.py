"""The list of a bundle's files with their sha256: what is not on it, or not as it says, is not trusted."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from search.errors import BundleError
from storage.atomic_write import is_part, write_bytes

MANIFEST = "manifest.json"
WEIGHTS, RECIPE, ONNX, METRICS, CARD = "weights.safetensors", "recipe.yaml", "model.onnx", "metrics.json", "README.md"
REQUIRED = (WEIGHTS, RECIPE, ONNX, METRICS, CARD)
PICTURES = "pictures"
FORMAT, VERSION = "marsearch bundle", 1

_LARGEST_MANIFEST = 1_000_000  # bytes; a bundle lists about ten files
LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", "lost+found", ".gitattributes", ".cache", ".git"}
"""What desktops leave in every folder they show, file systems in their topmost one, and git and the Hugging Face Hub in
a copy of theirs."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PICTURE = re.compile(rf"{PICTURES}/[^/\\:\x00-\x1f]+")
_AGAIN = "export or copy the bundle again"


def write_manifest(folder: Path) -> None:
    """List every file of the folder with its sha256, and the format version."""
    digests = {name: _digest(folder / name) for name in sorted(bundle_files(folder)) if name != MANIFEST}
    document = {"format": FORMAT, "version": VERSION, "files": digests}
    write_bytes(folder / MANIFEST, json.dumps(document, indent=2).encode() + b"\n")


def read_manifest(folder: Path) -> dict[str, str]:
    """The sha256 of each file of a bundle by its name in the bundle (``pictures/00_panel.png``).

    Raises BundleError when the folder is no bundle, the manifest is not readable, of another version, lacks a
    required file, or names anything that has no place in a bundle (an absolute path, a path with ``..``).
    """
    document = _document(folder)
    if document.get("format") != FORMAT or document.get("version") != VERSION:
        came = f"{document.get('format')!r} version {document.get('version')!r}"
        raise BundleError(f"{folder}: {MANIFEST} says {came:.80}, this program reads {FORMAT!r} version {VERSION}")
    digests = document.get("files")
    if not isinstance(digests, dict):
        raise BundleError(f"{folder}: {MANIFEST} has no list of files: {_AGAIN}")
    for name, digest in digests.items():
        if not _belongs(name):
            raise BundleError(f"{folder}: {MANIFEST} lists {name!r:.80}, which has no place in a bundle: do not use it")
        if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
            raise BundleError(f"{folder}: {MANIFEST} has no sha256 for {name}: {_AGAIN}")
    missing = [name for name in REQUIRED if name not in digests]
    if missing:
        raise BundleError(f"{folder}: {MANIFEST} does not list {', '.join(missing)}: {_AGAIN}")
    return digests


def check_files(folder: Path, digests: Mapping[str, str]) -> None:
    """Raise BundleError for the first file that is missing, altered, or there without being listed."""
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            raise BundleError(f"{folder}: the file {name} is missing: {_AGAIN}")
        if _digest(path) != digest:
            raise BundleError(_altered(folder, name))
    extra = unlisted(folder, digests)
    if extra:
        raise BundleError(f"{folder}: holds {extra[0]!r:.80}, which {MANIFEST} does not list: remove it")


def checked_bytes(folder: Path, name: str, digests: Mapping[str, str], *, limit: int) -> bytes:
    """The bytes of one file, read once and compared with the manifest.

    limit: the most bytes that are read. Raises BundleError when the file is missing, larger, or altered.
    """
    try:
        with (folder / name).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise BundleError(f"{folder}: {name} cannot be read ({error.strerror}): {_AGAIN}") from error
    if len(content) > limit:
        raise BundleError(f"{folder}: {name} is larger than {limit:,} bytes, more than a bundle needs: do not use it")
    if hashlib.sha256(content).hexdigest() != digests[name]:
        raise BundleError(_altered(folder, name))
    return content


def unlisted(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """The files in the folder that the manifest does not list, in name order."""
    return sorted(name for name in bundle_files(folder) if name != MANIFEST and name not in digests)


def _altered(folder: Path, name: str) -> str:
    return f"{folder}: {name} was altered after it was written (its sha256 is not the one in {MANIFEST}): {_AGAIN}"


def _document(folder: Path) -> dict[str, object]:
    """The manifest as a JSON object."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder}: no bundle there: a folder with {MANIFEST} was expected")
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_MANIFEST + 1)
        if len(text) > _LARGEST_MANIFEST:
            raise ValueError("too large")
        document = json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{folder}: {MANIFEST} is not readable as JSON: {_AGAIN}") from error
    if not isinstance(document, dict):
        raise BundleError(f"{folder}: {MANIFEST} is no JSON object: {_AGAIN}")
    return document


def _belongs(name: str) -> bool:
    """Whether a bundle may hold a file of this name: the required ones, and files directly in ``pictures/``."""
    return name in REQUIRED or (bool(_PICTURE.fullmatch(name)) and name not in (f"{PICTURES}/.", f"{PICTURES}/.."))


def bundle_files(folder: Path) -> set[str]:
    """The names of all files below the folder, but litter and what a writer has not finished.

    A linked folder counts as a file.
    """
    found = {path.relative_to(folder) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    return {path.as_posix() for path in found if not LITTER & {*path.parts} and not is_part(path.parts[0])}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
