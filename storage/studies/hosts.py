"""Which host processes work on a study, and when they were last heard of."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime

from sqlalchemy import func, select, update

from storage.database.engine import transaction
from storage.database.retry import RetriesExhausted
from storage.database.schema import AttemptTable, HostTable, put
from storage.store import Store
from storage.studies.studies import study_id

LEFT = "left"
BEAT_S = 10.0  # how long a beat waits for a database that is away

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One host process at work on one study.

    id: unique over all hosts, at most 64 characters.
    study: the study's name.
    host, pid: where it runs.
    device: such as "cpu" or "cuda".
    slots: how many trainings it runs at once.
    started, beat: UTC with the zone; when it began and when it was last heard of.
    state: "working" or what else it says of itself; "left" once it has gone in order.
    trials: the numbers of the trials it trains, as the worker writes them.
    """

    id: str
    study: str
    host: str
    pid: int
    device: str
    slots: int
    started: datetime
    beat: datetime
    state: str
    trials: str


def register(store: Store, worker: Worker) -> None:
    """Note that the worker is there; the same id again replaces it. Raises StudyError for an unknown study."""
    values = asdict(worker) | {"study_id": study_id(store, worker.study)}
    del values["study"]
    store.transact(lambda session: put(session, HostTable, values, ["id"]))


def beat(store: Store, worker_id: str, trials: str, vouched: Collection[int] = ()) -> None:
    """Note that the worker was heard of now, and what it trains; an unknown or departed one stays as it is.

    vouched: the numbers of those of its trials that make progress.

    A database that is away is waited for until the next beat is due, and then left alone: a sign of life is no reason
    to stop the worker. Raises DatabaseError for trouble that does not pass by itself.
    """
    try:
        store.patience.call(lambda: _note(store, worker_id, trials=trials), limit_s=BEAT_S)
        store.patience.call(lambda: _vouch(store, worker_id, vouched), limit_s=BEAT_S)
    except RetriesExhausted as error:
        _logger.warning("worker %s could not say that it is there: %s", worker_id, error)


def _vouch(store: Store, worker_id: str, trials: Collection[int]) -> None:
    mine = (AttemptTable.host == worker_id, AttemptTable.trial.in_(trials))
    with transaction(store.engine) as session:
        session.execute(update(AttemptTable).where(*mine).values(heard=func.now()))


def leave(store: Store, worker_id: str) -> None:
    """Note that the worker has gone in order."""
    store.patience.call(lambda: _note(store, worker_id, trials="", state=LEFT))


def workers(store: Store, study: str) -> tuple[Worker, ...]:
    """The study's workers, departed ones too, in the order they came. Raises StudyError for an unknown study."""
    of_study = select(HostTable).where(HostTable.study_id == study_id(store, study))
    ordered = of_study.order_by(HostTable.started, HostTable.id)
    rows = store.transact(lambda session: session.scalars(ordered).all())
    names = [field.name for field in fields(Worker) if field.name != "study"]
    return tuple(Worker(study=study, **{name: getattr(row, name) for name in names}) for row in rows)


def _note(store: Store, worker_id: str, **values: str) -> None:
    mine = (HostTable.id == worker_id, HostTable.state != LEFT)
    with transaction(store.engine) as session:
        session.execute(update(HostTable).where(*mine).values(beat=datetime.now(UTC), **values))
