"""The data sets that studies look at, as their rows describe them."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from storage.database.schema import DatasetTable, put
from storage.store import Store


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
