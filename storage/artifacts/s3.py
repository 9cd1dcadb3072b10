"""Artifacts as objects of an S3 bucket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, BinaryIO

from storage.artifacts.artifact_id import checked, is_artifact_id, not_found
from storage.errors import ArtifactError

BATCH = 1000  # keys in one request, by S3's own limit
READ = 1 << 20  # bytes asked of an object at a time


class Body(io.RawIOBase):
    """The bytes of an object as they arrive; an answer that breaks off is an ArtifactError."""

    def __init__(self, body: Any, translate_errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._body = body
        self._translate_errors = translate_errors

    def readable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: D102
        with self._translate_errors():
            content: bytes = self._body.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:  # noqa: D102
        self._body.close()
        super().close()


class S3Artifacts:
    """Artifacts as objects of one bucket, below a prefix that may be empty.

    Credentials, region and endpoint come from the environment as boto3 reads it (``AWS_ENDPOINT_URL`` for other
    providers). S3 shows an object only when it is complete. Raises ArtifactError when boto3 is not installed.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        try:
            import boto3
            from boto3.s3.transfer import TransferConfig
            from botocore.config import Config
        except ImportError as error:
            raise ArtifactError(f"s3://{bucket} needs boto3: install marsearch[s3]") from error
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        limits = Config(connect_timeout=10, read_timeout=60, retries={"max_attempts": 4, "mode": "standard"})
        self._client: Any = boto3.client("s3", config=limits)
        # In the thread that asks: a host that leaves may start no threads any more, and uploads still.
        self._transfer: Any = TransferConfig(use_threads=False)

    def open_reader(self, artifact_id: str) -> BinaryIO:  # noqa: D102
        key = self._key(artifact_id)
        with self._translate_errors(artifact_id):
            body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
        return io.BufferedReader(Body(body, lambda: self._translate_errors(artifact_id)), READ)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:  # noqa: D102
        key = self._key(artifact_id)
        with self._translate_errors(artifact_id):
            self._client.upload_fileobj(content_body, self.bucket, key, Config=self._transfer)

    def remove(self, artifact_id: str) -> None:  # noqa: D102
        key = self._key(artifact_id)
        with self._translate_errors(artifact_id):
            self._client.delete_object(Bucket=self.bucket, Key=key)

    def ids(self, prefix: str) -> tuple[str, ...]:  # noqa: D102
        pages = self._client.get_paginator("list_objects_v2")
        with self._translate_errors(f"{prefix}*"):
            listed = pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
            keys = [found["Key"].removeprefix(self.prefix) for page in listed for found in page.get("Contents", ())]
        return tuple(sorted(key for key in keys if is_artifact_id(key)))

    def remove_all(self, artifact_ids: Iterable[str]) -> int:  # noqa: D102
        keys = [self._key(artifact_id) for artifact_id in artifact_ids]
        for start in range(0, len(keys), BATCH):
            batch = {"Objects": [{"Key": key} for key in keys[start : start + BATCH]], "Quiet": True}
            with self._translate_errors("of a list"):
                refused = self._client.delete_objects(Bucket=self.bucket, Delete=batch).get("Errors", ())
            for error in refused:
                raise ArtifactError(f"s3://{self.bucket} does not remove {error.get('Key')!r}: {error.get('Message')}")
        return len(keys)

    def free_bytes(self) -> int | None:  # noqa: D102
        return None

    def _key(self, artifact_id: str) -> str:
        return self.prefix + checked(artifact_id)

    @contextmanager
    def _translate_errors(self, artifact_id: str) -> Iterator[None]:
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
