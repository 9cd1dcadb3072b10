"""The studies of a store: created with their configuration, found by name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from storage.database.engine import exclusive, translate_errors
from storage.database.schema import AttemptTable, EpochTable, HoldoutTable, HostTable, StudyTable
from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import StudyConfig, declared, differences, refusal, shown
from storage.trials.enqueue import enqueue_trials
from storage.trials.trial_rows import read_outcomes

METRIC = "val mIoU"
LONGEST_NAME = 500  # characters of a study's name; Optuna's column takes 512
_COLUMNS = [field.name for field in declared() if field.name in StudyTable.__table__.columns]


def check_name(study: str) -> None:
    """Raise StudyError for a name that some database or terminal cannot write; any other one is as good as another."""
    if not study.strip() or len(study) > LONGEST_NAME:
        raise StudyError(f"a study's name has 1 to {LONGEST_NAME} characters, got {len(study)}: choose another")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in study):
        raise StudyError(f"the study's name {study!r:.80} holds characters that cannot be written: choose another")


def create_study(store: Store, config: StudyConfig, enqueue: Sequence[Mapping[str, Any]] = ()) -> bool:
    """Create the study in Optuna (maximise), its row and the enqueued trials; True when it is new.

    False when the same study exists: then only what may change is brought up to date, and nothing is enqueued.
    Row and trials are one transaction, the last of all: a creation that was interrupted leaves no study of ours, and
    the same call again completes it. Raises StudyError naming what differs, or when a study of that name is not ours.
    """
    check_name(config.study)
    created = datetime.now(UTC)  # before the first try: a row of that moment is ours
    with translate_errors(store.url), exclusive(store.engine, store.retry_policy):
        study_id, new = _optuna_study(store, config.study)
        if not new:
            row = store.transact(lambda session: session.get(StudyTable, study_id))
            if row is not None and row.study == config.study:
                _update(store, study_id, _config(row), config)
                return False
            if store.trials.get_n_trials(study_id):
                raise StudyError(
                    f"study {config.study!r} in {store.url} was not created by marsearch: use another name"
                )
        _describe(store, study_id, config)
        store.transact(lambda session: _write(session, study_id, config, created, enqueue))
        return True


def load_config(store: Store, study: str) -> StudyConfig:
    """The configuration of the study. Raises StudyError for an unknown study, naming the known ones."""
    return _config(find_study(store, study)[1])


def target_of(store: Store, study: str) -> int:
    """How many finished trials the study is to have, now. Raises StudyError for an unknown study."""
    asked = select(StudyTable.trials).where(StudyTable.study_id == study_id(store, study))
    return store.transact(lambda session: session.scalars(asked).one())


def existing_config(store: Store, study: str) -> StudyConfig | None:
    """The configuration of the study; None when it is none of ours. Raises StudyError for an impossible name."""
    check_name(study)
    try:
        return load_config(store, study)
    except StudyError:
        return None


def list_studies(store: Store) -> tuple[str, ...]:
    """The names of the studies in this store, sorted."""
    ours = store.transact(lambda session: set(session.scalars(select(StudyTable.study))))
    with translate_errors(store.url):
        return tuple(sorted(study.study_name for study in store.trials.get_all_studies() if study.study_name in ours))


def study_id(store: Store, study: str) -> int:
    """Optuna's id of the study, which our tables use. Raises StudyError for an unknown study."""
    return find_study(store, study)[0]


def find_study(store: Store, study: str) -> tuple[int, StudyTable]:
    """Optuna's id of the study and its row. Raises StudyError for an unknown study, naming the known ones."""
    check_name(study)
    try:
        with translate_errors(store.url):
            found = store.trials.get_study_id_from_name(study)
        row = store.transact(lambda session: session.get(StudyTable, found))
    except KeyError:
        row = None
    if row is None or row.study != study:
        known = ", ".join(list_studies(store)) or "no study yet"
        raise StudyError(
            f"unknown study {study!r} in {store.url} (it has: {known}); create it, or set MARSEARCH_STORAGE to another"
        )
    return row.study_id, row


def _optuna_study(store: Store, name: str) -> tuple[int, bool]:
    """The id of Optuna's study of that name, and whether it was created now."""
    try:
        return store.trials.create_new_study([StudyDirection.MAXIMIZE], name), True
    except DuplicatedStudyError:
        return store.trials.get_study_id_from_name(name), False


def _update(store: Store, study_id: int, old: StudyConfig, new: StudyConfig) -> None:
    """Bring what may change up to date. Raises StudyError when anything else differs."""
    found = differences(old, new)
    if found:
        raise StudyError(refusal(new.study, store.url, found))
    config = replace(old, **{field.name: getattr(new, field.name) for field in declared("changeable")})
    if config != old:
        store.transact(lambda session: _fill(session.get_one(StudyTable, study_id), config))
    described = store.trials.get_study_user_attrs(study_id)
    if any(described.get(name) != value for name, value in shown(config).items()):
        _describe(store, study_id, config)


def _describe(store: Store, study_id: int, config: StudyConfig) -> None:
    """Write into Optuna's own tables what the study is, for the dashboard and anyone with plain Optuna."""
    store.trials.set_study_system_attr(study_id, "study:metric_names", [METRIC])  # what Study.set_metric_names does
    for name, value in shown(config).items():
        store.trials.set_study_user_attr(study_id, name, value)


def _write(
    session: Session, study_id: int, config: StudyConfig, created: datetime, enqueue: Sequence[Mapping[str, Any]]
) -> None:
    """Write row and trials, unless an earlier try did so and only its answer was lost."""
    row = session.get(StudyTable, study_id)
    if row is not None and (row.study, row.created) == (config.study, created):
        return
    _forget(session, study_id, config.study)
    row = StudyTable(study_id=study_id, created=created)
    _fill(row, config)
    session.add(row)
    session.flush()
    enqueue_trials(session, study_id, enqueue)


def _forget(session: Session, study_id: int, study: str) -> None:
    """Remove what a study deleted through plain Optuna left behind: SQLite gives its id to the next one."""
    old = set(session.scalars(select(StudyTable.study_id).where(StudyTable.study == study))) | {study_id}
    runs = select(AttemptTable.trial_id).where(AttemptTable.study_id.in_(old))
    session.execute(delete(EpochTable).where(EpochTable.trial_id.in_(runs)))
    for table in (AttemptTable, HostTable, HoldoutTable, StudyTable):
        session.execute(delete(table).where(table.study_id.in_(old)))


def _fill(row: StudyTable, config: StudyConfig) -> None:
    """Write the configuration into its row: a column for each field that has one, one document for the others."""
    values = asdict(config)
    for name in _COLUMNS:
        setattr(row, name, values.pop(name))
    row.config = values


def _config(row: StudyTable) -> StudyConfig:
    return StudyConfig(**row.config, **{name: getattr(row, name) for name in _COLUMNS})


def trials_of(store: Store, study: str) -> list[FrozenTrial]:
    """The trials of a study in order of their numbers, not to be changed. Raises KeyError for an unknown study."""
    return optuna.load_study(study_name=study, storage=store.trials).get_trials(deepcopy=False)


def outcomes(store: Store, study: str) -> list[FrozenTrial]:
    """The same with no more than what counting and ranking takes, see `read_outcomes`. Raises StudyError (unknown)."""
    number = study_id(store, study)
    return store.transact(lambda session: read_outcomes(session, number))
