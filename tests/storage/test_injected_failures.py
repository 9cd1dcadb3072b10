"""Statements and commits that fail, before or after they are applied: nothing is lost, nothing is done twice.

The driver's own functions are replaced, so that SQLAlchemy, Optuna and we see what a cut connection looks like.
"""

from __future__ import annotations

import inspect
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import optuna
import psycopg
import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage
from optuna.study import StudyDirection
from optuna.testing.pytest_storages import StorageTestCase
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import Engine, event, text

from search.training.epoch import EpochRecord
from storage.database.optuna_schema import trial_id_of
from storage.database.retry import RetryPolicy
from storage.store import Store
from storage.studies import studies
from storage.studies.attempts import attempts
from storage.studies.config import StudyConfig
from storage.studies.epochs import add_epoch, curve
from storage.studies.hosts import hosts, leave, register
from storage.studies.studies import create_study, list_studies, load_config
from storage.trials.idempotency import MADE
from storage.trials.retrying_storage import REPEATABLE
from storage.trials.trial_storage import TrialStorage
from support.studies import EPOCH, begin, end, host_row

MAXIMIZE = [StudyDirection.MAXIMIZE]
DISTRIBUTION = FloatDistribution(0, 1)
QUICK = RetryPolicy(20, shortest_s=0.0005, longest_s=0.002)
CASES = [(every, when) for every in (2, 3, 4, 5, 7, 11) for when in ("before", "after")]


class Trouble:
    """Makes statements and commits of one engine fail, as a cut connection does; ends with `heal`.

    every, when: each `every`-th fails "before" or "after" it is applied, once: then one transaction is let through.
    Without them, only what `at_commit` asks for fails.
    """

    def __init__(self, engine: Engine, every: int = 0, when: str = "before") -> None:
        self.engine, self.every, self.when = engine, every, when
        self.seen = self.fired = 0
        self._armed = True
        self._next: list[tuple[str, Callable[[], object]]] = []
        self._lock = threading.Lock()
        self._commit: Any = engine.dialect.do_commit
        engine.dialect.do_commit = self._do_commit  # type: ignore[method-assign]
        event.listen(engine, "do_execute", self._do_execute)

    def heal(self) -> None:
        self.engine.dialect.do_commit = self._commit  # type: ignore[method-assign]
        event.remove(self.engine, "do_execute", self._do_execute)

    def at_commit(self, when: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        """Let the next commit fail, before or after it is applied; `meanwhile` happens before anyone hears of it."""
        self._next.append((when, meanwhile))

    def _due(self) -> bool:
        with self._lock:
            self.seen += 1
            if not (self.every and self._armed and self.seen % self.every == 0):
                return False
            self._armed = False
            self.fired += 1
            return True

    def _do_execute(self, cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        if not self._due():
            return False
        if self.when == "after":
            cursor.execute(statement, parameters)
        raise self._cut(cursor.connection)

    def _do_commit(self, connection: Any) -> None:
        when, meanwhile = self._next.pop() if self._next else (self.when if self._due() else "", lambda: None)
        if when != "before":
            self._commit(connection)
        if when:
            self.fired += not self.every
            error = self._cut(connection.dbapi_connection)
            other = threading.Thread(target=meanwhile)  # with a session of its own
            other.start()
            other.join()
            raise error
        self._armed = True

    def _cut(self, connection: Any) -> Exception:
        if isinstance(connection, sqlite3.Connection):
            connection.rollback()
            return sqlite3.OperationalError("database is locked")
        connection.close()
        return psycopg.OperationalError("server closed the connection unexpectedly")


@contextmanager
def trouble_for(storage: TrialStorage, every: int = 0, when: str = "before") -> Iterator[Trouble]:
    patience, storage.retry_policy = storage.retry_policy, QUICK
    trouble = Trouble(storage.engine, every, when)
    try:
        yield trouble
    finally:
        trouble.heal()
        storage.retry_policy = patience


@pytest.fixture(params=CASES, ids=lambda param: f"{param[1]}-{param[0]}")
def troubled(empty: TrialStorage, request: pytest.FixtureRequest) -> Iterator[TrialStorage]:
    with trouble_for(empty, *request.param) as trouble:
        yield empty
    assert trouble.fired or trouble.seen < trouble.every


@pytest.mark.long  # `make test-faults` runs one case of it
class TestTroubledTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, troubled: TrialStorage) -> BaseStorage:
        return troubled


@pytest.mark.long
class TestTroubledCachedTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, troubled: TrialStorage) -> BaseStorage:
        return _CachedStorage(troubled)


@pytest.fixture
def trouble(empty: TrialStorage) -> Iterator[Trouble]:
    with trouble_for(empty) as made:
        yield made


@pytest.fixture
def study(empty: TrialStorage) -> int:
    return empty.create_new_study(MAXIMIZE, "mars")


def template() -> FrozenTrial:
    return create_trial(
        state=TrialState.WAITING,
        params={"x": 0.5},
        distributions={"x": DISTRIBUTION},
        system_attrs={"fixed_params": {"x": 0.5}, "retry_history": [0]},
    )


def test_no_method_that_talks_to_the_database_is_left_without_patience() -> None:
    talking = {
        name
        for name, method in inspect.getmembers(RDBStorage, inspect.isfunction)
        if "_create_scoped_session(" in inspect.getsource(method)
    }
    assert {"_create_new_trial", "set_trial_state_values"} <= talking
    own = {name for name in talking if getattr(TrialStorage, name) is not getattr(RDBStorage, name)}
    assert talking == own
    assert set(REPEATABLE) < talking


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_study_is_made_once_although_the_answer_is_lost(empty: TrialStorage, trouble: Trouble, when: str) -> None:
    trouble.at_commit(when)
    made = empty.create_new_study(MAXIMIZE, "mars")
    assert trouble.fired == 1
    assert [study._study_id for study in empty.get_all_studies()] == [made]
    with pytest.raises(DuplicatedStudyError):
        empty.create_new_study(MAXIMIZE, "mars")


def test_a_study_that_another_made_in_between_is_not_ours(empty: TrialStorage, trouble: Trouble) -> None:
    trouble.at_commit("before", lambda: empty.create_new_study(MAXIMIZE, "mars"))
    with pytest.raises(DuplicatedStudyError):
        empty.create_new_study(MAXIMIZE, "mars")
    assert len(empty.get_all_studies()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_study_is_deleted_although_the_answer_is_lost(
    empty: TrialStorage, study: int, trouble: Trouble, when: str
) -> None:
    trouble.at_commit(when)
    empty.delete_study(study)
    assert empty.get_all_studies() == []
    with pytest.raises(KeyError):
        empty.delete_study(study)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("wanted", [None, template()], ids=["new", "waiting"])
def test_a_trial_is_made_once_although_the_answer_is_lost(
    empty: TrialStorage, study: int, trouble: Trouble, when: str, wanted: FrozenTrial | None
) -> None:
    plain = empty.get_trial(empty.create_new_trial(study, wanted))
    trouble.at_commit(when)
    made = _CachedStorage(empty).create_new_trial(study, wanted)
    trials = empty.get_all_trials(study)
    assert [trial.number for trial in trials] == [0, 1]
    assert trials[1]._trial_id == made
    assert (trials[1].state, trials[1].params, trials[1].system_attrs) == (
        plain.state,
        plain.params,
        plain.system_attrs,
    )


def test_a_waiting_trial_that_was_claimed_before_its_maker_knew_of_it_is_made_once(
    empty: TrialStorage, study: int, trouble: Trouble
) -> None:
    claimed: list[bool] = []

    def claim() -> None:
        (trial,) = empty.get_all_trials(study)
        claimed.append(empty.set_trial_state_values(trial._trial_id, TrialState.RUNNING))

    trouble.at_commit("after", claim)
    made = empty._create_new_trial(study, template())
    assert claimed == [True]
    assert [trial.state for trial in empty.get_all_trials(study)] == [TrialState.RUNNING]
    assert (made.state, made.number) == (TrialState.RUNNING, 0)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_claim_is_neither_lost_nor_doubled_when_the_answer_is(
    empty: TrialStorage, study: int, trouble: Trouble, when: str
) -> None:
    trial = empty.create_new_trial(study, template())
    trouble.at_commit(when)
    assert empty.set_trial_state_values(trial, TrialState.RUNNING) is True
    assert empty.set_trial_state_values(trial, TrialState.RUNNING) is False
    assert empty.get_trial(trial).state == TrialState.RUNNING


def test_a_claim_whose_first_try_failed_loses_to_another(empty: TrialStorage, study: int, trouble: Trouble) -> None:
    trial = empty.create_new_trial(study, template())
    others: list[bool] = []
    trouble.at_commit("before", lambda: others.append(empty.set_trial_state_values(trial, TrialState.RUNNING)))
    assert empty.set_trial_state_values(trial, TrialState.RUNNING) is False
    assert others == [True]


def test_a_claim_that_was_taken_back_before_its_answer_came_is_not_ours(
    empty: TrialStorage, study: int, trouble: Trouble
) -> None:
    trial = empty.create_new_trial(study, template())

    def reap() -> None:
        with empty.engine.begin() as connection:
            connection.execute(
                text("UPDATE trials SET state = 'FAIL'")
            )  # unsigned, as `storage.trials.retries` does it

    trouble.at_commit("after", reap)
    with pytest.raises(UpdateFinishedTrialError):
        empty.set_trial_state_values(trial, TrialState.RUNNING)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
def test_a_trial_is_told_once_although_the_answer_is_lost(
    empty: TrialStorage, study: int, trouble: Trouble, when: str, state: TrialState
) -> None:
    trial = empty.create_new_trial(study)
    trouble.at_commit(when)
    assert empty.set_trial_state_values(trial, state, [0.5]) is True
    told = empty.get_trial(trial)
    assert (told.state, told.values) == (state, [0.5])
    with pytest.raises(UpdateFinishedTrialError):
        empty.set_trial_state_values(trial, state, [0.6])


def test_a_result_that_a_reaper_forestalled_is_refused(empty: TrialStorage, study: int, trouble: Trouble) -> None:
    trial = empty.create_new_trial(study)
    trouble.at_commit("before", lambda: empty.set_trial_state_values(trial, TrialState.FAIL))
    with pytest.raises(UpdateFinishedTrialError):
        empty.set_trial_state_values(trial, TrialState.COMPLETE, [0.5])
    assert empty.get_trial(trial).values is None


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_may_be_repeated_is_there_once(empty: TrialStorage, study: int, trouble: Trouble, when: str) -> None:
    cached = _CachedStorage(empty)
    trial = cached.create_new_trial(study)
    writes: list[Callable[[], None]] = [
        lambda: cached.set_trial_param(trial, "x", 0.25, DISTRIBUTION),
        lambda: cached.set_trial_intermediate_value(trial, 1, 0.5),
        lambda: cached.set_trial_user_attr(trial, "a", [1]),
        lambda: cached.set_trial_system_attr(trial, "b", 2),
        lambda: cached.set_study_user_attr(study, "c", 3),
        lambda: cached.set_study_system_attr(study, "d", 4),
    ]
    for count, write in enumerate(writes, 1):
        trouble.at_commit(when)
        write()
        assert trouble.fired == count
    found = cached.get_trial(trial)
    assert (found.params, found.intermediate_values) == ({"x": 0.25}, {1: 0.5})
    assert (found.user_attrs, found.system_attrs) == ({"a": [1]}, {"b": 2})
    assert (cached.get_study_user_attrs(study), cached.get_study_system_attrs(study)) == ({"c": 3}, {"d": 4})


def test_the_marks_are_seen_by_nobody(empty: TrialStorage, study: int) -> None:
    trial = empty.create_new_trial(study, template())
    empty.set_trial_state_values(trial, TrialState.RUNNING)
    with empty.engine.connect() as connection:
        marks = connection.execute(text("SELECT count(*) FROM trial_system_attributes WHERE key LIKE 'marsearch:%'"))
        assert marks.scalar() == 2
    assert MADE not in empty.get_study_system_attrs(study)
    seen = [
        empty.get_trial(trial).system_attrs,
        empty.get_trial_system_attrs(trial),
        empty.get_all_trials(study)[0].system_attrs,
        optuna.load_study(study_name="mars", storage=empty).trials[0].system_attrs,
    ]
    assert seen == [{"fixed_params": {"x": 0.5}, "retry_history": [0]}] * 4
    assert empty.get_all_studies()[0].system_attrs == {}


NOW = datetime.now(UTC)
HOST = host_row()


@pytest.fixture
def failing(store: Store) -> Iterator[Trouble]:
    trouble = Trouble(store.engine)
    yield trouble
    trouble.heal()


@pytest.mark.parametrize("when", ["before", "after"])
def test_our_own_tables_hold_everything_once(store: Store, plan: StudyConfig, failing: Trouble, when: str) -> None:
    def once(act: Callable[[], Any]) -> Any:
        before = failing.fired
        failing.at_commit(when)
        result = act()
        assert failing.fired == before + 1
        return result

    assert once(lambda: create_study(store, plan)) is True
    assert once(lambda: create_study(store, replace(plan, trials=99))) is False
    assert once(lambda: load_config(store, "mars")).trials == 99
    trial = once(lambda: begin(store))
    once(lambda: add_epoch(store, trial_id_of(trial), EPOCH))
    once(lambda: end(store, trial, state="complete", value=0.5))
    once(lambda: register(store, HOST))
    once(lambda: leave(store, "w"))
    assert [(found.trial, found.state, found.value) for found in once(lambda: attempts(store, "mars"))] == [
        (0, "complete", 0.5)
    ]
    assert once(lambda: curve(store, "mars", 0, EpochRecord)) == (EPOCH,)
    assert [found.state for found in once(lambda: hosts(store, "mars"))] == ["left"]
    assert once(lambda: list_studies(store)) == ("mars",)


def test_who_joins_a_study_before_its_maker_knows_that_it_is_made_stays(
    store: Store, plan: StudyConfig, failing: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = studies._write

    def lose_the_answer(*arguments: Any) -> None:
        if not failing.fired:
            failing.at_commit("after", lambda: register(store, HOST))
        write(*arguments)

    monkeypatch.setattr(studies, "_write", lose_the_answer)
    assert create_study(store, plan) is True
    assert [found.id for found in hosts(store, "mars")] == ["w"]


@pytest.mark.parametrize("every", [2, 3, 5])
def test_a_study_is_created_while_every_few_statements_fail(store: Store, plan: StudyConfig, every: int) -> None:
    for when in ("before", "after"):
        name = f"mars-{when}"
        failing = Trouble(store.engine, every, when)
        try:
            assert create_study(store, replace(plan, study=name)) is True
            assert create_study(store, replace(plan, study=name)) is False
        finally:
            failing.heal()
        assert failing.fired >= 2
        assert load_config(store, name) == replace(plan, study=name)


@pytest.mark.parametrize(("every", "when"), [(3, "before"), (4, "after")])
def test_a_search_under_failures_ends_with_every_trial_complete_once(store: Store, every: int, when: str) -> None:
    study = optuna.create_study(storage=store.trials, study_name="mars", direction="maximize")
    for x in range(5):
        study.enqueue_trial({"x": x / 10})
    failing = Trouble(store.engine, every, when)
    store.retry_policy.shortest_s = store.retry_policy.longest_s = 0.001

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step in range(3):
            trial.report(x, step)
        return x

    try:
        study.optimize(objective, n_trials=8)
    finally:
        failing.heal()
    assert failing.fired >= 30
    trials = study.get_trials()
    assert [trial.number for trial in trials] == list(range(8))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert [trial.params["x"] for trial in trials[:5]] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert all(trial.intermediate_values == dict.fromkeys(range(3), trial.value) for trial in trials)
