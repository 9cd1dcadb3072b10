"""Who is at work on a study right now, and which running trials nobody works on any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from optuna.trial import TrialState
from sqlalchemy import func, select

from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialModel
from storage.database.schema import AttemptTable, HostTable
from storage.process_identity import is_here, still_runs
from storage.store import Store
from storage.studies.hosts import LEFT, Worker, workers
from storage.studies.studies import study_id
from storage.trials.retries import database_of

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


@dataclass(frozen=True, kw_only=True)
class StaleAttempt:
    """A running trial that nobody works on any more. trial: its number. reason: in one sentence."""

    trial: int
    reason: str


def stale_attempts(store: Store, study: str, *, local: bool = False) -> tuple[StaleAttempt, ...]:
    """The running trials that nobody works on, in order. Raises StudyError for an unknown study.

    They are those whose host was on this machine and is dead, and those whose host has not vouched for them for the
    grace period, also of trials that were begun without a host. local: only the first.
    """
    number, trial = study_id(store, study), TrialModel
    heard = func.coalesce(AttemptTable.heard, TRIAL_STARTED_UTC)
    query = (
        select(trial.number, HostTable.host, HostTable.pid, HostTable.id, HostTable.started, heard, func.now())
        .outerjoin(AttemptTable, AttemptTable.trial_id == trial.trial_id)
        .outerjoin(HostTable, HostTable.id == AttemptTable.host)
        .where(trial.study_id == number, trial.state == TrialState.RUNNING)
        .order_by(trial.number)
    )
    found = store.transact(lambda session: session.execute(query).all())
    deaf = not local and database_of(store.trials).recently_unavailable()
    stale = []
    for name, host, pid, host_id, started, last, now in found:
        if host_id is not None and is_here(host_id) and not still_runs(pid, started):
            stale.append(StaleAttempt(trial=name, reason=f"its host, process {pid} on {host}, died"))
        elif not local and not deaf and _too_long(last, now, store.grace_s):
            stale.append(StaleAttempt(trial=name, reason=f"its host gave no sign of life for {store.grace_s:.0f} s"))
    return tuple(stale)


def stale_trials_of(store: Store, study: str) -> tuple[int, ...]:
    """The numbers of the trials that `storage.studies.reaper` would take back."""
    return tuple(stale.trial for stale in stale_attempts(store, study))


def _too_long(then: datetime | None, now: datetime, grace_s: float) -> bool:
    """Whether both moments, by the database's clock and in UTC, lie further apart than a heartbeat may."""
    if then is None:
        return True
    return now.replace(tzinfo=None) - then.replace(tzinfo=None) > timedelta(seconds=grace_s)
