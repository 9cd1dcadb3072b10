"""In what condition a database is, found out without changing it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.orm import Session

from storage.database import migrations
from storage.database.engine import engine_options, read_url, redact, translate_errors
from storage.database.optuna_schema import MIGRATIONS, OPTUNAS_TABLES, VERSION_INFO
from storage.database.retry import RetryPolicy
from storage.errors import DatabaseError

ANSWER_S = 10.0  # a person waits for this one


@dataclass(frozen=True, kw_only=True)
class Schema:
    """One history of tables. found, newest: revisions; found is None before the tables are there."""

    found: str | None
    newest: str
    known: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How a database answers.

    url: without the password. ours, optunas: the two schemas. answer_s: seconds that a question takes.
    clock_s: how many seconds its clock is ahead of ours; 0 for SQLite, which has none of its own.
    """

    url: str
    ours: Schema
    optunas: Schema
    answer_s: float
    clock_s: float

    @property
    def empty(self) -> bool:
        """Whether it has no tables yet, or is an SQLite file that is not there: the first command makes them."""
        return self.ours.found is None and self.optunas.found is None

    @property
    def current(self) -> bool:
        """Whether its tables are those of the installed versions."""
        return self.ours.found == self.ours.newest and self.optunas.found == self.optunas.newest


def condition(url: str) -> Condition:
    """Look at the database. Raises DatabaseError when it cannot be reached or is another program's, or for nonsense."""
    parsed = read_url(url)
    sqlite = parsed.drivername.startswith("sqlite")
    file = Path(parsed.database or "")
    if sqlite and not file.exists():
        nearest = next(parent for parent in file.absolute().parents if parent.exists())
        if not nearest.is_dir():
            raise DatabaseError(f"{file} cannot be a database: {nearest} is a file; choose another place")
        return _condition(url, None)
    engine = create_engine(parsed, **engine_options(url, RetryPolicy(answer_s=ANSWER_S), looking=True))
    try:
        with translate_errors(url), engine.connect() as connection:
            refuse_foreign(connection)
            return _condition(url, connection)
    finally:
        engine.dispose()


def _condition(url: str, connection: Connection | None) -> Condition:
    answer, ahead = _clock(connection) if connection is not None else (0.0, 0.0)
    return Condition(
        url=redact(url),
        ours=_schema(connection, migrations.VERSION_TABLE, Path(migrations.__file__).parent),
        optunas=_schema(connection, "alembic_version", MIGRATIONS),
        answer_s=answer,
        clock_s=ahead,
    )


def refuse_foreign(connection: Connection) -> None:
    """Raise DatabaseError where tables of another program stand in the place of Optuna's, before any is made.

    A history of tables that has no revision of Optuna's is one that another program's alembic keeps.
    """
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    known = OPTUNAS_TABLES if VERSION_INFO not in there else {VERSION_INFO: OPTUNAS_TABLES[VERSION_INFO]}
    theirs = [
        name
        for name, columns in known.items()
        if name in there and not columns <= {column["name"] for column in inspector.get_columns(name)}
    ]
    heads = MigrationContext.configure(connection).get_current_heads()
    if VERSION_INFO not in there and not {*heads} <= {*_revisions(MIGRATIONS)}:
        theirs.append("alembic_version")
    if theirs:
        url = redact(str(connection.engine.url))
        raise DatabaseError(
            f"the database {url} holds tables of another program ({', '.join(theirs)}) under the names of Optuna's: "
            "set MARSEARCH_STORAGE to a database of its own, which CREATE DATABASE makes"
        )


def server_age_s(session: Session) -> float | None:
    """Seconds since the database server was started; None for SQLite, which has none."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    age: timedelta = session.execute(text("SELECT clock_timestamp() - pg_postmaster_start_time()")).scalar_one()
    return age.total_seconds()


def _schema(connection: Connection | None, table: str, folder: Path) -> Schema:
    newest, *_ = known = _revisions(folder)
    context = MigrationContext.configure(connection, opts={"version_table": table}) if connection is not None else None
    return Schema(
        found=context.get_current_revision() if context is not None else None,
        newest=newest,
        known=known,
    )


def _revisions(folder: Path) -> tuple[str, ...]:
    """The revisions of a history, the newest first."""
    return tuple(revision.revision for revision in ScriptDirectory(str(folder)).walk_revisions())


def _clock(connection: Connection) -> tuple[float, float]:
    """Seconds that an answer takes, and how far the database's clock is ahead."""
    sqlite = connection.dialect.name == "sqlite"
    before = datetime.now(UTC)
    now = connection.execute(text("SELECT 1" if sqlite else "SELECT clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    took = after - before
    return took.total_seconds(), 0.0 if sqlite else (now - (before + took / 2)).total_seconds()
