"""How every study stands, counted in the database: a list of studies need not load their trials."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from optuna.trial import TrialState
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from storage.database.optuna_schema import (
    StudyModel,
    TrialModel,
    TrialSystemAttributeModel,
    TrialValueModel,
)
from storage.database.schema import StudyTable
from storage.store import Store
from storage.trials.retries import HISTORY

CONSTRAINTS = "constraints"  # how Optuna's names of a trial's constraints begin


@dataclass(frozen=True, kw_only=True)
class StudySummary:
    """One study at a glance.

    study: its name. target, finished: trials; a failed one that has a retry is not finished.
    running: trials being trained. best: the highest value of a complete, feasible trial, None before there is one.
    constant: what the best constant answer has, None where the study does not say. created: UTC.
    """

    study: str
    target: int
    finished: int
    running: int
    best: float | None
    constant: float | None
    created: datetime


def study_summaries(store: Store) -> tuple[StudySummary, ...]:
    """All studies of the store, by name. Raises DatabaseError when the database stays away."""
    return store.transact(_summaries)


def _summaries(session: Session) -> tuple[StudySummary, ...]:
    told = StudyTable.config
    constant = case(
        (told["objective"].as_string() == "miou_strict", told["constant_miou_strict"].as_float()),
        else_=told["constant_miou"].as_float(),
    )
    studies = (
        select(StudyTable.study_id, StudyTable.study, StudyTable.trials, constant, StudyTable.created)
        .join(StudyModel, StudyModel.study_id == StudyTable.study_id)
        .where(StudyModel.study_name == StudyTable.study)
        .order_by(StudyTable.study)
    )
    counts, failed, best = _counts(session), _failed(session), _best(session)
    return tuple(
        StudySummary(
            study=name,
            target=target,
            finished=counts[number, TrialState.COMPLETE] + counts[number, TrialState.PRUNED] + failed[number],
            running=counts[number, TrialState.RUNNING],
            best=best.get(number),
            constant=beside,
            created=created,
        )
        for number, name, target, beside, created in session.execute(studies)
    )


def _counts(session: Session) -> Counter[tuple[int, TrialState]]:
    trial = TrialModel
    query = select(trial.study_id, trial.state, func.count()).group_by(trial.study_id, trial.state)
    return Counter({(study, state): number for study, state, number in session.execute(query)})


def _failed(session: Session) -> Counter[int]:
    """Of each study, how many trials have failed for good: without a retry."""
    trial, attribute = TrialModel, TrialSystemAttributeModel
    retries = select(trial.study_id, attribute.value_json).join(attribute, attribute.trial_id == trial.trial_id)
    replaced = {
        (study, number)
        for study, text in session.execute(retries.where(attribute.key == HISTORY))
        for number in json.loads(text)
    }
    ended = select(trial.study_id, trial.number).where(trial.state == TrialState.FAIL)
    return Counter(study for study, number in session.execute(ended) if (study, number) not in replaced)


def _best(session: Session) -> Mapping[int, float]:
    """Of each study, the highest value among its complete trials without a violated constraint."""
    trial, value, attribute = TrialModel, TrialValueModel, TrialSystemAttributeModel
    complete = trial.state == TrialState.COMPLETE
    limits = (
        select(trial.trial_id, attribute.value_json)
        .join(attribute, attribute.trial_id == trial.trial_id)
        .where(complete, attribute.key.startswith(CONSTRAINTS))
    )
    violated = {number for number, text in session.execute(limits) if _violated(json.loads(text))}
    values = (
        select(trial.study_id, trial.trial_id, value.value)
        .join(value, value.trial_id == trial.trial_id)
        .where(complete, value.value.is_not(None))
    )
    best: dict[int, float] = {}
    for study, number, score in session.execute(values):
        if number not in violated:
            best[study] = max(score, best.get(study, score))
    return best


def _violated(constraint: float | list[float] | None) -> bool:
    """Optuna keeps one number per constraint, and in older studies a list of all."""
    return any(number > 0 for number in (constraint if isinstance(constraint, list) else [constraint or 0.0]))
