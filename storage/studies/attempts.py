"""Attempts: the training of one trial by the host that claimed it, and how a host settles it.

A trial is claimed together with its attempt, which names the host. Only that host can settle it, and only as long as
the trial has not been reclaimed: state, value and attempt change in one transaction, or not at all.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.artifacts.artifact_store import not_found
from storage.database.optuna_schema import storage_of, study_id_of, trial_id_of
from storage.database.schema import AttemptTable
from storage.errors import StudyFull
from storage.store import Store
from storage.studies.studies import study_id
from storage.trials.finish import RUNNING, close_attempt, finish_trial
from storage.trials.queries import rank
from storage.trials.retries import LOST, add_retry, claim_retry, database_of, in_turn
from storage.trials.trial_storage import Holder, TrialStorage

__all__ = ["LOST", "RUNNING", "Holder"]

State = Literal["complete", "pruned", "failed", "retried"]
_TRIAL_STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
    "retried": TrialState.FAIL,
}


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One training of a trial.

    trial: the trial's number in its study.
    host: the id of the host that claimed it.
    device: such as "cpu" or "cuda:0".
    state: "running", and in the end "complete", "pruned", "failed", "retried" or "lost".
    reason: why it ended so; empty when there is nothing to say.
    value: the objective's, None when there is none.
    parameters: the number of trainable ones, 0 when unknown.
    weights_artifact: the id of the kept weights, empty when none are kept.
    started, heard, finished: UTC, by the database's clock; `heard`: when its host last vouched for it.
    """

    trial_id: int
    trial: int
    host: str
    device: str
    state: str
    reason: str
    value: float | None
    parameters: int
    weights_artifact: str
    started: datetime
    heard: datetime
    finished: datetime | None


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an attempt is to be settled.

    value: the objective, of a pruned one its last report; None for none. fault: of an attempt that broke off: "own" if
    the training failed by itself, which counts towards the limit of retries, "host" if its host
    left, "place" if that has no room for the files of any training.
    """

    state: State
    reason: str = ""
    traceback: str = ""
    value: float | None = None
    parameters: int = 0
    weights_artifact: str = ""
    fault: Literal["own", "host", "place", ""] = ""


@dataclass(frozen=True, kw_only=True)
class KeptWeights:
    """The weights that an attempt left in the artifact store.

    trial_id, trial: whose they are.
    artifact: their id.
    value: the attempt's objective, None when there is none.
    parameters: of its network, 0 when unknown.
    """

    trial_id: int
    trial: int
    artifact: str
    value: float | None
    parameters: int

    @property
    def rank(self) -> tuple[float, float, int]:
        """What they are sorted by, the best first."""
        return rank(self.value, self.parameters, self.trial)


def claim_trial(study: Study, holder: Holder) -> Trial | None:
    """The next trial for this host: a retry or an enqueued one that waits, or one that is sampled now.

    None when the study has all of its trials. Raises DatabaseError when the database stays away.
    """
    with _trials(study).held_by(holder), suppress(StudyFull):
        return study.ask()
    return None


def claim_retry_of(study: Study, number: int, holder: Holder) -> Trial | None:
    """The waiting retry of attempt `number`, for the host that has its result after all; None when it is gone."""
    with _trials(study).held_by(holder):
        return claim_retry(study, number)


def settle(store: Store, study: Study, trial: FrozenTrial, host: str, ending: Ending) -> bool:
    """End a trial and its attempt, with the retry where there is to be one: all of it in one transaction, or nothing.

    False when the trial is no longer this host's: it was reclaimed. The same call again changes nothing and answers the
    same. The sampler's `after_trial` is not called: ours keep nothing there.
    Raises DatabaseError when the database stays away.
    """
    backend = database_of(store.trials)

    def work(session: Session) -> bool:
        row = session.get(AttemptTable, trial_id_of(trial))
        if row is None or row.host != host or row.state not in (RUNNING, ending.state):
            return False
        if row.state == ending.state:
            return True  # committed by an earlier try whose answer was lost
        values = () if ending.value is None else (ending.value,)
        state, reason, trace = _TRIAL_STATES[ending.state], ending.reason, ending.traceback
        if not finish_trial(session, trial_id_of(trial), state, values=values, reason=reason, traceback=trace):
            return False
        kept = {"value": ending.value, "parameters": ending.parameters, "weights_artifact": ending.weights_artifact}
        close_attempt(session, trial_id_of(trial), ending.state, reason, **kept)
        if ending.state == "retried":
            add_retry(backend, session, trial, own_fault=ending.fault == "own")
        return True

    return in_turn(backend, study_id_of(study), work)


def attempts(store: Store, study: str) -> tuple[Attempt, ...]:
    """Every attempt of the study, oldest first. Raises StudyError for an unknown study."""
    of_study = select(AttemptTable).where(AttemptTable.study_id == study_id(store, study)).order_by(AttemptTable.trial)
    rows = store.transact(lambda session: session.scalars(of_study).all())
    return tuple(Attempt(**{field.name: getattr(row, field.name) for field in fields(Attempt)}) for row in rows)


def kept_weights(store: Store, study: str) -> tuple[KeptWeights, ...]:
    """The weights that are kept, best first. Raises StudyError for an unknown study."""
    kept = [
        KeptWeights(
            trial_id=each.trial_id,
            trial=each.trial,
            artifact=each.weights_artifact,
            value=each.value,
            parameters=each.parameters,
        )
        for each in attempts(store, study)
        if each.weights_artifact
    ]
    return tuple(sorted(kept, key=lambda each: each.rank))


def note_weights(store: Store, trial_id: int, artifact: str) -> bool:
    """Note for a complete attempt where its weights are, which arrived late; False when they are no longer wanted."""
    mine = (AttemptTable.trial_id == trial_id, AttemptTable.state == "complete")
    noted = update(AttemptTable).where(*mine).values(weights_artifact=artifact)
    return store.transact(lambda session: _changed(session.execute(noted)))


def drop_weights(store: Store, trial_id: int) -> None:
    """Remove the attempt's weights from the artifact store and forget their id; without any, nothing happens.

    The file goes first: a crash in between leaves an id without a file, which the next call clears.
    """
    of_attempt = select(AttemptTable.weights_artifact).where(AttemptTable.trial_id == trial_id)
    artifact = store.transact(lambda session: session.scalar(of_attempt))
    if not artifact:
        return
    with suppress(not_found()):
        store.artifacts.remove(artifact)
    mine = (AttemptTable.trial_id == trial_id, AttemptTable.weights_artifact == artifact)
    forget = update(AttemptTable).where(*mine).values(weights_artifact="")
    store.transact(lambda session: session.execute(forget))


def _trials(study: Study) -> TrialStorage:
    database = database_of(storage_of(study))
    assert isinstance(database, TrialStorage)
    return database


def _changed(result: Any) -> bool:
    return bool(result.rowcount)
