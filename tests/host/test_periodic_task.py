"""Periodic tasks of a host: trouble that passes is logged and tried again, anything else stops the host."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError

from search.host.periodic_task import PeriodicTask, periodic_tasks, report_blocked, run_with_timeout
from search.host.shutdown import Budget, Shutdown
from search.host.state import HostState
from storage.database.retry import RetriesExhausted
from storage.errors import ArtifactError, DatabaseError
from support.waiting import wait_for


def run(act: Callable[[], Any], until: Callable[[list[BaseException]], bool]) -> list[BaseException]:
    failed: list[BaseException] = []
    with periodic_tasks((PeriodicTask("the task", 0.01, act),), failed.append):
        wait_for(lambda: until(failed))
    return failed


@pytest.mark.parametrize("trouble", [ArtifactError("full"), RetriesExhausted("the database does not answer")])
def test_trouble_that_passes_is_logged_once_and_tried_again(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    runs: list[int] = []

    def act() -> None:
        runs.append(1)
        if len(runs) < 4:
            raise trouble

    assert run(act, lambda failed: len(runs) > 5) == []
    assert [record.getMessage() for record in caplog.records] == [f"the task failed and is tried again: {trouble}"]


@pytest.mark.parametrize(
    "trouble", [DatabaseError("password authentication failed"), StorageInternalError("no such table"), KeyError("odd")]
)
def test_trouble_that_does_not_pass_stops_the_host(trouble: Exception) -> None:
    def act() -> None:
        raise trouble

    assert run(act, bool) == [trouble]


def test_a_task_that_is_blocked_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    go = threading.Event()
    task = PeriodicTask("the heartbeat", 60.0, go.wait)
    with periodic_tasks((task,), pytest.fail):
        wait_for(lambda: task.began is not None)
        report_blocked((task,), after=3600.0)
        assert not caplog.records
        for _ in range(3):
            report_blocked((task,), after=-1.0)
        go.set()
    (record,) = caplog.records
    assert "the heartbeat has not ended for" in record.getMessage()


def test_a_last_step_that_fails_or_hangs_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="search.host")
    assert run_with_timeout(lambda: None, 60.0)
    assert not run_with_timeout(lambda: 1 / 0, 60.0)
    assert "division by zero" in caplog.text
    go = threading.Event()
    assert not run_with_timeout(go.wait, 0.05)
    go.set()


def test_a_host_has_its_budget_from_the_moment_it_begins_to_leave() -> None:
    shutdown = Shutdown(Budget(stop=3600.0, upload=1800.0, hand_back=7200.0))
    assert (shutdown.begun, shutdown.kills, shutdown.over) == (False, False, False)
    assert shutdown.upload_seconds(60.0) == shutdown.last_seconds() == 60.0
    assert not shutdown.wait(0.0)
    shutdown.begin()
    assert (shutdown.begun, shutdown.kills, shutdown.over) == (True, False, False)
    assert shutdown.wait(60.0)
    assert 1700.0 < shutdown.upload_seconds(1e6) <= 1800.0
    assert shutdown.last_seconds() == 0.5
    shutdown.harden()
    assert (shutdown.kills, shutdown.upload_seconds(60.0) < 1.0) == (True, True)
    late = Shutdown(Budget(stop=0.0, upload=0.0, hand_back=0.0))
    late.begin()
    assert (late.kills, late.over, late.upload_seconds(60.0)) == (True, True, 0.0)


def test_a_host_vouches_only_for_trials_that_make_progress() -> None:
    state = HostState(epoch_limit=10.0)
    with state.training(3, "slot 1") as stuck, state.training(5, "slot 2"):
        assert state.vouched() == (3, 5)
        stuck.progressed -= 1000.0
        assert state.vouched() == (5,)
        stuck.progress()
        assert state.vouched() == (3, 5)
    assert state.vouched() == ()
    assert state.trained == {3, 5}


def test_the_worker_of_a_trial_that_was_reclaimed_is_ended_once() -> None:
    state, ended = HostState(), []
    with state.training(3, "slot 1") as training:
        training.kill = lambda: ended.append(3)
        state.lose((3, 4))
        state.lose((3,))
        assert (training.lost, ended) == (True, [3])
