"""Optuna's private names that we need, each imported here only and passed on under a public name.

Optuna offers no public way to its tables, to the ids of its rows, or to the storage of a study. An Optuna release that
moves one of them breaks this file, not its users.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage
from optuna.storages._base import DEFAULT_STUDY_NAME_PREFIX as DEFAULT_STUDY_NAME_PREFIX
from optuna.storages._rdb import models
from optuna.storages._rdb.storage import _create_scoped_session
from optuna.study import Study
from optuna.study._frozen import FrozenStudy as FrozenStudy
from optuna.trial import BaseTrial, FrozenTrial
from sqlalchemy.orm import Session

from storage.database.clock import database_now

StudyModel: Any = models.StudyModel
StudyDirectionModel: Any = models.StudyDirectionModel
StudySystemAttributeModel: Any = models.StudySystemAttributeModel
StudyUserAttributeModel: Any = models.StudyUserAttributeModel
TrialModel: Any = models.TrialModel
TrialHeartbeatModel: Any = models.TrialHeartbeatModel
TrialIntermediateValueModel: Any = models.TrialIntermediateValueModel
TrialParamModel: Any = models.TrialParamModel
TrialSystemAttributeModel: Any = models.TrialSystemAttributeModel
TrialUserAttributeModel: Any = models.TrialUserAttributeModel
TrialValueModel: Any = models.TrialValueModel

# Naive times in UTC; the model's `datetime_start` gives naive local time. Usable as keys of `update().values({...})`.
TRIAL_STARTED_UTC: Any = models.TrialModel._datetime_start_utc
TRIAL_COMPLETED_UTC: Any = models.TrialModel._datetime_complete_utc
MIGRATIONS = Path(models.__file__).parent / "alembic"

OPTUNAS_TABLES = {name: set(table.columns.keys()) for name, table in models.BaseModel.metadata.tables.items()}
VERSION_INFO: str = models.VersionInfoModel.__tablename__  # the table that every database of Optuna's has


def utc_times_of(row: Any) -> tuple[datetime | None, datetime | None]:
    """When the trial of this row of TrialModel began and ended, naive in UTC."""
    return row._datetime_start_utc, row._datetime_complete_utc


def begin_now(row: Any) -> None:
    """Let a new row of TrialModel begin when it is written, by the database's clock."""
    row._datetime_start_utc = database_now()


def trial_tables() -> Sequence[Any]:
    """Optuna's tables whose rows belong to a trial, in an order in which they can be deleted."""
    trials = TrialModel.__table__
    tables = models.BaseModel.metadata.sorted_tables
    return [table for table in tables if any(key.references(trials) for key in table.foreign_keys)]


def trial_id_of(trial: BaseTrial | FrozenTrial) -> int:
    """The id of the trial's row, unique over all studies."""
    return int(trial._trial_id)  # type: ignore[union-attr]


def set_trial_id(trial: FrozenTrial, trial_id: int) -> None:
    """Make the trial that of the row with this id."""
    trial._trial_id = trial_id


def study_id_of(study: Study | FrozenStudy) -> int:
    """The id of the study's row."""
    return study._study_id


def storage_of(study: Study) -> BaseStorage:
    """The storage that the study reads and writes, Optuna's cache included."""
    return study._storage


def backend_of(storage: BaseStorage) -> BaseStorage:
    """The storage behind Optuna's cache; the storage itself when it is not cached."""
    backend: BaseStorage = getattr(storage, "_backend", storage)
    return backend


def scoped_session(factory: Any, *, ignore_integrity_error: bool = False) -> AbstractContextManager[Session]:
    """One transaction of Optuna's sessions, committed at the end; its errors are Optuna's StorageInternalError."""
    session: AbstractContextManager[Session] = _create_scoped_session(factory, ignore_integrity_error)
    return session
