"""A database connection that stays open and never answers costs time, and neither a host nor a result."""

from __future__ import annotations

import pickle
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import psycopg
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError

from storage.database.engine import allow, engine_options
from storage.database.retry import RetryPolicy, is_transient
from storage.database.status import condition
from storage.errors import DatabaseError
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.studies.studies import create_study, load_config
from support.proxy import SilentProxy, silent_proxy
from support.waiting import LIMIT_S, wait_for

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed to be used")  # of study.ask

ANSWER_S = 1.0


@pytest.fixture
def through(postgres_url: str) -> Iterator[tuple[SilentProxy, str]]:
    with silent_proxy(postgres_url) as found:
        yield found


@pytest.fixture
def proxy(through: tuple[SilentProxy, str]) -> SilentProxy:
    return through[0]


@pytest.fixture
def mars(through: tuple[SilentProxy, str], tmp_path: Path, plan: StudyConfig) -> Iterator[Store]:
    policy = RetryPolicy(answer_s=ANSWER_S, longest_s=0.2)
    store = open_store(through[1], str(tmp_path / "artifacts"), policy)
    create_study(store, plan)
    yield store
    store.close()


@contextmanager
def in_thread(work: Callable[[], object]) -> Iterator[list[object]]:
    """The work goes on beside the block and has to end within the limit; what it returned or raised is in the list."""
    ended: list[object] = []

    def run() -> None:
        try:
            ended.append(work())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield ended
    thread.join(LIMIT_S)
    assert ended, "it waits for ever"


def quickly(store: Store, statement: str, first: Callable[[], object]) -> BaseException:
    """What a statement raises on a connection that was opened before `first` and is not repeated."""
    with store.engine.connect() as connection:
        first()
        with pytest.raises(DBAPIError) as caught:
            connection.execute(text(statement))
    return caught.value


def test_a_statement_that_is_not_answered_is_trouble_that_passes(mars: Store, proxy: SilentProxy) -> None:
    error = quickly(mars, "SELECT 1", proxy.silence)
    assert is_transient(error)
    assert re.search(r"it has not answered for \d+ s", str(error))
    proxy.speak()
    with mars.engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


def test_reads_wait_until_the_database_speaks_again_and_say_so(
    mars: Store, proxy: SilentProxy, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.silence()
    with in_thread(lambda: load_config(mars, "mars")) as found:
        wait_for(lambda: "the database does not answer, trying again" in caplog.text, what="a warning")
        proxy.speak()
    assert isinstance(found[0], StudyConfig)


def test_a_commit_that_is_not_answered_is_not_done_twice(
    mars: Store, proxy: SilentProxy, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy passes the commit on when it speaks again: by then the trial was asked for a second time."""
    study = optuna.load_study(study_name="mars", storage=mars.trials)
    silences = iter([proxy.silence])
    event.listen(mars.engine, "commit", lambda connection: next(silences, lambda: None)())
    with in_thread(study.ask) as asked:
        wait_for(lambda: "trying again" in caplog.text, what="a warning")
        proxy.speak()
    assert re.search(r"trying again: it has not answered for \d+ s", caplog.text)
    trial = asked[0]
    assert isinstance(trial, optuna.Trial), trial
    study.tell(trial, 0.5)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as server:
        assert server.execute("SELECT number, state::text FROM trials").fetchall() == [(0, "COMPLETE")]


def test_the_pool_does_not_hand_out_dead_connections_for_ever(
    mars: Store, proxy: SilentProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """More threads than connections, all of them in the middle of something."""
    threads = [in_thread(lambda: load_config(mars, "mars")) for _ in range(20)]
    proxy.silence()
    found = [each.__enter__() for each in threads]
    wait_for(lambda: "trying again" in caplog.text, what="a warning")
    proxy.speak()
    for each in threads:
        each.__exit__(None, None, None)
    assert all(isinstance(each[0], StudyConfig) for each in found)


def test_a_host_that_must_leave_is_not_held(mars: Store, proxy: SilentProxy) -> None:
    mars.retry_policy.answer_s = 1000.0
    proxy.silence()
    with in_thread(lambda: load_config(mars, "mars")) as found:
        mars.retry_policy.set_deadline(0.5)
    assert isinstance(found[0], DatabaseError)


def test_doctor_and_opening_end_in_a_sentence(
    through: tuple[SilentProxy, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, url = through
    monkeypatch.setattr("storage.store.FIRST_TRIES_S", 0.1)
    proxy.silence()
    with in_thread(lambda: condition(url)) as told, in_thread(lambda: open_store(url, str(tmp_path))) as opened:
        pass
    for error in (told[0], opened[0]):
        assert isinstance(error, DatabaseError)
        assert "\n" not in str(error)


def test_migrations_and_locks_may_take_longer(postgres_url: str) -> None:
    policy = RetryPolicy()
    engine = create_engine(postgres_url, **engine_options(postgres_url, policy))
    with engine.connect() as connection:
        allow(connection, LIMIT_S)
        policy.answer_s = 0.2
        connection.execute(text("SELECT pg_sleep(1)"))
    policy.answer_s = LIMIT_S  # to connect
    with engine.connect() as connection:
        policy.answer_s = 0.2
        with pytest.raises(Exception, match="has not answered"):
            connection.execute(text("SELECT pg_sleep(1)"))
    engine.dispose()


def test_a_server_that_keeps_sending_is_not_silent(postgres_url: str) -> None:
    engine = create_engine(postgres_url, **engine_options(postgres_url, RetryPolicy(answer_s=2.5)))
    rows = text("SELECT repeat('x', 100000), pg_sleep(0.4) FROM generate_series(1, 8)")
    with engine.connect() as connection:
        assert len(connection.execute(rows).all()) == 8
    engine.dispose()


def test_the_options_of_an_engine_can_be_pickled(postgres_url: str) -> None:
    policy = pickle.loads(pickle.dumps(engine_options(postgres_url, RetryPolicy(answer_s=7.0))))["connect_args"]
    assert next(each for each in policy.values() if isinstance(each, RetryPolicy)).answer_s == 7.0
