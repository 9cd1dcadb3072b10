"""The epochs of an attempt: whatever record the caller has of them, one row each."""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Double, select

from storage.database.schema import AttemptTable, EpochTable, put
from storage.store import Store
from storage.studies.studies import study_id

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

_COLUMNS = {column.name: column for column in EpochTable.__table__.columns}
_OWN = ("trial_id", "recorded")  # columns that are no part of a record


@dataclass(frozen=True)
class EpochPoint:
    """A point of a learning curve; None for what is undefined."""

    number: int
    miou: float | None
    miou_strict: float | None
    train_loss: float | None
    validation_loss: float | None


def add_epoch(store: Store, trial_id: int, record: DataclassInstance) -> None:
    """Write one epoch; the same number again replaces it, so that a doubtful write may be repeated.

    trial_id: of the attempt. record: a frozen dataclass. The fields that have a column of their name are kept, with NaN
    as NULL.
    """
    values = {name: _stored(getattr(record, name)) for name in stored_fields(type(record))}
    values |= {"trial_id": trial_id, "recorded": datetime.now(UTC)}
    store.transact(lambda session: put(session, EpochTable, values, ["trial_id", "number"]))


def curve(store: Store, study: str, trial: int, kind: type[R]) -> tuple[R, ...]:
    """The epochs of the trial's attempt, in order; none without one. Raises StudyError for an unknown study.

    kind: the dataclass that they become; of its fields, those without a column take their defaults.
    """
    of_trial = (AttemptTable.study_id == study_id(store, study), AttemptTable.trial == trial)
    attempt = select(AttemptTable.trial_id).where(*of_trial).scalar_subquery()
    names = stored_fields(kind)
    epochs = (
        select(*(_COLUMNS[name] for name in names)).where(EpochTable.trial_id == attempt).order_by(EpochTable.number)
    )
    rows = store.transact(lambda session: session.execute(epochs).mappings().all())
    optional = {field.name for field in fields(kind) if field.default is None}
    return tuple(kind(**_values(row, optional)) for row in rows)


def curves(store: Store, study: str, trials: Collection[int]) -> dict[int, tuple[EpochPoint, ...]]:
    """The epochs of each of these trials that has any, in order. Raises StudyError for an unknown study."""
    row = EpochTable
    asked = (
        select(AttemptTable.trial, row.number, row.miou, row.miou_strict, row.train_loss, row.validation_loss)
        .join(AttemptTable, AttemptTable.trial_id == row.trial_id)
        .where(AttemptTable.study_id == study_id(store, study), AttemptTable.trial.in_(trials))
        .order_by(AttemptTable.trial, row.number)
    )
    found: dict[int, list[EpochPoint]] = {}
    for trial, number, *measured in store.transact(lambda session: session.execute(asked).all()):
        found.setdefault(trial, []).append(EpochPoint(number, *measured))
    return {trial: tuple(points) for trial, points in found.items()}


def stored_fields(kind: type[DataclassInstance]) -> tuple[str, ...]:
    """The names of the record's fields that have a column. Raises TypeError for a required one without."""
    own = [field for field in fields(kind) if field.name in _COLUMNS and field.name not in _OWN]
    for field in fields(kind):
        if field not in own and field.default is MISSING and field.default_factory is MISSING:
            raise TypeError(f"{kind.__name__}.{field.name} has neither a column nor a default")
    return tuple(field.name for field in own)


def _stored(value: Any) -> Any:
    """The value as the database takes it: SQLite and JSON know no NaN. Takes NumPy's numbers too."""
    if isinstance(value, list | tuple):
        return [_stored(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value


def _values(row: Mapping[Any, Any], optional: Container[str]) -> dict[str, Any]:
    """The fields of a record. optional: those for which NULL means that there is none, and not that it is undefined."""
    return {name: _read(name, value, name in optional) for name, value in row.items()}


def _read(name: str, value: Any, optional: bool) -> Any:
    if value is None and not optional and isinstance(_COLUMNS[name].type, Double):
        return math.nan
    return _frozen(value)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
