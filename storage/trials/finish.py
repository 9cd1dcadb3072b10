"""The last change of a trial and of its attempt, as statements within a transaction of the caller's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from storage.database.clock import database_now
from storage.database.optuna_schema import (
    TRIAL_COMPLETED_UTC,
    TrialModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from storage.database.schema import AttemptTable, put

RUNNING = "running"  # the state of an attempt that goes on


def begin_attempt(session: Session, trial_id: int, host: str, device: str) -> None:
    """Write the attempt of a trial that this host has just claimed, by the database's clock.

    An older row of that id is of a study that was deleted through plain Optuna: SQLite gives its ids out again.
    """
    mine = select(TrialModel.study_id, TrialModel.number).where(TrialModel.trial_id == trial_id)
    study_id, number = session.execute(mine).one()
    values = {
        "trial_id": trial_id,
        "study_id": study_id,
        "trial": number,
        "host": host,
        "device": device,
        "state": RUNNING,
        "reason": "",
        "value": None,
        "parameters": 0,
        "weights_artifact": "",
        "started": func.now(),
        "heard": func.now(),
        "finished": None,
    }
    put(session, AttemptTable, values, ["trial_id"])


def finish_trial(
    session: Session,
    trial_id: int,
    state: TrialState,
    *,
    values: Sequence[float] = (),
    reason: str = "",
    traceback: str = "",
) -> bool:
    """Change a running trial to its final state, with its values and why it ended; False when it is not running."""
    done = session.execute(
        update(TrialModel)
        .where(TrialModel.trial_id == trial_id, TrialModel.state == TrialState.RUNNING)
        .values({TrialModel.state: state, TRIAL_COMPLETED_UTC: database_now()})
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        return False
    for objective, value in enumerate(values):
        store_value(session, trial_id, objective, value)
    for key, text in {"reason": reason, "traceback": traceback}.items():
        if text:
            row = {"trial_id": trial_id, "key": key, "value_json": json.dumps(text)}
            put(session, TrialUserAttributeModel, row, ["trial_id", "key"])
    return True


def close_attempt(session: Session, trial_id: int, state: str, reason: str, **values: Any) -> None:
    """Write how the attempt ended. values: further columns of `AttemptTable`."""
    mine = update(AttemptTable).where(AttemptTable.trial_id == trial_id)
    session.execute(mine.values(state=state, reason=reason, finished=func.now(), **values))


def store_value(session: Session, trial_id: int, objective: int, value: float) -> None:
    """Write the value of one objective as Optuna stores it, infinities included."""
    number, kind = TrialValueModel.value_to_stored_repr(value)
    row = {"trial_id": trial_id, "objective": objective, "value": number, "value_type": kind}
    put(session, TrialValueModel, row, ["trial_id", "objective"])
