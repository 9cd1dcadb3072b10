"""The hosts of a study, and their heartbeats by the database's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from storage.database.retry import RetriesExhausted, RetryPolicy
from storage.database.schema import AttemptTable, HostTable
from storage.errors import StudyError
from storage.process_identity import ProcessIdentity
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.hosts import (
    LONGEST_LINE,
    MOST_LINES,
    DeviceLoad,
    HostInfo,
    HostSigns,
    TrainingProgress,
    heartbeat,
    hosts,
    leave,
    register,
)
from storage.studies.studies import create_study
from support.studies import begin

PROCESS = ProcessIdentity(machine="01234567", pid=4242, start="1000")
HOST = HostInfo(id="host-1", study="mars", name="host", process=PROCESS, device="cpu", workers=2)
LONG_AGO = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
CLOSE = timedelta(minutes=1)


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def age(store: Store) -> None:
    """Make every heartbeat and attempt an old one."""
    store.transact(lambda session: session.execute(update(HostTable).values(heartbeat=LONG_AGO, started=LONG_AGO)))
    store.transact(lambda session: session.execute(update(AttemptTable).values(heard=LONG_AGO)))


def test_a_host_reads_as_it_registered(mars: Store) -> None:
    register(mars, HOST)
    (host,) = hosts(mars, "mars")
    assert (host.info, host.id, host.state, host.training) == (HOST, "host-1", "working", ())
    assert host.started.tzinfo == host.heartbeat.tzinfo == UTC
    assert abs(host.started - datetime.now(UTC)) < CLOSE
    assert 0 <= host.silent_s < 60


def test_a_heartbeat_tells_when_and_what(mars: Store) -> None:
    register(mars, HOST)
    age(mars)
    assert hosts(mars, "mars")[0].silent_s > 86400
    doing = (TrainingProgress(trial=3, epoch=1, epochs=9), TrainingProgress(trial=7, epoch=0, epochs=0))
    heartbeat(mars, "host-1", doing)
    (host,) = hosts(mars, "mars")
    assert host.training == doing
    assert host.silent_s < 60
    assert host.started == LONG_AGO


def test_a_host_vouches_for_its_own_attempts_and_only_those_named(mars: Store) -> None:
    for name in ("host-1", "host-1", "host-2"):
        begin(mars, host=name)
    register(mars, HOST)
    age(mars)
    heartbeat(mars, "host-1", attempts=(0, 2))
    heard: dict[int, datetime] = dict(
        mars.transact(lambda s: [(a.trial, a.heard) for a in s.scalars(select(AttemptTable))])
    )
    assert abs(heard[0] - datetime.now(UTC)) < CLOSE
    assert heard[1] == heard[2] == LONG_AGO


def test_a_heartbeat_tells_of_load_and_log_within_bounds(mars: Store) -> None:
    register(mars, HOST)
    assert hosts(mars, "mars")[0].signs == HostSigns()
    gpu = DeviceLoad(name="a GPU", busy=0.5, used_gb=1.5, total_gb=8.0)
    signs = HostSigns(devices=(DeviceLoad(name="cpu"), gpu), log=(*(f"line {n}" for n in range(50)), "x" * 9999))
    heartbeat(mars, "host-1", signs=signs)
    told = hosts(mars, "mars")[0].signs
    assert told.devices == signs.devices
    assert len(told.log) == MOST_LINES
    assert told.log[-2:] == ("line 49", "x" * LONGEST_LINE)
    heartbeat(mars, "host-1")
    assert hosts(mars, "mars")[0].signs == told
    register(mars, HOST)
    assert hosts(mars, "mars")[0].signs == HostSigns()


def test_a_departed_host_stays_departed(mars: Store) -> None:
    register(mars, HOST)
    heartbeat(mars, "host-1", [TrainingProgress(trial=3, epoch=1, epochs=9)])
    leave(mars, "host-1")
    (left,) = hosts(mars, "mars")
    assert (left.state, left.training) == ("left", ())
    heartbeat(mars, "host-1", [TrainingProgress(trial=4, epoch=1, epochs=9)])
    (still,) = hosts(mars, "mars")
    assert (still.state, still.training, still.heartbeat) == ("left", (), left.heartbeat)
    register(mars, HOST)
    assert hosts(mars, "mars")[0].state == "working"


def test_hosts_are_listed_as_they_came_and_per_study(mars: Store, plan: StudyConfig) -> None:
    create_study(mars, replace(plan, study="venus"))
    for name, hours, study in (("b", 1, "mars"), ("a", 2, "mars"), ("c", 0, "mars"), ("d", 0, "venus")):
        register(mars, replace(HOST, id=name, study=study))
        began = update(HostTable).where(HostTable.id == name).values(started=LONG_AGO + timedelta(hours=hours))
        mars.transact(lambda session, began=began: session.execute(began))  # type: ignore[misc]
    assert [host.id for host in hosts(mars, "mars")] == ["c", "b", "a"]
    assert [host.id for host in hosts(mars, "venus")] == ["d"]


def test_an_unknown_study_is_refused(mars: Store) -> None:
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        register(mars, replace(HOST, study="venus"))
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        hosts(mars, "venus")
    heartbeat(mars, "nobody", attempts=(1,))
    leave(mars, "nobody")


def test_a_time_without_a_zone_is_refused(mars: Store) -> None:
    register(mars, HOST)
    naive = update(HostTable).values(heartbeat=LONG_AGO.replace(tzinfo=None))
    with pytest.raises(Exception, match="a time needs its zone"):
        mars.transact(lambda session: session.execute(naive))
    assert hosts(mars, "mars")[0].silent_s < 60


def test_a_database_that_is_away_costs_a_heartbeat_and_no_more(
    mars: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(policy: RetryPolicy, work: object, *, limit_s: float | None = None) -> None:
        assert limit_s == 0.2
        raise RetriesExhausted("the database does not answer")

    monkeypatch.setattr(RetryPolicy, "call", away)
    heartbeat(mars, "host-1", limit_s=0.2)
    assert "host host-1 could not write its heartbeat: the database does not answer" in caplog.text
