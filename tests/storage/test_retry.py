"""Which trouble with a database passes, and how it is waited for."""

from __future__ import annotations

import pickle
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError, PendingRollbackError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import QueuePool

from storage.database import retry
from storage.database.engine import translate_errors
from storage.database.retry import RetriesExhausted, RetryPolicy, is_transient
from storage.errors import DatabaseError, StudyError
from support.waiting import LIMIT_S, wait_for

LOST = psycopg.OperationalError("server closed the connection unexpectedly")


def quick(limit_s: float = 5.0) -> RetryPolicy:
    return RetryPolicy(limit_s, shortest_s=0.001, longest_s=0.01)


def fails(times: int, error: BaseException = LOST) -> Callable[[], str]:
    """Work that fails so often before it is done."""
    left = [error] * times

    def work() -> str:
        if left:
            raise left.pop()
        return "done"

    return work


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", True),  # connection failure
        ("08P01", True),
        ("57P01", True),  # pg_terminate_backend, shut-down
        ("57P02", True),  # crash of another backend
        ("57P03", True),  # starting up
        ("57P05", True),  # idle for too long
        ("57014", True),  # statement time-out
        ("53300", True),  # too many connections
        ("53100", True),  # disk full
        ("40P01", True),  # deadlock
        ("40001", True),  # serialisation
        ("55P03", True),  # lock time-out
        ("25P03", True),  # idle in a transaction
        ("25006", True),  # read-only: a standby
        ("23505", False),  # a broken unique key
        ("42P01", False),  # no such table
        ("28P01", False),  # wrong password
        ("22001", False),  # too long
        ("XX000", False),
    ],
)
def test_postgresql_says_by_a_code_what_passes(state: str, expected: bool) -> None:
    error = psycopg.errors.lookup(state)("something")
    assert is_transient(error) is expected
    wrapped = OperationalError("SELECT 1", {}, error)
    assert is_transient(wrapped) is expected
    optuna_error = StorageInternalError("An exception is raised during the commit.")
    optuna_error.__cause__ = wrapped
    assert is_transient(optuna_error) is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ('connection to server at "db", port 5432 failed: Connection refused', True),
        ("connection failed: FATAL:  sorry, too many clients already", True),
        ('connection failed: FATAL:  too many connections for role "me"', True),
        ("connection failed: FATAL:  the database system is starting up", True),
        ('could not translate host name "db" to address: Temporary failure in name resolution', True),
        ("the connection is closed", True),
        ('connection failed: FATAL:  password authentication failed for user "me"', False),
        ('connection failed: FATAL:  database "mars" does not exist', False),
        ('connection failed: FATAL:  role "me" does not exist', False),
        ("connection failed: FATAL:  no pg_hba.conf entry for host", False),
    ],
)
def test_a_connection_without_a_code_passes_unless_it_was_refused_for_good(said: str, expected: bool) -> None:
    assert is_transient(psycopg.OperationalError(said)) is expected


def test_what_sqlalchemy_finds_out_by_itself_passes() -> None:
    assert is_transient(PoolTimeoutError())
    assert is_transient(PendingRollbackError("Can't reconnect until invalid transaction is rolled back."))
    assert is_transient(OperationalError("", {}, psycopg.InterfaceError("x"), connection_invalidated=True))
    assert not is_transient(OperationalError("", {}, psycopg.InterfaceError("x")))
    assert not is_transient(ProgrammingError("", {}, sqlite3.OperationalError("no such table: x")))
    assert not is_transient(IntegrityError("", {}, sqlite3.IntegrityError("UNIQUE constraint failed")))


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), StudyError("x"), DatabaseError("x"), OSError("x")])
def test_what_is_not_the_databases_does_not_pass(error: Exception) -> None:
    assert not is_transient(error)


def test_a_locked_sqlite_passes(tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as one,
        closing(sqlite3.connect(tmp_path / "x.db", timeout=0)) as two,
    ):
        one.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError) as caught:
            two.execute("BEGIN IMMEDIATE")
    assert is_transient(caught.value)
    assert is_transient(sqlite3.OperationalError("database is locked"))


def test_a_full_disk_is_waited_for_and_a_broken_file_is_not(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as full:
        full.execute("CREATE TABLE t (x)")
        full.execute("PRAGMA max_page_count = 3")
        with pytest.raises(sqlite3.OperationalError, match="full") as caught:
            full.executemany("INSERT INTO t VALUES (?)", [("x" * 1000,)] * 100)
    assert is_transient(caught.value)
    (tmp_path / "y.db").write_bytes(b"no database at all" * 1000)
    with closing(sqlite3.connect(tmp_path / "y.db")) as broken, pytest.raises(sqlite3.DatabaseError) as caught_too:
        broken.execute("SELECT * FROM t")
    assert not is_transient(caught_too.value)


def test_a_pool_without_a_free_connection_passes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect(), pytest.raises(DatabaseError) as caught, translate_errors(url):
        engine.connect()
    assert is_transient(caught.value)
    engine.dispose()


def test_work_is_repeated_until_it_is_done() -> None:
    assert quick().call(fails(6)) == "done"


def test_other_errors_come_at_once_and_unchanged() -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise KeyError("no such trial")

    with pytest.raises(KeyError, match="no such trial"):
        quick().call(work)
    assert len(tries) == 1


def test_after_the_limit_it_is_a_database_error_in_one_sentence() -> None:
    wrapped = OperationalError("SELECT secret FROM t", {"p": "secret"}, LOST)
    with pytest.raises(DatabaseError, match=r"^the database does not answer: server closed the connection") as caught:
        quick(0.05).call(fails(10_000, wrapped))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is wrapped


def test_patience_within_patience_ends_with_the_first() -> None:
    inner, tries = quick(0.02), []

    def work() -> str:
        tries.append(1)
        return inner.call(fails(10_000))

    with pytest.raises(RetriesExhausted):
        quick(60).call(work)
    assert len(tries) == 1


def test_without_patience_there_is_one_try() -> None:
    with pytest.raises(DatabaseError):
        RetryPolicy(0).call(fails(1))


def test_the_pauses_grow_to_the_longest_and_are_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    patience = RetryPolicy(1e9)
    waited: list[float] = []

    def wait(timeout: float) -> bool:
        waited.append(timeout)
        return False

    monkeypatch.setattr(patience._changed, "wait", wait)
    patience.call(fails(40))
    for tries, pause in enumerate(waited):
        assert 0.5 * min(10, 0.1 * 2**tries) <= pause <= min(10, 0.1 * 2**tries)
    assert len(set(waited)) == 40


def test_whoever_must_hurry_is_woken_and_gives_up_in_time() -> None:
    patience = RetryPolicy(3600, shortest_s=1800, longest_s=3600)
    ended: list[bool] = []

    def wait() -> None:
        with pytest.raises(RetriesExhausted):
            patience.call(fails(10_000))
        ended.append(True)

    threads = [threading.Thread(target=wait, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: patience._away_since is not None)
    patience.set_deadline(0.3)
    patience.set_deadline(1000)  # no second wind
    for thread in threads:
        thread.join(LIMIT_S)
    assert len(ended) == 4  # the pause would be half an hour
    assert patience.call(fails(2)) == "done"  # what is short is still repeated
    with pytest.raises(RetriesExhausted):
        patience.call(fails(10_000))


def test_a_call_that_may_take_less_gives_up_earlier() -> None:
    with pytest.raises(RetriesExhausted):
        quick(3600).call(fails(1_000_000), limit_s=0.05)


def test_long_trouble_is_told_once_and_its_end_too(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TELL_AFTER_S", 0.0)
    quick().call(fails(20))
    said = [record.message for record in caplog.records]
    assert len(said) == 2
    assert "server closed the connection" in said[0]
    assert "answers again" in said[1]
    caplog.clear()
    RetryPolicy(5, shortest_s=0.001, longest_s=0.01, quiet=True).call(fails(20))
    assert not caplog.records


def test_short_trouble_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    quick().call(fails(2))
    assert not caplog.records


def test_an_outage_is_remembered_for_a_while() -> None:
    patience = quick()
    patience.call(fails(0))
    assert not patience.was_away(longer_than=0, within=1000)
    patience.call(fails(3))
    assert patience.was_away(longer_than=0.0, within=1000)
    assert not patience.was_away(longer_than=100, within=1000)
    time.sleep(0.02)
    assert not patience.was_away(longer_than=0.0, within=0.01)


def test_patience_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(RetryPolicy(7, shortest_s=0.2, longest_s=3, quiet=True)))
    assert (copy.limit_s, copy.shortest_s, copy.longest_s, copy.quiet) == (7, 0.2, 3, True)
    assert copy.call(fails(0)) == "done"


def test_a_busy_sqlite_is_waited_for_beyond_the_drivers_own_patience(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.store import open_store

    monkeypatch.setattr("storage.database.engine.BUSY_S", 0.05)
    store = open_store(sqlite_url, str(tmp_path / "artifacts"), quick(60))
    refused = threading.Event()
    calm, store.retry_policy._failed = store.retry_policy._failed, lambda error: (refused.set(), calm(error))[1]  # type: ignore[method-assign]
    with store.engine.connect() as writer:
        writer.execute(text("BEGIN IMMEDIATE"))
        thread = threading.Thread(target=lambda: store.trials.create_new_study([], "mars"))
        thread.start()
        assert refused.wait(30)
        writer.rollback()
    thread.join(30)
    assert [study.study_name for study in store.trials.get_all_studies()] == ["mars"]
    store.close()
