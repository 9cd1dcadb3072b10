"""Files that belong to studies and trials, kept by name in a folder or an S3 bucket.

Both stores follow Optuna's artifact protocol, so that its `upload_artifact` and the dashboard work with them. A file is
there whole or not at all. An id is one plain name: letters, digits, dot, dash and underscore, no folders.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from storage.artifacts.artifact_id import checked, is_artifact_id
from storage.artifacts.artifact_id import not_found as not_found  # readers of artifacts need it
from storage.artifacts.s3 import S3Artifacts as S3Artifacts
from storage.atomic_write import private_folder, replacing, sweep
from storage.errors import ArtifactError


class ArtifactStore(Protocol):
    """Keeps files by id. Optuna's protocol; every method may be called from any thread.

    A missing artifact raises ArtifactNotFound, an id that is no plain name or a store that fails ArtifactError.
    """

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """The artifact's bytes, to be read once from the start and closed by the caller."""
        ...

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the bytes under the id, whole or not at all; what was there is replaced. May close the source."""
        ...

    def remove(self, artifact_id: str) -> None:
        """Forget the artifact; a missing one may raise ArtifactNotFound."""
        ...


@runtime_checkable
class ListedArtifacts(Protocol):
    """What our stores can do beyond Optuna's protocol. Every method raises ArtifactError for a store that fails."""

    def ids(self, prefix: str) -> tuple[str, ...]:
        """The ids that begin so, sorted."""
        ...

    def remove_all(self, artifact_ids: Iterable[str]) -> int:
        """Forget these, as many at a time as the store can; how many were asked for or, where known, were there."""
        ...

    def free_bytes(self) -> int | None:
        """How much more fits, None where that is unknown."""
        ...


class DirectoryArtifacts:
    """Artifacts as files in one folder, which is created with its parents unless one only looks.

    Raises ArtifactError when the folder cannot be created or written.
    """

    def __init__(self, folder: Path, *, looking: bool = False) -> None:
        self.folder, self._looking = folder, looking
        if looking and (folder.is_dir() or not folder.exists()):
            return
        try:
            private_folder(folder)
        except OSError as error:
            raise ArtifactError(f"cannot keep artifacts in {folder}: {error.strerror}; choose another place") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ArtifactError(f"the artifact folder {folder} cannot be written: change its permissions")

    def open_reader(self, artifact_id: str) -> BinaryIO:  # noqa: D102
        path = self.folder / checked(artifact_id)
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise not_found()(f"artifact {artifact_id!r} is not in {self.folder}") from error
        except OSError as error:
            raise ArtifactError(f"cannot read artifact {artifact_id!r} in {self.folder}: {error.strerror}") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:  # noqa: D102
        path = self.folder / checked(artifact_id)
        try:
            with replacing(path, private=True) as target:
                shutil.copyfileobj(content_body, target, 1 << 20)
        except OSError as error:
            raise ArtifactError(f"cannot write artifact {artifact_id!r} to {self.folder}: {error.strerror}") from error

    def remove(self, artifact_id: str) -> None:  # noqa: D102
        path = self.folder / checked(artifact_id)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise not_found()(f"artifact {artifact_id!r} is not in {self.folder}") from error
        except OSError as error:
            raise ArtifactError(f"cannot remove artifact {artifact_id!r}: {error.strerror}") from error

    def ids(self, prefix: str) -> tuple[str, ...]:  # noqa: D102
        if self._looking and not self.folder.exists():
            return ()  # which the first file makes
        with self._translate_errors(), os.scandir(self.folder) as found:
            return tuple(sorted(e.name for e in found if e.name.startswith(prefix) and is_artifact_id(e.name)))

    def remove_all(self, artifact_ids: Iterable[str]) -> int:  # noqa: D102
        removed = 0
        with self._translate_errors():
            for artifact_id in artifact_ids:
                with suppress(FileNotFoundError):
                    (self.folder / checked(artifact_id)).unlink()
                    removed += 1
        return removed

    def free_bytes(self) -> int | None:  # noqa: D102
        with self._translate_errors():
            return shutil.disk_usage(self.folder).free

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArtifactError(f"the artifact folder {self.folder} does not answer: {error.strerror}") from error


def artifact_folder(url: str) -> Path | None:
    """The folder that holds the artifacts; None for any other place."""
    return None if "://" in url or url.startswith("s3:") else Path(url)


def open_artifacts(url: str, *, looking: bool = False) -> ArtifactStore:
    """The artifacts at a folder's path or at ``s3://bucket/prefix``. looking: nothing is to be written.

    Raises ArtifactError for another kind of URL, and for a folder that cannot be created or written.
    """
    if not url:
        raise ArtifactError("the place for artifacts is empty: name a folder or s3://bucket/prefix")
    if (folder := artifact_folder(url)) is not None:
        return DirectoryArtifacts(folder, looking=looking)
    found = re.fullmatch(r"s3://([A-Za-z0-9][A-Za-z0-9._-]*)(/[^@]*)?", url)
    if found is None:  # not shown: it may hold keys, which boto3 reads from the environment
        raise ArtifactError(
            f"cannot keep artifacts in a place of {url.partition(':')[0][:20]!r}: name a folder or s3://bucket/prefix,"
            " with the keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)"
        )
    return S3Artifacts(found[1], found[2] or "")


def save_file(artifacts: ArtifactStore, artifact_id: str, path: Path) -> None:
    """Keep a copy of the file under the id. Raises ArtifactError when it cannot be read or kept."""
    try:
        source = path.open("rb")
    except OSError as error:
        raise ArtifactError(f"cannot read {path} to keep it as {artifact_id!r}: {error.strerror}") from error
    with source:
        artifacts.write(artifact_id, source)


def load_file(artifacts: ArtifactStore, artifact_id: str, path: Path) -> None:
    """Write the artifact to the path, whole or not at all. Raises ArtifactError when it is missing or cannot be."""
    try:
        reader = artifacts.open_reader(artifact_id)
    except not_found() as error:
        raise ArtifactError(f"{error}: was it removed, or is this another artifact store?") from error
    try:
        with reader, replacing(path, private=True) as target:
            shutil.copyfileobj(reader, target, 1 << 20)
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise ArtifactError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def artifact_ids(artifacts: ArtifactStore, prefix: str) -> tuple[str, ...]:
    """The ids that begin so, sorted; none for a store that cannot list. Raises ArtifactError when it fails."""
    return artifacts.ids(prefix) if isinstance(artifacts, ListedArtifacts) else ()


def remove_all(artifacts: ArtifactStore, wanted: Iterable[str]) -> int:
    """Forget these artifacts, missing ones too; how many there were, as far as the store says.

    Raises ArtifactError for an id that is no plain name, and when the store fails: some may be gone then.
    """
    if isinstance(artifacts, ListedArtifacts):
        return artifacts.remove_all(wanted)
    removed = 0
    for artifact_id in wanted:
        with suppress(not_found()):
            artifacts.remove(artifact_id)
            removed += 1
    return removed


def free_bytes(artifacts: ArtifactStore) -> int | None:
    """How much more fits; None where that is unknown, as in S3. Raises ArtifactError when the store fails."""
    return artifacts.free_bytes() if isinstance(artifacts, ListedArtifacts) else None


def exists(artifacts: ArtifactStore, artifact_id: str) -> bool:
    """Whether there is an artifact of that id."""
    try:
        artifacts.open_reader(artifact_id).close()
    except not_found():
        return False
    return True


def sweep_artifacts(artifacts: ArtifactStore) -> int:
    """Remove the unfinished files of writers that are gone; how many. S3 shows none before they are complete."""
    return sweep(artifacts.folder) if isinstance(artifacts, DirectoryArtifacts) else 0
