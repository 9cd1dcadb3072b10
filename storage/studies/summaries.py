"""How every study stands: the trials of all studies with no more than what counting and ranking them takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, select
from sqlalchemy.orm import Session, defer

from storage.database.optuna_schema import StudyModel
from storage.database.schema import StudyTable
from storage.store import Store
from storage.studies.ends import Ends
from storage.trials.queries import best_of, count
from storage.trials.trial_rows import read_outcomes


@dataclass(frozen=True, kw_only=True)
class StudySummary:
    """One study at a glance.

    study: its name. target, finished: trials; a failed one that has a retry is not finished.
    running: trials being trained. best: the highest value of a complete, feasible trial, None before there is one.
    end: why no new one begins, other than that the target is reached; "" where there is no such reason.
    constant: what the best constant answer has, None where the study does not say. created: UTC.
    """

    study: str
    target: int
    finished: int
    running: int
    best: float | None
    constant: float | None
    end: str
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
        select(StudyTable, constant, told["budget_s"].as_float(), told["patience_trials"].as_integer())
        .options(defer(StudyTable.config))
        .join(StudyModel, StudyModel.study_id == StudyTable.study_id)
        .where(StudyModel.study_name == StudyTable.study)
        .order_by(StudyTable.study)
    )
    return tuple(_summary(session, *row) for row in session.execute(studies).all())


def _summary(
    session: Session, row: StudyTable, constant: float | None, budget_s: float | None, patience: int | None
) -> StudySummary:
    trials = read_outcomes(session, row.study_id)
    counts, best = count(trials), best_of(trials)
    end = Ends(budget_s=budget_s, patience_trials=patience, worked_s=row.worked_s).end(trials)
    return StudySummary(
        study=row.study,
        target=row.trials,
        finished=counts.finished,
        running=counts.running,
        best=best.value if best is not None else None,
        constant=constant,
        end=end.reason if end is not None else "",
        created=row.created,
    )
