"""Files that belong to studies and trials, kept by name in a folder or an S3 bucket.

Both stores follow Optuna's artifact protocol, so that its `upload_artifact` and the dashboard work with them. A file is
there whole or not at all. An id is one plain name: letters, digits, dot, dash and underscore, no folders.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

from storage.errors import ArtifactError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


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


class DirectoryArtifacts:
    """Artifacts as files in one folder, which is created with its parents.

    Raises ArtifactError when the folder cannot be created or written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArtifactError(f"cannot keep artifacts in {folder}: {error.strerror}; choose another place") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ArtifactError(f"the artifact folder {folder} cannot be written: change its permissions")
        self.folder = folder

    def open_reader(self, artifact_id: str) -> BinaryIO:  # noqa: D102
        path = self.folder / _checked(artifact_id)
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise not_found()(f"artifact {artifact_id!r} is not in {self.folder}") from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:  # noqa: D102
        path = self.folder / _checked(artifact_id)
        try:
            with _replacing(path) as target:
                shutil.copyfileobj(content_body, target, 1 << 20)
        except OSError as error:
            raise ArtifactError(f"cannot write artifact {artifact_id!r} to {self.folder}: {error.strerror}") from error

    def remove(self, artifact_id: str) -> None:  # noqa: D102
        path = self.folder / _checked(artifact_id)
        try:
            path.unlink()
        except FileNotFoundError as error:
            raise not_found()(f"artifact {artifact_id!r} is not in {self.folder}") from error


class S3Artifacts:
    """Artifacts as objects of one bucket, below a prefix that may be empty.

    Credentials, region and endpoint come from the environment as boto3 reads it (``AWS_ENDPOINT_URL`` for other
    providers). S3 shows an object only when it is complete. Raises ArtifactError when boto3 is not installed.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise ArtifactError(f"s3://{bucket} needs boto3: install marsearch[s3]") from error
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        limits = Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})
        self._client: Any = boto3.client("s3", config=limits)

    def open_reader(self, artifact_id: str) -> BinaryIO:  # noqa: D102
        key = self._key(artifact_id)
        with self._plainly(artifact_id):
            return cast("BinaryIO", self._client.get_object(Bucket=self.bucket, Key=key)["Body"])

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:  # noqa: D102
        key = self._key(artifact_id)
        with self._plainly(artifact_id):
            self._client.upload_fileobj(content_body, self.bucket, key)

    def remove(self, artifact_id: str) -> None:  # noqa: D102
        key = self._key(artifact_id)
        with self._plainly(artifact_id):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def _key(self, artifact_id: str) -> str:
        return self.prefix + _checked(artifact_id)

    @contextmanager
    def _plainly(self, artifact_id: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        place = f"s3://{self.bucket}/{self.prefix}"
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                raise not_found()(f"artifact {artifact_id!r} is not in {place}") from error
            raise ArtifactError(f"{place} refused artifact {artifact_id!r}: {error}") from error
        except (BotoCoreError, Boto3Error) as error:
            raise ArtifactError(f"{place} does not answer: {error}") from error


def open_artifacts(url: str) -> ArtifactStore:
    """The artifacts at a folder's path or at ``s3://bucket/prefix``.

    Raises ArtifactError for another kind of URL, and for a folder that cannot be created or written.
    """
    if "://" not in url:
        if not url:
            raise ArtifactError("the place for artifacts is empty: name a folder or s3://bucket/prefix")
        return DirectoryArtifacts(Path(url))
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ArtifactError(f"cannot keep artifacts in {url!r}: name a folder or s3://bucket/prefix")
    return S3Artifacts(parts.netloc, parts.path)


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
        with reader, _replacing(path) as target:
            shutil.copyfileobj(reader, target, 1 << 20)
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}") from error


def exists(artifacts: ArtifactStore, artifact_id: str) -> bool:
    """Whether there is an artifact of that id."""
    try:
        artifacts.open_reader(artifact_id).close()
    except not_found():
        return False
    return True


def not_found() -> type[Exception]:
    """Optuna's ArtifactNotFound, imported only when it is needed: its package loads boto3."""
    from optuna.artifacts.exceptions import ArtifactNotFound

    return ArtifactNotFound


def _checked(artifact_id: str) -> str:
    if not _NAME.fullmatch(artifact_id):
        raise ArtifactError(f"{artifact_id!r} is no artifact id: use letters, digits, dot, dash and underscore only")
    return artifact_id


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes the path's place only when all of it is on the disk."""
    part = path.parent / f".{path.name}.{secrets.token_hex(6)}.part"
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
