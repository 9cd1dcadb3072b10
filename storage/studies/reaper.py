"""Taking back the trials of hosts that are gone: at once where that can be seen, else when they have been silent."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import func, select, update

from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialHeartbeatModel, TrialModel, study_id_of, trial_id_of
from storage.database.schema import AttemptTable, HostTable
from storage.errors import ArtifactError
from storage.process_identity import machine, still_runs
from storage.store import Store
from storage.studies.attempts import drop_weights
from storage.trials.idempotency import begun_here
from storage.trials.retries import COMES_BACK, database_of, reclaim, requeue, retry_pending
from storage.trials.trial_storage import GRACE_S

LOST = "lost"  # the state of a run whose host is gone


def reap(store: Store, study: str, *, local: bool = False) -> tuple[int, ...]:
    """Put back into the queue what nobody works on any more; the numbers of the trials that were still running.

    These are trials whose worker was on this machine and is dead; trials without a sign of life for the grace period,
    also when they never gave one; and failed ones that were promised to come back, but whose worker died before it
    could. local: only the first, which is quick.
    Raises KeyError for an unknown study and DatabaseError when the database stays away.
    """
    opened = optuna.load_study(study_name=study, storage=store.trials)
    lost = _orphans(store, opened)
    if not local:
        lost |= _silent(store, opened) | lost
    taken = tuple(t.number for t, why in lost.values() if reclaim(store.trials, study_id_of(opened), t, why))
    for number in taken:
        _close_runs(store, study_id_of(opened), number)
    if not local:
        for trial in retry_pending(opened.get_trials(deepcopy=False)):
            requeue(opened, trial, own_fault=trial.system_attrs.get(COMES_BACK) == "own")
    return taken


def _orphans(store: Store, study: Study) -> dict[int, tuple[FrozenTrial, str]]:
    """By number, the running trials whose worker was on this machine and is dead, and why they are taken back."""
    running = {t.number: t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))}
    if not running:
        return {}
    query = (
        select(AttemptTable.trial, HostTable)
        .join(HostTable, HostTable.id == AttemptTable.worker)
        .where(AttemptTable.study_id == study_id_of(study), AttemptTable.trial.in_(running))
        .where(HostTable.id.endswith(f"-{machine()}", autoescape=True))
        .order_by(AttemptTable.id)
    )
    workers = dict(store.transact(lambda session: [(trial, worker) for trial, worker in session.execute(query)]))
    return _just_begun(store, [trial for number, trial in running.items() if number not in workers]) | {
        number: (running[number], f"its host, process {worker.pid} on {worker.host}, died")
        for number, worker in workers.items()
        if not still_runs(worker.pid, worker.started)
    }


def _just_begun(store: Store, trials: list[FrozenTrial]) -> dict[int, tuple[FrozenTrial, str]]:
    """Those of the trials without a run that a process on this machine had begun just before it died."""
    if not trials:
        return {}
    pids = store.transact(lambda session: begun_here(session, [trial_id_of(trial) for trial in trials]))
    return {
        trial.number: (trial, f"its host, process {pids[trial_id_of(trial)]} on this machine, died")
        for trial in trials
        if trial_id_of(trial) in pids
        and trial.datetime_start is not None
        and not still_runs(pids[trial_id_of(trial)], trial.datetime_start)
    }


def _silent(store: Store, study: Study) -> dict[int, tuple[FrozenTrial, str]]:
    """By number, the running trials without a sign of life within the grace period."""
    database = database_of(store.trials)
    grace = timedelta(seconds=database.grace_period or GRACE_S)
    unheard = _unheard(store, study_id_of(study), grace)
    silent = set(database._get_stale_trial_ids(study_id_of(study))) | (
        set() if database.recently_unavailable() else unheard
    )
    if not silent:
        return {}
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {
        t.number: (t, f"its host gave no sign of life for {grace.total_seconds():.0f} s")
        for t in running
        if trial_id_of(t) in silent
    }


def _unheard(store: Store, study_id: int, grace: timedelta) -> set[int]:
    """The ids of trials that were begun longer ago than the grace period and never gave a sign of life."""
    trial, heartbeat = TrialModel, TrialHeartbeatModel
    query = (
        select(trial.trial_id, TRIAL_STARTED_UTC, func.now())
        .outerjoin(heartbeat, heartbeat.trial_id == trial.trial_id)
        .where(trial.study_id == study_id, trial.state == TrialState.RUNNING, heartbeat.trial_id.is_(None))
    )
    found = store.transact(lambda session: session.execute(query).all())
    return {number for number, began, now in found if began is None or now.replace(tzinfo=None) - began > grace}


def _close_runs(store: Store, study_id: int, trial: int) -> None:
    """Say of the runs of a trial that was taken back that they are lost, and drop weights that nobody told of."""
    mine = (AttemptTable.study_id == study_id, AttemptTable.trial == trial)
    ended = {"state": LOST, "reason": "the trial was taken back", "finished": datetime.now(UTC)}
    store.transact(lambda session: session.execute(update(AttemptTable).where(*mine).values(**ended)))
    kept = select(AttemptTable.id).where(*mine, AttemptTable.weights_artifact != "")
    weights = store.transact(lambda session: session.scalars(kept).all())
    for run in weights:
        with suppress(ArtifactError):
            drop_weights(store, run)
