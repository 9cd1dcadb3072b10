"""What was trained: a run is one attempt at a trial."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.artifacts.artifact_store import not_found
from storage.database.schema import AttemptTable, StudyTable
from storage.errors import StudyError
from storage.store import Store
from storage.studies.studies import study_id

RUNNING = "running"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One attempt at training a trial.

    id: unique in the store, growing.
    trial: the trial's number in its study.
    worker: the id of the worker that trained it.
    device: such as "cpu" or "cuda:0".
    state: "running" until the run is finished with another.
    reason: why it ended so; empty when there is nothing to say.
    value: the objective's, None when there is none.
    parameters: the number of trainable ones, 0 when unknown.
    weights_artifact: the id of the kept weights, empty when none are kept.
    started, finished: UTC; finished is None while it runs.
    """

    id: int
    trial: int
    worker: str
    device: str
    state: str
    reason: str
    value: float | None
    parameters: int
    weights_artifact: str
    started: datetime
    finished: datetime | None


@dataclass(frozen=True, kw_only=True)
class KeptWeights:
    """The weights that a run left in the artifact store.

    run, trial: whose they are.
    artifact: their id.
    value: the run's objective, None when there is none.
    """

    run: int
    trial: int
    artifact: str
    value: float | None


def start_run(store: Store, *, study: str, trial: int, worker: str, device: str) -> int:
    """Note that a training begins; the run's id. A trial has one run: again gives the same.

    Raises StudyError for an unknown study.
    """
    number = study_id(store, study)
    known = (
        select(AttemptTable.id)
        .where(AttemptTable.study_id == number, AttemptTable.trial == trial)
        .order_by(AttemptTable.id.desc())
    )
    began = datetime.now(UTC)

    def work(session: Session) -> int:
        # An update locks, on SQLite too: an earlier try of ours has ended before we look.
        session.execute(update(StudyTable).where(StudyTable.study_id == number).values(study=StudyTable.study))
        found = session.scalars(known.limit(1)).one_or_none()
        if found is not None:
            return found
        row = AttemptTable(
            study_id=number, trial=trial, worker=worker, device=device, state=RUNNING, reason="", started=began
        )
        row.parameters, row.weights_artifact = 0, ""
        session.add(row)
        session.flush()
        return row.id

    return store.transact(work)


def finish_run(
    store: Store,
    run: int,
    *,
    state: str,
    reason: str = "",
    value: float | None = None,
    parameters: int = 0,
    weights_artifact: str = "",
) -> None:
    """Note how a run ended; the same again changes nothing but the time. Raises StudyError for an unknown run."""

    def work(session: Session) -> None:
        row = session.get(AttemptTable, run)
        if row is None:
            raise StudyError(f"there is no run {run} in {store.url}: was its study deleted while it ran?")
        row.state, row.reason, row.value = state, reason, None if value is None else _null(value)
        row.parameters, row.weights_artifact, row.finished = parameters, weights_artifact, datetime.now(UTC)

    store.transact(work)


def runs(store: Store, study: str) -> tuple[Run, ...]:
    """Every run of the study, oldest first. Raises StudyError for an unknown study."""
    of_study = select(AttemptTable).where(AttemptTable.study_id == study_id(store, study)).order_by(AttemptTable.id)
    rows = store.transact(lambda session: session.scalars(of_study).all())
    return tuple(Run(**{field.name: getattr(row, field.name) for field in fields(Run)}) for row in rows)


def kept_weights(store: Store, study: str) -> tuple[KeptWeights, ...]:
    """The weights that are kept, best value first, older run first among equals. Raises StudyError (unknown study)."""
    kept = [
        KeptWeights(run=run.id, trial=run.trial, artifact=run.weights_artifact, value=run.value)
        for run in runs(store, study)
        if run.weights_artifact
    ]
    return tuple(sorted(kept, key=lambda weights: (-_number(weights.value, -math.inf), weights.run)))


def drop_weights(store: Store, run: int) -> None:
    """Remove the run's weights from the artifact store and forget their id; without any, nothing happens.

    The file goes first: a crash in between leaves an id without a file, which the next call clears.
    """
    of_run = select(AttemptTable.weights_artifact).where(AttemptTable.id == run)
    artifact = store.transact(lambda session: session.scalar(of_run))
    if not artifact:
        return
    with suppress(not_found()):
        store.artifacts.remove(artifact)
    forget = (
        update(AttemptTable)
        .where(AttemptTable.id == run, AttemptTable.weights_artifact == artifact)
        .values(weights_artifact="")
    )
    store.transact(lambda session: session.execute(forget))


def _number(value: float | None, missing: float) -> float:
    return missing if value is None else float(value)


def _null(value: Any) -> float | None:
    """NaN as NULL: SQLite and JSON know no NaN. Takes NumPy's numbers too."""
    number = float(value)
    return None if math.isnan(number) else number
