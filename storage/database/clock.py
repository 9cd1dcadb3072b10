"""Moments as the database stores them, and the one clock that decides anything: the database's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone (ValueError): it would be ambiguous."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time needs its zone, got {value.isoformat()}")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The stored moment, always with UTC as its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class database_now(FunctionElement[datetime]):  # noqa: N801 - an SQL function
    """The moment at which the statement runs, by the database's clock; for SQLite that of this machine.

    In SELECT it reads as UTC with its zone. In INSERT and UPDATE it also fits Optuna's columns, which hold naive UTC:
    every session of ours lives in UTC.
    """

    type = UtcTime()
    inherit_cache = True


@compiles(database_now)
def _postgres(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "clock_timestamp()"  # now() is when the transaction began, which may have waited for a lock since


@compiles(database_now, "sqlite")
def _sqlite(_element: Any, _compiler: Any, **_options: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # milliseconds, written as SQLAlchemy writes microseconds
