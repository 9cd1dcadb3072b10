"""The host processes of a study, each with a heartbeat that the database's clock writes."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.database.clock import database_now
from storage.database.retry import RetriesExhausted
from storage.database.schema import AttemptTable, HostTable, put
from storage.process_identity import ProcessIdentity
from storage.store import Store
from storage.studies.studies import study_id

WORKING, LEFT = "working", "left"
MOST_LINES, LONGEST_LINE = 20, 240  # of a log that the database keeps; in characters
HEARTBEAT_S = 10.0  # between two heartbeats of a host; each waits no longer than that for a database that is away

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class HostInfo:
    """What a host process is, as it registers.

    id: unique over all hosts, at most 64 characters, from `new_host_id`.
    study: the study's name.
    name: of the machine, for people.
    process: by which others on the same machine see whether it runs.
    device: such as "cpu" or "cuda".
    workers: how many trainings it runs at once.
    """

    id: str
    study: str
    name: str
    process: ProcessIdentity
    device: str
    workers: int


@dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """A training that a host works on. trial: its number. epoch: how many of its `epochs` are done."""

    trial: int
    epoch: int
    epochs: int


@dataclass(frozen=True, kw_only=True)
class DeviceLoad:
    """How busy a device is.

    name: "cpu", or what the driver calls a GPU. busy: share of the time in which it computes, 0 to 1; None where nobody
    says. used_gb, total_gb: memory in GiB, of all processes; None where nobody says.
    """

    name: str
    busy: float | None = None
    used_gb: float | None = None
    total_gb: float | None = None


@dataclass(frozen=True, kw_only=True)
class HostSigns:
    """What a host tells of itself beside its trainings.

    devices: the machine's processors, and the GPUs that it trains on. log: the last lines of its log, oldest first, at
    most `MOST_LINES` of `LONGEST_LINE` characters. Both are empty where it has told nothing, as an older version does.
    """

    devices: tuple[DeviceLoad, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host process as the database knows it.

    started, heartbeat: UTC with the zone, by the database's clock.
    silent_s: seconds since the heartbeat when it was read, by the same clock.
    state: "working", or "left" once it has ended in order.
    signs: what it last told of itself.
    """

    info: HostInfo
    started: datetime
    heartbeat: datetime
    silent_s: float
    state: str
    training: tuple[TrainingProgress, ...]
    signs: HostSigns

    @property
    def id(self) -> str:
        """The host's id."""
        return self.info.id


def new_host_id() -> str:
    """An id that no other host has."""
    return uuid.uuid4().hex[:16]


def register(store: Store, host: HostInfo) -> None:
    """Note that the host is at work; the same id again replaces it. Raises StudyError for an unknown study."""
    values = {
        "id": host.id,
        "study_id": study_id(store, host.study),
        "name": host.name,
        **asdict(host.process),
        "device": host.device,
        "workers": host.workers,
        "started": database_now(),
        "heartbeat": database_now(),
        "state": WORKING,
        "training": [],
        "load": None,
        "log": None,
    }
    store.transact(lambda session: put(session, HostTable, values, ["id"]))


def heartbeat(
    store: Store,
    host_id: str,
    training: Sequence[TrainingProgress] = (),
    attempts: Collection[int] = (),
    *,
    signs: HostSigns | None = None,
    limit_s: float = HEARTBEAT_S,
) -> None:
    """Note that the host lives and what it trains, and vouch for its attempts that make progress.

    attempts: the numbers of the trials among them. signs: what else it tells; None leaves what it told before.
    An unknown or departed host stays as it is.
    A database that is away is waited for until the next heartbeat is due (limit_s), and then left alone: this is no
    reason to stop the host. Raises DatabaseError for trouble that does not pass by itself.
    """

    def work(session: Session) -> None:
        mine = (HostTable.id == host_id, HostTable.state != LEFT)
        told = {"training": [asdict(each) for each in training]} | _columns(signs)
        session.execute(update(HostTable).where(*mine).values(heartbeat=database_now(), **told))
        if attempts:
            vouched = (AttemptTable.host == host_id, AttemptTable.trial.in_(attempts))
            session.execute(update(AttemptTable).where(*vouched).values(heard=database_now()))

    try:
        store.transact(work, limit_s=limit_s)
    except RetriesExhausted as error:
        _logger.warning("host %s could not write its heartbeat: %s", host_id, error)


def leave(store: Store, host_id: str) -> None:
    """Note that the host has ended in order."""
    mine = (HostTable.id == host_id, HostTable.state != LEFT)
    gone = update(HostTable).where(*mine).values(heartbeat=database_now(), state=LEFT, training=[])
    store.transact(lambda session: session.execute(gone))


def is_registered(store: Store, host_id: str) -> bool:
    """Whether the host is known; one that was registered is not any more once its study is being deleted."""
    return store.transact(lambda session: session.get(HostTable, host_id)) is not None


def hosts(store: Store, study: str) -> tuple[Host, ...]:
    """The study's hosts, departed ones too, in the order they came. Raises StudyError for an unknown study."""
    query = (
        select(HostTable, database_now())
        .where(HostTable.study_id == study_id(store, study))
        .order_by(HostTable.started, HostTable.id)
    )
    rows = store.transact(lambda session: session.execute(query).all())
    return tuple(_host(row, study, now) for row, now in rows)


def _columns(signs: HostSigns | None) -> dict[str, Any]:
    if signs is None:
        return {}
    lines = [line[:LONGEST_LINE] for line in signs.log[-MOST_LINES:]]
    return {"load": {"devices": [asdict(device) for device in signs.devices]}, "log": lines}


def _host(row: HostTable, study: str, now: datetime) -> Host:
    return Host(
        info=HostInfo(
            id=row.id,
            study=study,
            name=row.name,
            process=ProcessIdentity(machine=row.machine, pid=row.pid, start=row.start),
            device=row.device,
            workers=row.workers,
        ),
        started=row.started,
        heartbeat=row.heartbeat,
        silent_s=max(0.0, (now - row.heartbeat).total_seconds()),
        state=row.state,
        training=tuple(TrainingProgress(**each) for each in row.training),
        signs=HostSigns(
            devices=tuple(DeviceLoad(**each) for each in (row.load or {}).get("devices", ())),
            log=tuple(row.log or ()),
        ),
    )
