"""The data sets that studies look at, as their rows describe them."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.artifacts.artifact_store import exists, load_file, save_file
from storage.data.dataset import Dataset, class_shares, write_dataset
from storage.database.schema import DatasetTable, put
from storage.store import Store
from storage.temporary_folder import temporary_folder


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A data set as studies remember it.

    digest: sha256 of the contents.
    path_hint: the name of the file it came from, without folders.
    samples, tests: the numbers of labelled and of test images.
    height, width, channels: of every image, pixels and 1 or 3.
    class_names: in label order.
    class_shares: each class's share of the labelled pixels, 0 to 1.
    artifact_id: under which the file is kept in the artifact store.
    """

    digest: str
    path_hint: str
    samples: int
    tests: int
    height: int
    width: int
    channels: int
    class_names: tuple[str, ...]
    class_shares: tuple[float, ...]
    artifact_id: str


def put_dataset(store: Store, record: DatasetRecord) -> None:
    """Write the row of a data set; the same digest again replaces what was written about it."""
    values = asdict(record) | {
        "class_names": list(record.class_names),
        "class_shares": list(record.class_shares),
        "created": datetime.now(UTC),
    }
    store.transact(lambda session: put(session, DatasetTable, values, ["digest"]))


def data_artifact(store: Store, digest: str) -> str:
    """Under which name this database keeps the data set of that digest: the one it has, or a new one.

    No other database has that name, although both may share an artifact store: a deleted study takes its data along.
    """
    row = store.transact(lambda session: session.get(DatasetTable, digest))
    return row.artifact_id if row is not None else f"dataset-{digest}-{secrets.token_hex(4)}.npz"


def samples_of(store: Store, digest: str) -> int | None:
    """How many labelled images the data set of that digest has; None for an unknown one."""
    row = store.transact(lambda session: session.get(DatasetTable, digest))
    return None if row is None else row.samples


def keep_dataset(store: Store, dataset: Dataset, name: str) -> None:
    """Put the data set into the artifact store, if it is not there, and write its row. name: of the file it came from.

    Raises ArtifactError, DatabaseError.
    """
    artifact = data_artifact(store, dataset.digest)
    if not exists(store.artifacts, artifact):
        with temporary_folder() as folder:
            copy = folder / artifact
            write_dataset(dataset, copy)
            save_file(store.artifacts, artifact, copy)
    record = DatasetRecord(
        digest=dataset.digest,
        path_hint=name,
        samples=len(dataset.images),
        tests=0 if dataset.test_images is None else len(dataset.test_images),
        height=dataset.height,
        width=dataset.width,
        channels=dataset.channels,
        class_names=dataset.class_names,
        class_shares=tuple(class_shares(dataset.masks, dataset.classes, dataset.ignore_label)),
        artifact_id=artifact,
    )
    put_dataset(store, record)


def fetch_dataset(store: Store, digest: str, folder: Path) -> Path:
    """The file of the data set of that digest in a folder of this machine, fetched from the artifact store if need be.

    Raises ArtifactError when it cannot be fetched.
    """
    path = folder / f"dataset-{digest}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        load_file(store.artifacts, data_artifact(store, digest), path)
    return path.resolve()
