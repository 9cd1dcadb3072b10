from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.hosts import beat, leave, register, workers
from storage.studies.studies import create_study
from support.studies import worker_row

BEGAN = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
WORKER = worker_row(id="host-1", host="host", pid=4242, slots=2, started=BEGAN, beat=BEGAN)


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def test_a_worker_comes_back_as_it_was(mars: Store) -> None:
    register(mars, WORKER)
    assert workers(mars, "mars") == (WORKER,)


def test_times_are_utc_whatever_the_zone(mars: Store) -> None:
    register(mars, replace(WORKER, started=BEGAN.astimezone(timezone(timedelta(hours=9)))))
    (worker,) = workers(mars, "mars")
    assert worker.started == BEGAN
    assert worker.started.tzinfo == UTC


def test_a_time_without_a_zone_is_refused(mars: Store) -> None:
    with pytest.raises(Exception, match="a time needs its zone"):
        register(mars, replace(WORKER, started=BEGAN.replace(tzinfo=None)))
    assert workers(mars, "mars") == ()


def test_a_beat_says_when_and_what(mars: Store) -> None:
    register(mars, WORKER)
    before = datetime.now(UTC)
    beat(mars, "host-1", "3,7")
    (worker,) = workers(mars, "mars")
    assert worker.trials == "3,7"
    assert before <= worker.beat <= datetime.now(UTC)
    assert worker.started == BEGAN


def test_a_departed_worker_stays_departed(mars: Store) -> None:
    register(mars, WORKER)
    beat(mars, "host-1", "3")
    leave(mars, "host-1")
    left = workers(mars, "mars")
    assert (left[0].state, left[0].trials) == ("left", "")
    beat(mars, "host-1", "4")
    assert workers(mars, "mars") == left
    register(mars, WORKER)
    assert workers(mars, "mars") == (WORKER,)


def test_workers_are_listed_as_they_came_and_per_study(mars: Store, plan: StudyConfig) -> None:
    create_study(mars, replace(plan, study="venus"))
    for name, hours, study in (("b", 1, "mars"), ("a", 2, "mars"), ("c", 0, "mars"), ("d", 0, "venus")):
        register(mars, replace(WORKER, id=name, study=study, started=BEGAN + timedelta(hours=hours)))
    assert [worker.id for worker in workers(mars, "mars")] == ["c", "b", "a"]
    assert [worker.id for worker in workers(mars, "venus")] == ["d"]


def test_an_unknown_study_is_refused(mars: Store) -> None:
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        register(mars, replace(WORKER, study="venus"))
    with pytest.raises(StudyError, match="unknown study 'venus'"):
        workers(mars, "venus")
    beat(mars, "nobody", "1")
    leave(mars, "nobody")
