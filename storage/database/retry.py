"""Waiting for a database that is away for a while: which trouble passes by itself, and how long it is waited for."""

from __future__ import annotations

import logging
import random
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from storage.errors import DatabaseError

T = TypeVar("T")

LIMIT_S = 600.0  # a restart, a failover, a reboot; training goes on meanwhile
LEAVING_S = 3.0  # what a host that must leave still has
LAST_S = 0.5  # what each call begun after that has: enough for a deadlock or one new connection
ANSWER_S = 60.0  # a server that has not answered for so long is not waited for on that connection
TELL_AFTER_S = 1.0  # a deadlock or a single lost connection is not worth a word
TELL_AGAIN_S = 60.0

# PostgreSQL: connection trouble (08), shut-down and start-up (57P), too many connections, no disk or memory (53),
# deadlock and serialisation (40), locks, time-outs, and a standby that does not take over yet (25006). A full disk is
# among them: only by waiting can a result be kept until there is room again; the first complaint says so at once.
_STATES = re.compile(r"08...|57P0[1-5]|57014|53[123]00|4000[13]|40P01|55P03|25P0[34]|25006")
# Said when a connection is refused, without a code: these will not pass.
_REFUSED = re.compile(r"authentication failed|no pg_hba\.conf entry|(database|role) \".*\" does not exist|no password")
# SQLite: busy, locked, full (see above), and a race between two who open the write-ahead log.
_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PROTOCOL}
_WORDS = re.compile(r"database( table)? is locked|is busy|disk is full|locking protocol")

_logger = logging.getLogger(__name__)


class RetriesExhausted(DatabaseError):
    """The trouble has lasted too long: no caller should wait once more."""


def is_transient(error: BaseException) -> bool:
    """Whether the same may well succeed a little later: the database is away, full or in another's hands."""
    causes = [*_causes(error)]
    return any(map(_passes, causes)) and not any(isinstance(cause, RetriesExhausted) for cause in causes)


def reason(error: BaseException) -> str:
    """The first line of what the driver said, without the statement and its parameters."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class RetryPolicy:
    """Repeats what failed by passing trouble, with growing pauses, until a limit; safe to share among threads.

    limit_s: seconds from the first failure until it is given up.
    shortest_s, longest_s: the first pause and the longest, seconds; each is shortened by chance by up to a half, so
    that many workers do not come back at the same moment.
    quiet: trouble that lasts longer than a second is not logged.
    answer_s: for how long a server may be silent while one statement waits for it, seconds.
    """

    def __init__(
        self,
        limit_s: float = LIMIT_S,
        *,
        shortest_s: float = 0.1,
        longest_s: float = 10.0,
        quiet: bool = False,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.limit_s, self.shortest_s, self.longest_s, self.quiet = limit_s, shortest_s, longest_s, quiet
        self.answer_s = answer_s
        self._changed = threading.Condition()
        self._leave_by: float | None = None
        self._away_since: float | None = None
        self._told: float | None = None
        self._outages: deque[tuple[float, float]] = deque(maxlen=32)  # when each began and ended

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.limit_s, self.shortest_s, self.longest_s, self.quiet, self.answer_s)
        return _policy, arguments  # a lock cannot be pickled

    def call(self, work: Callable[[], T], *, limit_s: float | None = None) -> T:
        """What `work` returns; it must be safe to repeat, also when it was done and only its answer was lost.

        limit_s: a shorter limit for this call. Raises DatabaseError when the trouble lasts longer than the limit, and
        whatever else `work` raises at once.
        """
        limit = self.limit_s if limit_s is None else min(limit_s, self.limit_s)
        failed: float | None = None
        tries = 0
        while True:
            try:
                result = work()
            except Exception as error:
                if not is_transient(error):
                    raise
                failed, tries = failed or time.monotonic(), tries + 1
                self._failed(error)
                if not self._pause(tries, failed, limit):
                    raise _given_up(error, time.monotonic() - failed) from error
            else:
                self._answered()
                return result

    def set_deadline(self, within_s: float = LEAVING_S) -> None:
        """End every wait within so many seconds from now, for a host that must leave; later calls get half a second.

        A statement that is under way then has so long too; only a connection attempt is not cut short.
        """
        with self._changed:
            end = time.monotonic() + within_s
            self._leave_by = end if self._leave_by is None else min(end, self._leave_by)
            self._changed.notify_all()

    def answer_limit(self) -> float:
        """For how long a server may be silent from now on, seconds; shorter once the host must leave."""
        leave_by = self._leave_by
        return self.answer_s if leave_by is None else min(self.answer_s, max(LAST_S, leave_by - time.monotonic()))

    def was_away(self, longer_than: float, within: float) -> bool:
        """Whether no call here was answered for longer than so many seconds, now or until `within` seconds ago."""
        now = time.monotonic()
        with self._changed:
            outages = [*self._outages, *([(self._away_since, now)] if self._away_since is not None else [])]
        return any(end - began >= longer_than and now - end <= within for began, end in outages)

    def _pause(self, tries: int, failed: float, limit: float) -> bool:
        """Wait before the next try; False when the time for tries is over."""
        pause = min(self.longest_s, self.shortest_s * 2 ** min(tries - 1, 30)) * random.uniform(0.5, 1)  # noqa: S311
        with self._changed:
            left = self._end(failed, limit) - time.monotonic()
            if left <= 0:
                return False
            self._changed.wait(min(pause, left, pause if self._leave_by is None else LAST_S / 5))
        return True

    def _end(self, failed: float, limit: float) -> float:
        end = failed + limit
        return end if self._leave_by is None else min(end, max(self._leave_by, failed + LAST_S))

    def _failed(self, error: Exception) -> None:
        now = time.monotonic()
        with self._changed:
            self._away_since = self._away_since or now - _silent_s(error)
            if self.quiet or now - (self._told or self._away_since) < (TELL_AGAIN_S if self._told else TELL_AFTER_S):
                return
            self._told = now
        _logger.warning("the database does not answer, trying again: %s", _deepest(error))

    def _answered(self) -> None:
        if self._away_since is None:
            return
        now = time.monotonic()
        with self._changed:
            began, self._away_since = self._away_since, None
            told, self._told = self._told, None
            if began is not None:
                self._outages.append((began, now))
        if told is not None and began is not None:
            _logger.warning("the database answers again, after %.0f s", now - began)


def _policy(limit_s: float, shortest_s: float, longest_s: float, quiet: bool, answer_s: float) -> RetryPolicy:
    return RetryPolicy(limit_s, shortest_s=shortest_s, longest_s=longest_s, quiet=quiet, answer_s=answer_s)


def _given_up(error: Exception, seconds: float) -> RetriesExhausted:
    said = str(error) if isinstance(error, DatabaseError) else f"the database does not answer: {_deepest(error)}"
    return RetriesExhausted(f"{said} (tried for {seconds:.0f} s)" if seconds >= 1 else said)


def _silent_s(error: BaseException) -> float:
    """For how long nothing was heard before the error, seconds."""
    return max((float(getattr(cause, "silent_s", 0.0)) for cause in _causes(error)), default=0.0)


def _deepest(error: BaseException) -> str:
    return reason([*_causes(error)][-1])


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised from: Optuna and we wrap SQLAlchemy's errors, which wrap the driver's."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = getattr(seen, "orig", None) or seen.__cause__


def _passes(error: BaseException) -> bool:
    if isinstance(error, PoolTimeoutError | PendingRollbackError):
        return True  # the second: a statement on a connection that was lost just before
    if isinstance(error, DBAPIError):
        return bool(error.connection_invalidated)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return _WORDS.search(str(error)) is not None if code is None else code & 0xFF in _CODES
    return _postgres_passes(error)


def _postgres_passes(error: BaseException) -> bool:
    """Read from psycopg's error, which need not be installed."""
    if not hasattr(error, "sqlstate"):
        return False
    if error.sqlstate is not None:
        return _STATES.fullmatch(error.sqlstate) is not None
    lost = any(base.__name__ == "OperationalError" for base in type(error).__mro__)
    return lost and _REFUSED.search(str(error)) is None
