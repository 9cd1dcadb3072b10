"""Who is at work on a study right now, and which running trials nobody works on any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from optuna.trial import TrialState
from sqlalchemy import func, select

from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialHeartbeatModel, TrialModel
from storage.database.schema import AttemptTable
from storage.process_identity import is_here, still_runs
from storage.store import Store
from storage.studies.hosts import LEFT, Worker, workers
from storage.studies.studies import study_id
from storage.trials.retrying_storage import GRACE_S

SILENT_S = 60.0  # a host notes every 10 s that it is there


def alive(worker: Worker) -> bool:
    """Whether the worker is there: on this machine its process is, elsewhere it was heard of within a minute."""
    if worker.state == LEFT:
        return False
    return still_runs(worker.pid, worker.started) if is_here(worker.id) else silence(worker) < SILENT_S


def silence(worker: Worker) -> float:
    """Seconds since the worker was last heard of, by this machine's clock."""
    return max(0.0, (datetime.now(UTC) - worker.beat).total_seconds())


def attending(store: Store, study: str) -> tuple[Worker, ...]:
    """The workers that are there, in the order they came. Raises StudyError for an unknown study."""
    return tuple(worker for worker in workers(store, study) if alive(worker))


def stale_trials_of(store: Store, study: str) -> tuple[int, ...]:
    """The numbers of the running trials that nobody works on, in order. Raises StudyError for an unknown study.

    They are those that `storage.studies.reaper` would take back: without a sign of life for three minutes, or of a
    worker that has died on this machine.
    """
    running = _running(store, study)
    if not running:
        return ()
    here = [worker for worker in workers(store, study) if is_here(worker.id)]
    dead = {worker.id for worker in here if not still_runs(worker.pid, worker.started)}
    return tuple(sorted(number for number, (worker, silent) in running.items() if silent or worker in dead))


def _running(store: Store, study: str) -> dict[int, tuple[str, bool]]:
    """Of each running trial, the worker of its latest run ("" for none) and whether it was silent for too long."""
    number, trial, heartbeat = study_id(store, study), TrialModel, TrialHeartbeatModel
    heard = func.coalesce(heartbeat.heartbeat, TRIAL_STARTED_UTC)
    query = (
        select(trial.number, heard, func.current_timestamp())
        .outerjoin(heartbeat, heartbeat.trial_id == trial.trial_id)
        .where(trial.study_id == number, trial.state == TrialState.RUNNING)
    )
    last = (
        select(AttemptTable.trial, AttemptTable.worker).where(AttemptTable.study_id == number).order_by(AttemptTable.id)
    )
    found = store.transact(lambda session: session.execute(query).all())
    runs = store.transact(lambda session: session.execute(last).all()) if found else []
    owner = {run.trial: run.worker for run in runs}
    return {name: (owner.get(name, ""), _too_long(then, now)) for name, then, now in found}


def _too_long(then: datetime | None, now: datetime) -> bool:
    """Whether both moments, by the database's clock and in UTC, lie further apart than a heartbeat may."""
    return then is None or now.replace(tzinfo=None) - then > timedelta(seconds=GRACE_S)
