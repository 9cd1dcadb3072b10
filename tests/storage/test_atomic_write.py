"""A file is there whole or not at all, and where it holds results only its owner may read it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from storage.artifacts.artifact_store import open_artifacts
from storage.atomic_write import private_folder, replacing, replacing_path, write_bytes
from storage.data.npz import write_arrays
from storage.errors import DataError


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def by_file(path: Path) -> None:
    with replacing(path) as target:
        target.write(b"new")


def by_path(path: Path) -> None:
    with replacing_path(path) as part:
        part.write_bytes(b"new")


WRITERS: dict[str, Callable[[Path], None]] = {
    "an open file": by_file,
    "a path": by_path,
    "bytes": lambda path: write_bytes(path, b"new"),
    "private bytes": lambda path: write_bytes(path, b"new", private=True),
    "arrays": lambda path: write_arrays(path, {"a": np.zeros(3)}),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_what_cannot_be_written_leaves_the_older_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "result"
    path.write_bytes(b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((OSError, DataError), match="No space left"):
        WRITERS[kind](path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("kind", WRITERS)
def test_only_results_are_private(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "result"
    WRITERS[kind](path)
    assert path.stat().st_mode & 0o777 == (0o600 if kind.startswith("private") else 0o644)


def test_folders_and_artifacts_are_for_their_owner_only(tmp_path: Path) -> None:
    private_folder(tmp_path / "a" / "b")
    private_folder(tmp_path / "a" / "b")  # again is harmless
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700
    (tmp_path / "content").write_bytes(b"weights")
    with (tmp_path / "content").open("rb") as content:
        open_artifacts(str(tmp_path / "artifacts")).write("weights", content)
    assert (tmp_path / "artifacts").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "artifacts" / "weights").stat().st_mode & 0o777 == 0o600
