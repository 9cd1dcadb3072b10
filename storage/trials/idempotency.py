"""Idempotency keys, which tell which call made a study or a trial, and which one changed a trial's state last.

When the answer to a commit is lost, the caller cannot know whether it was applied. The key is written in the same
transaction as the change: found again, the change was made, and by us. It stands among the system attributes, in
Optuna's own tables, and is taken out again before Optuna sees them.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import MutableMapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.database.optuna_schema import StudyModel, StudySystemAttributeModel, TrialModel, TrialSystemAttributeModel
from storage.database.schema import put

MADE = "marsearch:made_by"
CHANGED = "marsearch:changed_by"  # of its own: who claims a trial must not hide who made it

_OF_TRIAL: Any = TrialSystemAttributeModel
_OF_STUDY: Any = StudySystemAttributeModel


def new_idempotency_key() -> str:
    """A key for one call; its repetitions use the same."""
    return uuid.uuid4().hex


def key_trial(session: Session, trial_id: int, attribute: str, key: str) -> None:
    """Write the key to a trial, in place of the one before. attribute: MADE or CHANGED."""
    put(
        session, _OF_TRIAL, {"trial_id": trial_id, "key": attribute, "value_json": json.dumps(key)}, ["trial_id", "key"]
    )


def key_study(session: Session, study_id: int, key: str) -> None:
    """Write the key to a new study."""
    session.add(_OF_STUDY(study_id=study_id, key=MADE, value_json=json.dumps(key)))


def changed(session: Session, trial_id: int, key: str) -> bool:
    """Whether the trial's last change of state was made under this key."""
    mine = (_OF_TRIAL.trial_id == trial_id, _OF_TRIAL.key == CHANGED, _OF_TRIAL.value_json == json.dumps(key))
    return session.scalar(select(_OF_TRIAL.trial_id).where(*mine)) is not None


def find_trial(session: Session, study_id: int, key: str) -> Any | None:
    """The study's trial that was made under this key, or None."""
    trial: Any = TrialModel
    mine = (trial.study_id == study_id, _OF_TRIAL.key == MADE, _OF_TRIAL.value_json == json.dumps(key))
    return session.scalar(select(trial).join(_OF_TRIAL, _OF_TRIAL.trial_id == trial.trial_id).where(*mine))


def find_study(session: Session, name: str, key: str) -> int | None:
    """The id of the study of that name if it was made under this key."""
    study: Any = StudyModel
    mine = (study.study_name == name, _OF_STUDY.key == MADE, _OF_STUDY.value_json == json.dumps(key))
    found: int | None = session.scalar(
        select(study.study_id).join(_OF_STUDY, _OF_STUDY.study_id == study.study_id).where(*mine)
    )
    return found


def remove_keys(attributes: MutableMapping[str, Any]) -> None:
    """Take the idempotency keys out of system attributes that are on their way to Optuna."""
    for key in (MADE, CHANGED):
        attributes.pop(key, None)
