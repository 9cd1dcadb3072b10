"""Commands of a person to the hosts of a study: go on, pause or stop; and the end of a study with all its files.

A command is a user attribute of Optuna's study, which every host reads every few seconds. It outlives all hosts: a
paused study stays paused until someone resumes it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from storage.artifacts.artifact_id import is_artifact_id
from storage.artifacts.artifact_store import remove_all
from storage.database.engine import exclusive
from storage.database.optuna_schema import (
    StudySystemAttributeModel,
    TrialModel,
    TrialSystemAttributeModel,
    trial_tables,
)
from storage.database.schema import AttemptTable, DatasetTable, EpochTable, HoldoutTable, HostTable, StudyTable
from storage.errors import StudyError
from storage.store import Store
from storage.studies.liveness import attending
from storage.studies.studies import study_id

COMMAND = "marsearch:command"
Command = Literal["run", "pause", "stop"]

_ARTIFACT = "artifacts:"  # how Optuna's upload_artifact names the attribute of each file


@dataclass(frozen=True, kw_only=True)
class Deleted:
    """What a deleted study took with it. trials: rows of Optuna, retries too. files: artifacts, the data set too."""

    trials: int
    files: int


def command(store: Store, study: str) -> Command:
    """What the hosts of the study are to do; "run" without a command.

    Raises StudyError for an unknown study, also for one that was deleted meanwhile: a host then has nothing to do.
    """
    given = store.trials.get_study_user_attrs(study_id(store, study)).get(COMMAND)
    return next((known for known in get_args(Command) if known == given), "run")


def set_command(store: Store, study: str, command: Command) -> None:
    """Set the command of the study's hosts, now and later ones. Raises StudyError for an unknown study."""
    if command not in get_args(Command):
        raise ValueError(f"{command!r} is no command: run, pause or stop")
    store.trials.set_study_user_attr(study_id(store, study), COMMAND, command)


def delete_study(store: Store, study: str, *, force: bool = False, also: Collection[str] = ()) -> Deleted:
    """Remove the study: trials, runs, epochs, workers, config and files; its data set if no other study uses it.

    Files go first and the config last, so that the same call again finishes what a crash left half done.
    also: ids of further artifacts of this study, whose names only the caller knows (checkpoints).
    Raises StudyError for an unknown study and, unless forced, while hosts work on it; ArtifactError when the files
    cannot be removed (the rows then stay).
    """
    number = study_id(store, study)
    if not force:
        _refuse_while_at_work(store, study)
    set_command(store, study, "stop")  # hosts that are there leave, and none begins meanwhile
    with exclusive(store.engine, store.retry_policy):
        files = remove_all(store.artifacts, store.transact(lambda session: _files_of(session, number)) | set(also))
        trials = store.transact(lambda session: _delete_rows(session, number))
        store.trials.delete_study(number)  # through Optuna, which forgets what it has cached
        store.transact(lambda session: session.execute(delete(StudyTable).where(StudyTable.study_id == number)))
    return Deleted(trials=trials, files=files)


def _refuse_while_at_work(store: Store, study: str) -> None:
    busy = attending(store, study)
    if busy:
        where = ", ".join(sorted({host.info.name for host in busy}))
        raise StudyError(
            f"study {study!r} has workers that are at work ({len(busy)}, on {where}):"
            f" stop them first (marsearch study stop {study}), or add --force"
        )


def _files_of(session: Session, number: int) -> set[str]:
    """The ids of the weights, and of what Optuna has uploaded for the study and its trials."""
    weights = select(AttemptTable.weights_artifact).where(
        AttemptTable.study_id == number, AttemptTable.weights_artifact != ""
    )
    of_study, of_trial = StudySystemAttributeModel, TrialSystemAttributeModel
    uploaded = (
        select(of_study.key).where(of_study.study_id == number, of_study.key.startswith(_ARTIFACT)),
        select(of_trial.key).where(of_trial.trial_id.in_(_trials_of(number)), of_trial.key.startswith(_ARTIFACT)),
    )
    found = set(session.scalars(weights)) | set(session.scalars(_own_data(number, DatasetTable.artifact_id)))
    found |= {key.removeprefix(_ARTIFACT) for query in uploaded for key in session.scalars(query)}
    return {name for name in found if is_artifact_id(name)}  # anyone may have written an attribute of that name


def _own_data(number: int, column: Any) -> Select[Any]:
    """A column of the data set that this study uses and no other."""
    digest = select(StudyTable.data_digest).where(StudyTable.study_id == number)
    others = select(StudyTable.data_digest).where(StudyTable.study_id != number)
    return select(column).where(DatasetTable.digest.in_(digest), DatasetTable.digest.not_in(others))


def _trials_of(number: int) -> Select[Any]:
    return select(TrialModel.trial_id).where(TrialModel.study_id == number)


def _delete_rows(session: Session, number: int) -> int:
    """All rows of the study but the config, by which it is known; how many trials there were."""
    trials = _delete_trials(session, number)
    _delete_ours(session, number)
    return trials


def _delete_trials(session: Session, number: int) -> int:
    """Optuna's rows of all trials, one statement per table: Optuna loads each row, 4 s for 1,000 trials (measured)."""
    trials: Any = TrialModel.__table__
    session.execute(_trials_of(number).with_for_update())  # a forced delete may meet a worker that still writes
    for table in trial_tables():
        session.execute(delete(table).where(table.c.trial_id.in_(_trials_of(number))))
    gone: Any = session.execute(delete(trials).where(trials.c.study_id == number))
    return int(gone.rowcount)


def _delete_ours(session: Session, number: int) -> None:
    runs = select(AttemptTable.trial_id).where(AttemptTable.study_id == number)
    session.execute(delete(EpochTable).where(EpochTable.trial_id.in_(runs)))
    for table in (AttemptTable, HostTable, HoldoutTable):
        session.execute(delete(table).where(table.study_id == number))
    data = set(session.scalars(_own_data(number, DatasetTable.digest)))
    session.execute(delete(DatasetTable).where(DatasetTable.digest.in_(data)))
