from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import optuna
import pytest
from sqlalchemy import text

from storage.database.engine import engine_options, exclusive, read_url, redact, transaction
from storage.errors import DatabaseError
from storage.store import Purpose, Store, open_store

OPEN = """
import sys
from storage.store import open_store
sys.stdin.readline()
open_store(sys.argv[1], sys.argv[2]).close()
"""


@pytest.fixture
def mute_server() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgres://me:s%40cret@host/db", "postgres://me:***@host/db"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?password=%2A%2A%2A&user=me"),
        ("sqlite:///runs/marsearch.db", "sqlite:///runs/marsearch.db"),
        ("post gres:/x//me:secret@host", "***"),
        ("postgresql://me:secret@host:port/db", "postgresql://***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert redact(url) == shown


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg_3(scheme: str) -> None:
    assert read_url(f"{scheme}://me:pw@host/db").render_as_string(False) == "postgresql+psycopg://me:pw@host/db"


def test_what_the_url_says_about_the_connection_goes_first() -> None:
    options = engine_options("postgresql://host/db?connect_timeout=2")
    assert "connect_timeout" not in options["connect_args"]
    assert options["pool_pre_ping"] is True
    assert options["pool_recycle"] == 1800
    assert engine_options("postgresql://host/db")["connect_args"]["connect_timeout"] * 2 < 10


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "http://host/db",
        "mysql://me:secret@host/db",
        "postgresql+psycopg2://me:secret@host/db",
        "postgresql://me:secret@host:port/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x.db?uri=true",
    ],
)
def test_a_nonsense_url_is_one_sentence_without_the_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as caught:
        open_store(url, str(tmp_path))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "sqlite:///FILE" in str(caught.value)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(DatabaseError, match=r"marsearch\[postgres\]"):
        read_url("postgresql://host/db")


@pytest.mark.parametrize("place", ["a_file/runs/x.db", "a_file/x.db", "a_folder"])
def test_an_impossible_sqlite_place_is_one_sentence(place: str, tmp_path: Path) -> None:
    (tmp_path / "a_file").write_text("not a folder")
    (tmp_path / "a_folder").mkdir()
    with pytest.raises(DatabaseError, match=str(tmp_path / place)):
        open_store(f"sqlite:///{tmp_path / place}", str(tmp_path / "artifacts"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "a_folder"]


def test_an_unwritable_folder_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # the superuser may write anywhere
    with pytest.raises(DatabaseError, match="cannot be written"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}", str(tmp_path / "artifacts"))


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"\x00not a database\x00" * 1000)
    with pytest.raises(DatabaseError, match="not a database"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}", str(tmp_path / "artifacts"))


def test_a_closed_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DatabaseError, match=rf"postgresql://me:\*\*\*@127.0.0.1:{port}/db .*refused"):
        open_store(f"postgresql://me:secret@127.0.0.1:{port}/db", str(tmp_path))


def test_a_mute_server_is_not_waited_for_without_end(mute_server: int, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match=r"me:\*\*\*@127.0.0.1"):
        open_store(f"postgresql://me:secret@127.0.0.1:{mute_server}/db?connect_timeout=2", str(tmp_path))


def test_a_driver_that_hangs_is_reported_in_time(
    mute_server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.store.FIRST_ANSWER_S", 0.2)
    with pytest.raises(DatabaseError, match=r"me:\*\*\*@127.0.0.1:\d+/db.* did not answer within 0.2 s"):
        open_store(f"postgresql://me:secret@127.0.0.1:{mute_server}/db?connect_timeout=2", str(tmp_path))


def test_a_file_is_looked_at_however_long_a_busy_machine_takes(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(sqlite_url, str(tmp_path / "artifacts")).close()
    monkeypatch.setattr("storage.store.FIRST_ANSWER_S", 0.0)
    purposes: tuple[Purpose, ...] = ("look", "change")
    for purpose in purposes:
        open_store(sqlite_url, str(tmp_path / "artifacts"), purpose=purpose).close()


def test_sqlite_is_set_up_for_several_writers(sqlite_url: str, tmp_path: Path) -> None:
    store = open_store(sqlite_url, str(tmp_path / "artifacts"))
    asked = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1, "busy_timeout": 60_000}
    with store.engine.connect() as connection:
        assert {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in asked} == asked
    store.close()


def test_postgresql_sessions_live_in_utc(postgres_url: str, tmp_path: Path) -> None:
    store = open_store(postgres_url, str(tmp_path / "artifacts"))
    with store.engine.connect() as connection:
        connection.rollback()
        assert connection.execute(text("SHOW TimeZone")).scalar() == "UTC"
    store.close()


def test_a_database_that_fails_later_is_one_sentence(store: Store) -> None:
    with pytest.raises(DatabaseError, match="no_such_table"), transaction(store.engine) as session:
        session.execute(text("SELECT * FROM no_such_table"))


def test_only_one_thread_at_a_time_is_alone(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []
    together = Barrier(4)

    def enter() -> None:
        together.wait()
        for _ in range(5):
            with exclusive(store.engine):
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.001)  # long enough for the others to come in, were they let
                inside.pop()

    threads = [Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 20


@pytest.mark.whole
def test_four_processes_may_open_a_fresh_database_at_once(store_url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error::sqlalchemy.exc.SAWarning", "-c", OPEN, store_url, str(tmp_path / "art")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], "\n".join(outputs)
    store = open_store(store_url, str(tmp_path / "art"))
    with store.engine.connect() as connection:
        for table in ("marsearch_version", "alembic_version", "version_info"):
            assert connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() == 1
    store.close()


def test_a_brace_in_the_path_is_only_a_brace(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / '{x} y.db'}", str(tmp_path / "artifacts"))
    store.close()
    assert (tmp_path / "{x} y.db").exists()


def test_a_store_is_still_a_plain_optuna_database(store: Store, store_url: str) -> None:
    optuna.create_study(storage=store.trials, study_name="plain")
    plain = optuna.storages.RDBStorage(store_url)
    assert optuna.load_study(study_name="plain", storage=plain).study_name == "plain"
    plain.engine.dispose()


def test_the_store_shows_no_password(store: Store) -> None:
    assert store.url == redact(store.url)
    assert store.trials.get_heartbeat_interval() is None


def test_a_new_database_is_private_to_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    store = open_store(f"sqlite:///{folder / 'mars.db'}", str(folder / "artifacts"))
    store.transact(lambda session: session.execute(text("SELECT 1")))
    assert folder.stat().st_mode & 0o777 == 0o700
    found = {file.name: file.stat().st_mode & 0o777 for file in folder.glob("mars.db*")}
    assert set(found.values()) == {0o600}
    store.close()
