"""Handing a trial back: a failed trial that is not finished gets one waiting copy, which the next free worker takes up.

The copy is written in one transaction, under a lock on the study, and only if there is none yet: asking for it again,
by whomever, changes nothing. A worker says that its trial comes back *before* it fails it; whoever finds a failed
trial with that mark, or one that failed without a word, may finish what a dying worker could not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.database.engine import transaction
from storage.database.optuna_schema import (
    TRIAL_COMPLETED_UTC,
    StudyModel,
    TrialModel,
    TrialSystemAttributeModel,
    TrialUserAttributeModel,
    backend_of,
    storage_of,
    study_id_of,
    trial_id_of,
)
from storage.trials.retrying_storage import RetryingStorage

T = TypeVar("T")

MOST_RETRIES = 2  # times that a trial which failed by itself is tried again; deaths of its hosts do not count

OWN_FAILURES = "own_failures"  # system attributes: how often the trial has failed by itself,
COMES_BACK = "comes_back"  # what its worker says before it fails it: "own" fault or the "host"'s,
HISTORY = "retry_history"  # and, as Optuna writes it, the numbers of its earlier attempts
_ATTEMPT = ("reason", "traceback", "resumed_from_epoch")  # user attributes that are said of one attempt only


def origin(trial: FrozenTrial) -> int:
    """The number of the trial's first attempt: its own, when it is the first."""
    return ([*retried(trial), trial.number])[0]


def retried(trial: FrozenTrial) -> list[int]:
    """The numbers of the failed trials that this one takes the place of, oldest first."""
    return list(trial.system_attrs.get(HISTORY, []))


def may_return(trial: FrozenTrial, *, own_fault: bool) -> bool:
    """Whether the trial is tried again after it fails now; one that fails by itself comes back twice."""
    return not own_fault or _own_failures(trial) < MOST_RETRIES


def promise(trial: Trial, *, own_fault: bool) -> None:
    """Say of a running trial that it comes back after it has failed, in case its worker dies in between."""
    trial.storage.set_trial_system_attr(trial_id_of(trial), COMES_BACK, "own" if own_fault else "host")


def comes_back(trial: FrozenTrial) -> bool:
    """Whether a failed trial has still to be replaced, unless it has been already.

    Without a promise that is one that failed without a reason: Optuna's look for stale trials has found it.
    """
    if trial.state is not TrialState.FAIL:
        return False
    return COMES_BACK in trial.system_attrs or "reason" not in trial.user_attrs


def retry_pending(trials: Iterable[FrozenTrial]) -> list[FrozenTrial]:
    """The failed trials that come back and have no copy yet."""
    known = list(trials)
    replaced = {number for trial in known for number in retried(trial)}
    return [trial for trial in known if comes_back(trial) and trial.number not in replaced]


def requeue(study: Study, trial: FrozenTrial, *, own_fault: bool = False) -> bool:
    """Make sure that a failed trial has a waiting copy; False when it has failed by itself too often.

    own_fault: it failed by itself, and not because its host went.
    The copy keeps the parameters and what was noted at the trial, but neither curve nor rungs nor constraints: they are
    reported again from the checkpoint, and a pruner that still saw the old rungs would skip them.
    Raises DatabaseError when the database stays away.
    """
    if not may_return(trial, own_fault=own_fault):
        return False
    backend = database_of(storage_of(study))
    _in_turn(backend, study_id_of(study), lambda session: _copy(backend, session, trial, own_fault))
    return True


def reclaim(storage: BaseStorage, study_id: int, trial: FrozenTrial, reason: str) -> bool:
    """Fail a running trial whose host is gone, with the reason, and enqueue its copy: all of it, or nothing.

    False when it was not running any more. Raises DatabaseError when the database stays away.
    """
    backend = database_of(storage)

    def work(session: Session) -> bool:
        if not _fail(session, trial_id_of(trial)):
            return False
        _say(session, trial_id_of(trial), reason)
        _copy(backend, session, trial, own_fault=False)
        return True

    return _in_turn(backend, study_id, work)


def claim_copy(study: Study, number: int) -> Trial | None:
    """The waiting copy of trial `number`, claimed; None when somebody has it already.

    For a worker that was taken for dead, but comes with the trial's result.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if retried(trial)[-1:] == [number]:
            if not storage_of(study).set_trial_state_values(trial_id_of(trial), TrialState.RUNNING):
                return None
            return Trial(study, trial_id_of(trial))
    return None


def _own_failures(trial: FrozenTrial) -> int:
    return int(trial.system_attrs.get(OWN_FAILURES, 0))


def database_of(storage: BaseStorage) -> RetryingStorage:
    """The database behind Optuna's cache. Raises TypeError for a storage that is none of ours."""
    backend = backend_of(storage)
    if not isinstance(backend, RetryingStorage):
        raise TypeError(f"trials are handed back in a database, got {type(storage).__name__}")
    return backend


def _in_turn(backend: RetryingStorage, study_id: int, work: Callable[[Session], T]) -> T:
    """Do the work while nobody else adds a trial to the study; an update locks, on SQLite too."""

    def once() -> T:
        with transaction(backend.engine) as session:
            same: Any = {"study_name": StudyModel.study_name}
            session.execute(update(StudyModel).where(StudyModel.study_id == study_id).values(**same))
            return work(session)

    return backend.patience.call(once)


def _fail(session: Session, trial_id: int) -> bool:
    failed = session.execute(
        update(TrialModel)
        .where(TrialModel.trial_id == trial_id, TrialModel.state == TrialState.RUNNING)
        .values({TrialModel.state: TrialState.FAIL, TRIAL_COMPLETED_UTC: datetime.now(UTC).replace(tzinfo=None)})
        .execution_options(synchronize_session=False)
    )
    return bool(failed.rowcount == 1)  # type: ignore[attr-defined]


def _say(session: Session, trial_id: int, reason: str) -> None:
    attribute = TrialUserAttributeModel
    said = session.scalars(select(attribute).where(attribute.trial_id == trial_id, attribute.key == "reason"))
    row = said.one_or_none() or attribute(trial_id=trial_id, key="reason")
    row.value_json = json.dumps(reason)
    session.add(row)


def _copy(backend: RetryingStorage, session: Session, trial: FrozenTrial, own_fault: bool) -> None:
    """Add the waiting copy, unless the trial has one."""
    study_id = session.scalars(select(TrialModel.study_id).where(TrialModel.trial_id == trial_id_of(trial))).one()
    histories = session.scalars(
        select(TrialSystemAttributeModel.value_json)
        .join(TrialModel, TrialModel.trial_id == TrialSystemAttributeModel.trial_id)
        .where(TrialModel.study_id == study_id, TrialSystemAttributeModel.key == HISTORY)
    )
    if any(trial.number in json.loads(history) for history in histories):
        return
    backend._get_prepared_new_trial(study_id, _template(trial, own_fault), session)


def _template(trial: FrozenTrial, own_fault: bool) -> FrozenTrial:
    history = [*retried(trial), trial.number]
    failures = _own_failures(trial) + own_fault
    return optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: value for name, value in trial.user_attrs.items() if name not in _ATTEMPT},
        system_attrs={"failed_trial": history[0], HISTORY: history}
        | ({OWN_FAILURES: failures} if failures else {})
        | {name: value for name, value in trial.system_attrs.items() if name == "fixed_params"},
    )
