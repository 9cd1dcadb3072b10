"""In what condition a database is, found out without changing it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.orm import Session

from storage.database import migrations
from storage.database.engine import engine_options, read_url, redact, translate_errors
from storage.database.optuna_schema import MIGRATIONS
from storage.database.retry import RetryPolicy

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


def condition(url: str) -> Condition:
    """Look at the database. Raises DatabaseError when it cannot be reached, or the URL is nonsense."""
    parsed = read_url(url)
    sqlite = parsed.drivername.startswith("sqlite")
    if sqlite and not Path(parsed.database or "").exists():
        return _condition(url, None)
    engine = create_engine(parsed, **engine_options(url, RetryPolicy(answer_s=ANSWER_S)))
    try:
        with translate_errors(url), engine.connect() as connection:
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


def server_age_s(session: Session) -> float | None:
    """Seconds since the database server was started; None for SQLite, which has none."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    age: timedelta = session.execute(text("SELECT clock_timestamp() - pg_postmaster_start_time()")).scalar_one()
    return age.total_seconds()


def _schema(connection: Connection | None, table: str, folder: Path) -> Schema:
    script = ScriptDirectory(str(folder))
    context = MigrationContext.configure(connection, opts={"version_table": table}) if connection is not None else None
    return Schema(
        found=context.get_current_revision() if context is not None else None,
        newest=script.get_current_head() or "",
        known=tuple(revision.revision for revision in script.walk_revisions()),
    )


def _clock(connection: Connection) -> tuple[float, float]:
    """Seconds that an answer takes, and how far the database's clock is ahead."""
    sqlite = connection.dialect.name == "sqlite"
    before = datetime.now(UTC)
    now = connection.execute(text("SELECT 1" if sqlite else "SELECT clock_timestamp()")).scalar_one()
    after = datetime.now(UTC)
    took = after - before
    return took.total_seconds(), 0.0 if sqlite else (now - (before + took / 2)).total_seconds()
