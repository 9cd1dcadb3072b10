"""Our own tables, beside Optuna's in the same database.

A study is named by Optuna's ``study_id`` and a trial by its number, without foreign keys to Optuna's tables: those are
Optuna's to migrate. Numbers that may be undefined are NULL and read as NaN; every time is UTC with its zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, MetaData, String, Text, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from storage.database.clock import UtcTime


class Table(DeclarativeBase):
    """The base of our tables, with metadata of its own: Optuna's tables are no part of it."""

    type_annotation_map: ClassVar = {float: Double(), datetime: UtcTime()}
    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )


class StudyTable(Table):
    """A study and its configuration: a column for what is asked for in SQL, one document for all other fields."""

    __tablename__ = "marsearch_studies"

    study_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    study: Mapped[str] = mapped_column(String(512), unique=True)
    data_digest: Mapped[str] = mapped_column(String(128))
    trials: Mapped[int]
    config: Mapped[dict[str, Any]] = mapped_column(JSON)
    created: Mapped[datetime]
    worked_s: Mapped[float] = mapped_column(server_default="0")
    worked_until: Mapped[datetime | None]


class DatasetTable(Table):
    """A data set, by the digest of its contents."""

    __tablename__ = "marsearch_datasets"

    digest: Mapped[str] = mapped_column(String(128), primary_key=True)
    path_hint: Mapped[str] = mapped_column(Text)
    samples: Mapped[int]
    tests: Mapped[int]
    height: Mapped[int]
    width: Mapped[int]
    channels: Mapped[int]
    class_names: Mapped[list[str]] = mapped_column(JSON)
    class_shares: Mapped[list[float]] = mapped_column(JSON)
    artifact_id: Mapped[str] = mapped_column(String(255))
    created: Mapped[datetime]


class HostTable(Table):
    """A host process that works, or worked, on a study; `machine`, `pid` and `start` say which process it is."""

    __tablename__ = "marsearch_hosts"
    __table_args__ = (Index(None, "study_id", "state"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(255))
    machine: Mapped[str] = mapped_column(String(64))
    pid: Mapped[int]
    start: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    workers: Mapped[int]
    started: Mapped[datetime]
    heartbeat: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(32))
    training: Mapped[list[dict[str, int]]] = mapped_column(JSON)
    load: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    log: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))


class AttemptTable(Table):
    """The training of one of Optuna's trials, begun by the host that claimed it; a retry is a trial of its own."""

    __tablename__ = "marsearch_attempts"
    __table_args__ = (UniqueConstraint("study_id", "trial"),)

    trial_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    study_id: Mapped[int]
    trial: Mapped[int]
    host: Mapped[str] = mapped_column(String(64))
    device: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    value: Mapped[float | None]
    parameters: Mapped[int] = mapped_column(BigInteger)
    weights_artifact: Mapped[str] = mapped_column(String(255))
    started: Mapped[datetime]
    heard: Mapped[datetime]
    finished: Mapped[datetime | None]


class EpochTable(Table):
    """One epoch of an attempt."""

    __tablename__ = "marsearch_epochs"

    trial_id: Mapped[int] = mapped_column(
        ForeignKey("marsearch_attempts.trial_id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    train_loss: Mapped[float | None]
    validation_loss: Mapped[float | None]
    miou: Mapped[float | None]
    miou_strict: Mapped[float | None]
    accuracy: Mapped[float | None]
    iou: Mapped[list[float | None]] = mapped_column(JSON)
    lr: Mapped[float | None]
    seconds: Mapped[float | None]
    memory_mb: Mapped[float | None]
    recorded: Mapped[datetime]
    adversarial_loss: Mapped[float | None]
    discriminator_loss: Mapped[float | None]


class HoldoutTable(Table):
    """One look at the score of a study's trial on the part of the data that no trial saw."""

    __tablename__ = "marsearch_holdout_looks"
    __table_args__ = (Index(None, "study_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    study_id: Mapped[int]
    trial: Mapped[int]
    miou: Mapped[float | None]
    miou_strict: Mapped[float | None]
    looked: Mapped[datetime]


def put(session: Session, table: type[Table], values: Mapping[str, Any], keys: Sequence[str]) -> None:
    """Write one row, replacing the one with the same key, in a single statement that two writers may race on."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(**values)
    new = {name: statement.excluded[name] for name in values if name not in keys}
    session.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=new))
