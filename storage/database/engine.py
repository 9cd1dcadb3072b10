"""How each kind of database is connected to, and the two ways in which the rest of storage uses one.

SQLite: write-ahead log, a minute of waiting for other writers, foreign keys on. PostgreSQL: psycopg 3, a small pool
whose connections are checked before use and recycled, keep-alives, UTF-8 whatever the database is kept in. A change of
the schema, or a read before a write, is made under `exclusive`.
"""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from optuna.exceptions import StorageInternalError
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

from storage.database.retry import RetryPolicy, reason
from storage.errors import DatabaseError

BUSY_S = 60  # how long a writer waits for the others, on either database
CONNECT_S = 4  # per address: `localhost` has two, and an unreachable server is to be reported within 10 s
LOCK_KEY = 0x6D617273  # PostgreSQL's advisory lock of marsearch: "mars"

_POLICY = "marsearch_policy"  # among the arguments for a connection: what bounds its waits,
_LOOKING = "marsearch_looking"  # and that nothing is written through it
_SQLITE = {"sqlite", "sqlite+pysqlite"}
_POSTGRES = {"postgres", "postgresql", "postgresql+psycopg"}
_SEVERAL = re.compile(r"(postgres\w*(?:\+psycopg)?://(?:[^/@]*@)?)([^/?@]*,[^/?@]*)(.*)")
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d+))?")
# of a URL's query; everything else may be a secret
_SHOWN = {"user", "host", "port", "dbname", "sslmode", "connect_timeout", "application_name", "target_session_attrs"}


# A pool names its logger after its class, in our package; that it was emptied is nothing to tell a person.
for _kind in ("SqlitePool", "SqliteReaders", "PostgresPool"):
    logging.getLogger(f"{__name__}.{_kind}").setLevel(logging.WARNING)


class SqlitePool(QueuePool):
    """A pool whose connections are prepared for several writers on one SQLite file."""


class SqliteReaders(QueuePool):
    """A pool whose connections write nothing, not even what SQLite would tidy up in the file."""


class PostgresPool(QueuePool):
    """A pool of connections to PostgreSQL, whose sessions may be shared with others."""


@event.listens_for(Engine, "do_connect")
def _connect(_dialect: Any, _record: Any, args: Any, parameters: Any) -> Any:
    """Connect with bounded waits, or to look only, where `engine_options` says so; other engines connect as ever."""
    if parameters.pop(_LOOKING, False):
        return _look(*args, **parameters)
    if _POLICY not in parameters:
        return None
    from storage.database.postgres_connection import connect

    others = {name: value for name, value in parameters.items() if name != _POLICY}
    return connect(parameters[_POLICY], *args, **others)


@event.listens_for(SqlitePool, "connect")
def _prepare_sqlite(connection: Any, _record: Any) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}").close()


@event.listens_for(SqliteReaders, "connect")
def _prepare_reader(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA query_only = ON").close()


def _look(file: str, **parameters: Any) -> Any:
    """A connection for reading, also to a file in a folder that one may only read.

    There SQLite needs the files that a writer keeps beside it, or the certainty that there is no writer.
    Raises DatabaseError where a writer has left a log that cannot be read without changing it.
    """
    path = Path(file)
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK):
        return sqlite3.connect(path, **parameters)
    uri = f"file:{quote(str(path))}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, **parameters)
    try:
        connection.execute("PRAGMA schema_version").close()
        return connection
    except sqlite3.OperationalError:
        connection.close()
        log = Path(f"{path}-wal")
        if log.exists() and log.stat().st_size:
            text = f"{path} is in a folder that cannot be written, and {log.name} holds changes that were not merged"
            raise DatabaseError(f"{text}: copy both files to a folder of yours, and set MARSEARCH_STORAGE") from None
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, **parameters)


@event.listens_for(PostgresPool, "connect")
def _prepare_postgres(connection: Any, _record: Any) -> None:
    from storage.database.postgres_connection import set_up_session

    set_up_session(connection)


@event.listens_for(PostgresPool, "checkin")
def _end_allowance(connection: Any, _record: Any) -> None:
    if connection is not None:
        connection.least_s = 0.0


def redact(url: str) -> str:
    """The URL as it may be shown: without the password, wherever in the URL it stands.

    Of one that cannot be read with certainty, no more than its scheme: half a password may pass for a host.
    """
    try:
        parsed = _parse(url)
    except (ArgumentError, ValueError):
        return _scheme(url)
    if _doubtful(url):
        return _scheme(url)
    hidden = {key: "***" for key in parsed.query if key not in _SHOWN}
    return parsed.update_query_dict(hidden).render_as_string(hide_password=True)


def _parse(url: str) -> URL:
    """The URL, several hosts in the place of one as the driver takes them. Raises ArgumentError or ValueError."""
    several = _SEVERAL.fullmatch(url)
    if several is None:
        return make_url(url)
    hosts = [match for host in several[2].split(",") if (match := _HOST.fullmatch(host))]
    if len(hosts) <= several[2].count(","):
        raise ValueError(several[2])
    names, ports = (
        ",".join(part) for part in zip(*((host[1].strip("[]"), host[2] or "5432") for host in hosts), strict=True)
    )
    return make_url(several[1] + several[3]).update_query_dict({"host": names, "port": ports})


def _doubtful(url: str) -> bool:
    """Whether the password seems to hold an @, which ends it for every reader."""
    return url.count("@") > 1


def _scheme(url: str) -> str:
    known = re.match(r"[a-z0-9+]+://", url, re.IGNORECASE)
    return f"{known[0]}***" if known else url if re.fullmatch(r"[\w./-]*", url) else "***"


def read_url(url: str) -> URL:
    """The URL with its driver named: an SQLite file, or PostgreSQL through psycopg 3.

    Raises DatabaseError for anything else, and when psycopg is not installed.
    """
    wanted = (
        "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, of several servers @HOST1:PORT,HOST2:PORT/NAME"
    )
    try:
        parsed = _parse(url)
    except (ArgumentError, ValueError):
        raise DatabaseError(f"{redact(url)!r} is not a database URL: {wanted}") from None
    if _doubtful(url):
        raise DatabaseError(f"{redact(url)!r} has more than one @: write one inside a name or password as %40")
    if parsed.drivername in _SQLITE:
        if parsed.database in (None, "", ":memory:") or parsed.query or parsed.host:
            raise DatabaseError(
                f"{redact(url)!r} is not a plain SQLite file that workers can share: use sqlite:///FILE"
            )
        return parsed.set(drivername="sqlite+pysqlite")
    if parsed.drivername in _POSTGRES:
        if importlib.util.find_spec("psycopg") is None:
            raise DatabaseError(f"{redact(url)!r} needs psycopg: install marsearch[postgres]")
        return parsed.set(drivername="postgresql+psycopg")
    raise DatabaseError(f"{redact(url)!r} is of a kind that marsearch does not use: {wanted}")


def engine_options(url: str, policy: RetryPolicy | None = None, *, looking: bool = False) -> dict[str, Any]:
    """The keyword arguments of ``create_engine`` for this URL; they can be pickled.

    What the URL's own query says about the connection goes before ours.
    policy: for how long a server may be silent. looking: nothing is to be written. Raises DatabaseError for a nonsense
    URL.
    """
    parsed, policy = read_url(url), policy or RetryPolicy()
    pool = {"pool_size": 4, "max_overflow": 12, "pool_timeout": min(BUSY_S, policy.answer_s)}
    if parsed.drivername.startswith("sqlite"):
        arguments = {"timeout": BUSY_S, "check_same_thread": False}
        if looking:
            return pool | {"poolclass": SqliteReaders, "connect_args": {**arguments, _LOOKING: True}}
        return pool | {"poolclass": SqlitePool, "connect_args": arguments}
    connect: dict[str, Any] = {
        "application_name": "marsearch",
        "client_encoding": "utf8",  # a database in SQL_ASCII would give bytes, where text is expected
        "connect_timeout": CONNECT_S,
        "keepalives": 1,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # milliseconds: a vanished server must not hold a worker for a quarter of an hour
    }
    ours = {key: value for key, value in connect.items() if key not in parsed.query} | {_POLICY: policy}
    return (
        pool
        | {"poolclass": PostgresPool, "connect_args": ours}
        | {
            "pool_pre_ping": True,
            "pool_recycle": 1800,
            "pool_use_lifo": True,  # the rest may fall idle
        }
    )


def is_missing(url: str) -> bool:
    """Whether the database is an SQLite file that is not there yet."""
    parsed = read_url(url)
    return parsed.drivername.startswith("sqlite") and not Path(parsed.database or "").exists()


def writable(url: str) -> bool:
    """Whether the database may be written, as far as permissions say: an SQLite file with the folder that it is in."""
    parsed = read_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return True
    file = Path(parsed.database or "")
    return not file.exists() or (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK))


def prepare_folder(url: str) -> None:
    """Create the folder of an SQLite file; nothing for a server.

    Raises DatabaseError when the folder cannot be created or written.
    """
    parsed = read_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return
    file = Path(parsed.database or "")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseError(f"cannot create the folder of {file}: {reason(error)}; choose another") from error
    if file.is_dir():
        raise DatabaseError(f"{file} is a folder, an SQLite database is a file: name a file in it")
    if not os.access(file.parent, os.W_OK | os.X_OK) or not writable(url):
        raise DatabaseError(f"{file} cannot be written: change its permissions or choose another place")
    with suppress(FileExistsError, OSError):  # SQLite gives the files beside it the same mode
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


@contextmanager
def translate_errors(url: str, *also: type[Exception]) -> Iterator[None]:
    """Turn what the database reports, by whichever library, into one DatabaseError that names the redacted URL.

    also: other errors that the database's driver raises here.
    """
    try:
        yield
    except Exception as error:
        cause = error.__cause__ or error if isinstance(error, StorageInternalError) else error
        if isinstance(cause, IntegrityError):
            raise  # a broken promise of ours, not of the database: its traceback is wanted
        # Of the drivers not all errors are wrapped, and psycopg, whose errors have an sqlstate, need not be installed.
        known = (SQLAlchemyError, StorageInternalError, sqlite3.Error, *also)
        if not isinstance(error, known) and not hasattr(error, "sqlstate"):
            raise
        raise DatabaseError(f"the database {redact(url)} does not answer as it should: {reason(cause)}") from error


@contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """One session, committed at the end and rolled back on any error.

    Raises DatabaseError when the database cannot be reached or does not take it.
    """
    # UnicodeError: a text that no encoding can write, such as a file's name in another one.
    with (
        translate_errors(str(engine.url), UnicodeError),
        Session(engine, expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


@contextmanager
def exclusive(engine: Engine, retry_policy: RetryPolicy | None = None) -> Iterator[None]:
    """Nobody else is in this block for the same database: not a thread, not a process, not another machine.

    PostgreSQL: an advisory lock on a connection of its own, given up by the server should we die. SQLite lives on one
    machine, so a lock on the file's folder does, which leaves no file behind. Not reentrant.
    retry_policy: for passing trouble on the way in; none when it is not given. A server that restarts meanwhile
    forgets the lock, so what is done here must also keep its order by unique keys.
    Raises DatabaseError when the others hold it for longer than a minute.
    """
    if engine.dialect.name == "sqlite":
        with _folder_lock(Path(engine.url.database or "").parent):
            yield
        return
    with translate_errors(str(engine.url)), ExitStack() as held:
        (retry_policy or RetryPolicy(0)).call(lambda: held.enter_context(_advisory_lock(engine)), limit_s=BUSY_S)
        yield


def allow(connection: Connection, seconds: float) -> None:
    """Let statements take so long until the connection is given back: migrations."""
    driver = connection.connection.dbapi_connection
    if connection.dialect.name == "postgresql" and driver is not None:
        driver.least_s = seconds


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    connection = engine.connect()
    try:
        _wait_for_turn(lambda: _advised(connection), f"database {redact(str(engine.url))}")
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # the holder is busy elsewhere
        yield
    finally:
        with suppress(DBAPIError):  # a server that restarted meanwhile has forgotten the lock; what was done is done
            connection.close()  # whose rollback gives the lock back


def _advised(connection: Connection) -> bool:
    """Whether the lock is ours; who waits for it holds no session, of which the one who has it may need another."""
    if connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK_KEY}).scalar_one():
        return True
    connection.rollback()
    return False


@contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        _wait_for_turn(lambda: _locked(handle), f"databases in {folder}")
        yield
    finally:
        os.close(handle)


def _wait_for_turn(take: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BUSY_S
    while not take():
        if time.monotonic() > deadline:
            raise DatabaseError(f"another process has held the {what} for {BUSY_S} s: is it hung?")
        time.sleep(0.02)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
