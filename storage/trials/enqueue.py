"""Many waiting trials at once, written within the transaction that creates their study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import TrialState
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from storage.database.optuna_schema import TrialModel, TrialSystemAttributeModel

FIXED_PARAMS = "fixed_params"  # the system attribute that Optuna's `enqueue_trial` writes


def enqueue_trials(session: Session, study_id: int, points: Sequence[Mapping[str, Any]]) -> None:
    """Add one waiting trial for each of these parameter sets, in order, after the trials that there are.

    As `Study.enqueue_trial`, which takes one transaction a trial: two statements for any number of them. The caller
    holds the study's lock.
    """
    if not points:
        return
    first = session.scalar(select(func.count()).where(TrialModel.study_id == study_id)) or 0
    rows = [{"study_id": study_id, "number": first + i, "state": TrialState.WAITING} for i in range(len(points))]
    session.execute(insert(TrialModel), rows)
    added = select(TrialModel.trial_id).where(TrialModel.study_id == study_id, TrialModel.number >= first)
    ids = session.scalars(added.order_by(TrialModel.number))
    attributes = [
        {"trial_id": trial_id, "key": FIXED_PARAMS, "value_json": json.dumps(dict(params))}
        for trial_id, params in zip(ids, points, strict=True)
    ]
    session.execute(insert(TrialSystemAttributeModel), attributes)
