"""Retries: a trial that failed, but is not finished, gets one waiting copy, which the next free host claims.

The failure and the copy are written in one transaction, under a lock on the study, so that there is no trial that has
failed and is still to be tried again, and none that is tried again twice. The copy is a trial of Optuna's with the same
parameters; its system attribute `retry_history` names the attempts before it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import optuna
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.database.engine import transaction
from storage.database.optuna_schema import (
    StudyModel,
    TrialModel,
    TrialSystemAttributeModel,
    backend_of,
    storage_of,
    trial_id_of,
)
from storage.trials.finish import close_attempt, finish_trial
from storage.trials.retrying_storage import RetryingStorage

T = TypeVar("T")

MOST_RETRIES = 2  # retries of a trial that fails by itself; deaths of its hosts do not count
LOST = "lost"  # the state of an attempt whose host is gone, or was silent for too long

OWN_FAILURES = "own_failures"  # system attributes: how often the trial has failed by itself,
HISTORY = "retry_history"  # and, as Optuna writes it, the numbers of its earlier attempts, oldest first
_ATTEMPT = ("reason", "traceback", "resumed_from_epoch")  # user attributes that describe one attempt only


def first_attempt(trial: FrozenTrial) -> int:
    """The number of the trial's first attempt: its own, when it is the first."""
    return ([*earlier_attempts(trial), trial.number])[0]


def earlier_attempts(trial: FrozenTrial) -> list[int]:
    """The numbers of the failed attempts that this one takes the place of, oldest first."""
    return list(trial.system_attrs.get(HISTORY, []))


def may_retry(trial: FrozenTrial, *, own_fault: bool) -> bool:
    """Whether the trial is tried again after this attempt; one that fails by itself has `MOST_RETRIES` retries."""
    return not own_fault or int(trial.system_attrs.get(OWN_FAILURES, 0)) < MOST_RETRIES


def reclaim(storage: BaseStorage, study_id: int, trial: FrozenTrial, reason: str) -> bool:
    """Fail a running trial whose host is gone, close its attempt as lost, and enqueue its retry: all of it, or nothing.

    False when it was not running any more. Raises DatabaseError when the database stays away.
    """
    backend = database_of(storage)

    def work(session: Session) -> bool:
        if not finish_trial(session, trial_id_of(trial), TrialState.FAIL, reason=reason):
            return False
        close_attempt(session, trial_id_of(trial), LOST, reason)
        add_retry(backend, session, trial, own_fault=False)
        return True

    return in_turn(backend, study_id, work)


def claim_retry(study: Study, number: int) -> Trial | None:
    """The waiting retry of attempt `number`, claimed; None when there is none, or another host has it already.

    For a host whose trial was reclaimed while it was silent, but which has the trial's result.
    """
    for trial in study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        if earlier_attempts(trial)[-1:] == [number]:
            if not storage_of(study).set_trial_state_values(trial_id_of(trial), TrialState.RUNNING):
                return None
            return Trial(study, trial_id_of(trial))
    return None


def database_of(storage: BaseStorage) -> RetryingStorage:
    """The database behind Optuna's cache. Raises TypeError for a storage that is none of ours."""
    backend = backend_of(storage)
    if not isinstance(backend, RetryingStorage):
        raise TypeError(f"a storage of marsearch was expected, got {type(storage).__name__}")
    return backend


def in_turn(backend: RetryingStorage, study_id: int, work: Callable[[Session], T]) -> T:
    """Do the work while no other process adds a trial to the study; an update locks, on SQLite too."""

    def once() -> T:
        with transaction(backend.engine) as session:
            same = update(StudyModel).where(StudyModel.study_id == study_id).values(study_name=StudyModel.study_name)
            session.execute(same)
            return work(session)

    return backend.retry_policy.call(once)


def add_retry(backend: RetryingStorage, session: Session, trial: FrozenTrial, *, own_fault: bool) -> None:
    """Add the waiting copy of a trial that has just failed, unless it has one. Only under the lock of `in_turn`.

    own_fault: it failed by itself, and not because its host went.
    The copy keeps the parameters and what was noted at the trial, but neither curve nor rungs nor constraints: they are
    reported again from the checkpoint, and a pruner that still saw the old rungs would skip them.
    """
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
    history = [*earlier_attempts(trial), trial.number]
    failures = int(trial.system_attrs.get(OWN_FAILURES, 0)) + own_fault
    return optuna.create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={name: value for name, value in trial.user_attrs.items() if name not in _ATTEMPT},
        system_attrs={"failed_trial": history[0], HISTORY: history}
        | ({OWN_FAILURES: failures} if failures else {})
        | {name: value for name, value in trial.system_attrs.items() if name == "fixed_params"},
    )
