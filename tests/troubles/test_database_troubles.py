"""Databases that are not ours alone: shared sessions, other encodings, other programs' tables, several servers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import psycopg
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy import create_engine, inspect, make_url, text
from sqlalchemy.exc import ResourceClosedError
from sqlalchemy.orm import Session

from storage.database.engine import exclusive, read_url, redact
from storage.errors import DatabaseError
from storage.store import open_store
from support.commands import Command, command_here
from support.pgbouncer import pgbouncer
from support.processes import Running, environment, marsearch_command, run_marsearch
from support.studies import TINY_SPACE

STUDY = ("tiny", "--trials", "2", "--epochs", "2", "--warm-start", "none")


@pytest.fixture
def pooled(postgres_url: str, tmp_path: Path) -> Iterator[str]:
    with pgbouncer(postgres_url, tmp_path) as url:
        yield url


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(TINY_SPACE)
    return path


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


def as_psycopg(url: str) -> str:
    return url.replace("+psycopg", "")


def test_a_session_shared_with_others_is_neither_needed_nor_changed(
    pooled: str, postgres_url: str, tmp_path: Path
) -> None:
    """psycopg/psycopg#280: behind a pooler a transaction may meet any session, and every session meets strangers."""
    store = open_store(pooled, str(tmp_path / "artifacts"))
    try:
        ours = text("SELECT current_setting('TimeZone'), current_setting('idle_in_transaction_session_timeout')")
        for _ in range(20):  # the driver would prepare the statement from its sixth time on
            assert store.transact(lambda session: tuple(session.execute(ours).one())) == ("UTC", "1min")
        many = [{"name": str(number)} for number in range(10)]

        def write_many(session: Session) -> Any:  # which the driver sends in another way
            session.execute(text("INSERT INTO marsearch_probe VALUES (:name)"), many)
            return session.execute(text("SELECT current_setting('TimeZone'), count(*) FROM marsearch_probe")).one()

        store.transact(lambda session: session.execute(text("CREATE TABLE marsearch_probe (name TEXT)")))
        assert tuple(store.transact(write_many)) == ("UTC", 10)
        with psycopg.connect(as_psycopg(pooled), autocommit=True, prepare_threshold=None) as stranger:
            for name, usual in (("idle_in_transaction_session_timeout", "0"), ("idle_session_timeout", "0")):
                seen = {stranger.execute(f"SHOW {name}").fetchone() for _ in range(12)}
                assert seen == {(usual,)}
    finally:
        store.close()


def test_sessions_of_our_own_are_given_back_when_they_are_idle(postgres_url: str, tmp_path: Path) -> None:
    """psycopg/psycopg#280: without a pooler the server has few sessions, and takes back those that nobody uses."""
    store = open_store(postgres_url, str(tmp_path / "artifacts"))
    idle = text("SHOW idle_session_timeout")
    assert store.transact(lambda session: session.execute(idle).scalar_one()) == "5min"
    store.close()


def test_more_hosts_than_shared_sessions_take_their_turns(pooled: str, tmp_path: Path) -> None:
    """psycopg/psycopg#280: who waits to be alone must not hold the sessions that who is alone needs."""
    store = open_store(pooled, str(tmp_path / "artifacts"))
    inside: list[int] = []
    failed: list[Exception] = []
    together = Barrier(6)

    def enter() -> None:
        together.wait()
        try:
            with exclusive(store.engine):
                inside.append(store.transact(lambda session: session.execute(text("SELECT 1")).scalar_one()))
        except Exception as error:
            failed.append(error)

    threads = [Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (inside, failed) == ([1] * 6, [])
    store.close()


@pytest.mark.whole
def test_two_hosts_behind_a_pooler_finish_a_study(pooled: str, tmp_path: Path, tiny_data: Path, space: Path) -> None:
    """psycopg/psycopg#280: create, work, status and doctor behind a pooler that shares sessions."""
    storage = {"MARSEARCH_STORAGE": pooled}
    made = run_marsearch("create", *STUDY, "--data", tiny_data, "--space", space, cwd=tmp_path, **storage)
    assert made.returncode == 0, made
    work = marsearch_command("work", "tiny", "--workers", "1", "--device", "cpu", "--trials", "4")
    with (
        Running(work, cwd=tmp_path, env=environment(**storage)) as first,
        Running(work, cwd=tmp_path, env=environment(**storage)) as second,
    ):
        ended = [each.ended(240) for each in (first, second)]
    assert [each.returncode for each in ended] == [0, 0], ended
    said = run_marsearch("status", "tiny", "--json", cwd=tmp_path, **storage)
    assert '"finished": 4' in said.stdout, said
    doctor = run_marsearch("doctor", cwd=tmp_path, **storage)
    assert (doctor.returncode, doctor.stderr) == (0, ""), doctor


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_takes_studies(
    encoding: str, postgres: str, tmp_path: Path, command: Command, tiny_data: Path, space: Path
) -> None:
    """psycopg/psycopg#813: the driver gives bytes, where text is expected, or cannot write what it is given."""
    name = f"in_{encoding.lower()}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
    url = postgres.replace("/postgres?", f"/{name}?")
    made = command("create", *STUDY, "--data", tiny_data, "--space", space, MARSEARCH_STORAGE=url)
    assert made.returncode == 0, made
    told = command("status", "tiny", MARSEARCH_STORAGE=url)
    assert (told.returncode, told.stderr) == (0, ""), told
    assert "study tiny: " in told.stdout
    exotic = command("create", "mädchen 火星", *STUDY[1:], "--data", tiny_data, "--space", space, MARSEARCH_STORAGE=url)
    if encoding == "LATIN1":  # which has no such signs
        assert exotic.returncode == 2
        assert exotic.stderr.startswith("marsearch: ")
        assert "LATIN1" in exotic.stderr
        assert exotic.stderr.count("\n") == 1
    else:
        assert exotic.returncode == 0, exotic


@pytest.mark.parametrize("error", [psycopg.InterfaceError("odd"), psycopg.ProgrammingError("odd"),
                                   sqlite3.OperationalError("odd"), ResourceClosedError("odd")])  # fmt: skip
@pytest.mark.parametrize("by", ["us", "Optuna"])
def test_whatever_a_driver_raises_is_one_sentence(
    error: Exception, by: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg/psycopg#813: errors that SQLAlchemy has not wrapped, or that Optuna has wrapped once more."""
    open_store(f"sqlite:///{tmp_path}/runs/marsearch.db", str(tmp_path / "runs" / "artifacts")).close()

    def fail(*_: object, **__: object) -> None:
        if by == "Optuna":
            raise StorageInternalError("odd") from error
        raise error

    monkeypatch.setattr("storage.studies.studies.list_studies", fail)
    said = command("status")
    assert said.returncode == 2
    assert said.stderr.startswith("marsearch: the database sqlite")
    assert said.stderr.count("\n") == 1
    assert "odd" in said.stderr


FOREIGN = {
    "alembic": ["CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
                "INSERT INTO alembic_version VALUES ('e0a2d79cc0b7')"],
    "trials": ["CREATE TABLE trials (id INTEGER PRIMARY KEY, drug VARCHAR(32))"],
    "studies": ["CREATE TABLE studies (study_id INTEGER PRIMARY KEY, title VARCHAR(32))"],
}  # fmt: skip


@pytest.mark.parametrize("theirs", FOREIGN)
@pytest.mark.parametrize("verb", ["status", "doctor"])
def test_the_tables_of_another_program_are_left_alone(theirs: str, verb: str, store_url: str, command: Command) -> None:
    """mlflow/mlflow#3374: tables of two programs in one database, whose histories have one name."""
    Path(make_url(store_url).database or "").parent.mkdir(exist_ok=True, parents=True)
    engine = create_engine(store_url)
    with engine.begin() as connection:
        for statement in FOREIGN[theirs]:
            connection.execute(text(statement))
    before = inspect(engine).get_table_names()
    said = command(verb, MARSEARCH_STORAGE=store_url)
    assert inspect(engine).get_table_names() == before
    engine.dispose()
    assert said.returncode == (1 if verb == "doctor" else 2), said
    told = said.stdout + said.stderr
    assert "another program" in told
    assert "MARSEARCH_STORAGE" in told


def test_several_servers_can_be_named_in_a_url(postgres_url: str, tmp_path: Path) -> None:
    """citusdata/pg_auto_failover#875: host1,host2 is how libpq writes it, and so do people."""
    with pgbouncer(postgres_url, tmp_path, mode="session") as url:
        parsed = make_url(url)
        several = f"postgresql://postgres:p%40ss@127.0.0.1:9,127.0.0.1:{parsed.port}/{parsed.database}"
        store = open_store(f"{several}?connect_timeout=5", str(tmp_path / "artifacts"))
        assert store.transact(lambda session: session.execute(text("SELECT 1")).scalar_one()) == 1
        assert "p%40ss" not in store.url + redact(several)
        assert str(parsed.port) in redact(several)
        store.close()


@pytest.mark.parametrize("hosts", ["a,,b", "a:x,b", "[::1,b"])
def test_servers_that_cannot_be_told_apart_are_refused_in_the_form_that_works(hosts: str) -> None:
    """citusdata/pg_auto_failover#875: a refusal names the form that works."""
    with pytest.raises(DatabaseError, match=r"HOST1:PORT,HOST2:PORT") as caught:
        read_url(f"postgresql://me:secret@{hosts}/db")
    assert "secret" not in str(caught.value)
