"""What ends a study beside its target: trials that bring nothing better, and time that its hosts have worked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import literal, update

from storage.database.clock import UtcTime
from storage.database.schema import StudyTable
from storage.store import Store
from storage.studies import worked_time
from storage.studies.config import StudyConfig
from storage.studies.ends import Ends, ends
from storage.studies.studies import create_study, outcomes, trials_of
from storage.studies.worked_time import WorkedTime
from storage.trials.queries import best_of, count, without_better
from support.studies import add_every_kind

NOON = datetime(2030, 1, 1, 12)
C, P, F = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL


def ended(number: int, minute: int, state: TrialState, value: float | None = None, **more: Any) -> FrozenTrial:
    """A trial that finished at this minute."""
    trial = optuna.create_trial(state=state, value=value, **more)
    trial.number, trial.datetime_complete = number, NOON + timedelta(minutes=minute)
    return trial


@pytest.mark.parametrize(
    ("row", "trials"),
    [
        (0, []),
        (0, [ended(0, 1, C, 0.5)]),
        (2, [ended(0, 1, P), ended(1, 2, F)]),  # nothing better than nothing
        (2, [ended(0, 1, C, 0.5), ended(1, 2, C, 0.5), ended(2, 3, P, 0.9)]),  # as good is not better
        (1, [ended(0, 3, P), ended(1, 1, C, 0.1), ended(2, 2, C, 0.2)]),  # as they finished, not as they began
        (0, [ended(0, 3, C, 0.9), ended(1, 1, C, 0.1), ended(2, 2, P)]),
        (1, [ended(0, 1, C, 0.5), ended(1, 2, C, 0.9, constraints={"params": 1.0})]),  # over a limit
        (1, [ended(0, 1, C, 0.5), ended(1, 2, F), ended(2, 3, P, system_attrs={"retry_history": [1]})]),  # one trial
        (0, [ended(0, 1, C, 0.5), optuna.create_trial(state=TrialState.RUNNING)]),
    ],
)
def test_trials_without_a_better_one_are_counted_as_they_finish(row: int, trials: list[FrozenTrial]) -> None:
    assert without_better(trials) == row
    assert (Ends(patience_trials=2).end(trials) is not None) == (row >= 2)


def test_the_order_holds_in_the_hour_that_comes_twice(berlin: None) -> None:
    first, second = ended(0, 0, C, 0.5), ended(1, 0, P)
    first.datetime_complete = datetime(2025, 10, 26, 2, 50)
    second.datetime_complete = datetime(2025, 10, 26, 2, 10, fold=1)  # 20 minutes later
    assert without_better([first, second]) == 1


def test_an_end_says_why_and_what_helps() -> None:
    over = Ends(budget_s=5400, patience_trials=20, worked_s=5400.0).end([])
    assert over is not None
    assert over.reason == "its 1h30m are over"
    assert over.remedy == "go on with a larger --for, or without it, in the same marsearch run or create"
    assert Ends(budget_s=5400, worked_s=5399.9).end([]) is None
    assert Ends(worked_s=1e9).end([ended(n, n, P) for n in range(99)]) is None
    row = Ends(patience_trials=20).end([ended(n, n, P) for n in range(20)])
    assert row is not None
    assert (row.reason, row.option) == ("no better trial in the last 20", "--patience")


def test_what_is_left_is_the_shorter_of_both() -> None:
    assert Ends().remaining_s(None) is None
    assert Ends().remaining_s(30.0) == 30.0
    assert Ends(budget_s=60, worked_s=20.0).remaining_s(None) == 40.0
    assert Ends(budget_s=60, worked_s=20.0).remaining_s(30.0) == 30.0
    assert Ends(budget_s=60, worked_s=90.0).remaining_s(30.0) == 0.0


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def test_limits_are_read_as_they_are_now(mars: Store, plan: StudyConfig) -> None:
    assert ends(mars, "mars") == Ends()
    create_study(mars, replace(plan, budget_s=3600.0, patience_trials=20))
    assert ends(mars, "mars") == Ends(budget_s=3600.0, patience_trials=20)
    create_study(mars, replace(plan, patience_trials=30))
    assert ends(mars, "mars") == Ends(patience_trials=30)


def test_outcomes_count_and_rank_as_whole_trials_do(mars: Store) -> None:
    study = optuna.load_study(study_name="mars", storage=mars.trials)
    add_every_kind(study)
    few, whole = outcomes(mars, "mars"), trials_of(mars, "mars")
    best = best_of(few)
    assert best is not None
    assert (best.number, [t.number for t in few]) == (1, [t.number for t in whole])
    assert best_of(whole) == study.get_trials()[1]
    assert count(few) == count(whole)
    assert without_better(few) == without_better(whole) == 4
    assert all(not trial.params and not trial.intermediate_values for trial in few)


def since(store: Store, seconds: float) -> None:
    """Let the time of the study have been counted last so long ago."""
    row = StudyTable

    def earlier(session: Any) -> None:
        until = session.query(row).one().worked_until
        session.execute(update(row).values(worked_until=until - timedelta(seconds=seconds)))

    store.transact(earlier)


def worked(store: Store) -> float:
    return ends(store, "mars").worked_s


def test_time_counts_once_however_many_hosts_work(mars: Store) -> None:
    one, two = WorkedTime(mars, "mars"), WorkedTime(mars, "mars")
    one.count()
    assert worked(mars) == 0.0  # nobody had worked before
    for host in (one, two, one):
        since(mars, 60)
        host.count()
        two.count()
    assert 180 <= worked(mars) < 240


def test_time_in_which_nobody_works_does_not_count(mars: Store) -> None:
    host = WorkedTime(mars, "mars")
    host.count()
    since(mars, mars.grace_s + 1)
    host.count()
    assert worked(mars) == 0.0
    since(mars, mars.grace_s - 60)
    WorkedTime(mars, "mars").count()
    assert mars.grace_s - 60 <= worked(mars) < mars.grace_s


def test_a_clock_that_was_set_back_stops_the_count_for_one_turn_only(mars: Store) -> None:
    host = WorkedTime(mars, "mars")
    host.count()
    since(mars, -86400)
    for _ in range(2):
        host.count()
    since(mars, 60)
    host.count()
    assert 60 <= worked(mars) < 120


@pytest.mark.parametrize("wrong_s", [86400, -86400, 600, -600])
def test_a_host_whose_clock_is_wrong_ends_no_study_early_and_holds_none_up(
    mars: Store, monkeypatch: pytest.MonkeyPatch, wrong_s: int
) -> None:
    """The file of an SQLite has no clock of its own: each host writes by that of its machine."""
    clock = set_clock(monkeypatch)
    right, wrong = WorkedTime(mars, "mars"), WorkedTime(mars, "mars")
    for minute in range(61):
        clock(60 * minute)
        right.count()
        clock(60 * minute + 30 + wrong_s)
        wrong.count()
    assert 3300 <= worked(mars) <= 3660


def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock of the database, in seconds after noon."""
    now = [NOON.replace(tzinfo=UTC)]
    monkeypatch.setattr(worked_time, "database_now", lambda: literal(now[0], UtcTime()))

    def to(seconds: float) -> None:
        now[0] = NOON.replace(tzinfo=UTC) + timedelta(seconds=seconds)

    return to
