"""A connection to PostgreSQL that never waits for ever.

A pooler, a tunnel or a firewall may keep a connection open and pass nothing on. No setting of the server or of TCP
notices: both ends look well. So every wait of the driver, for a statement, a commit, a rollback or a test of the
connection, ends when the server has been silent for too long; the connection is then closed, because it is not known
what became of the statement, and the error is one that passes.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

from storage.database.retry import RetryPolicy


class AnswerTimeout(psycopg.OperationalError):
    """The server was silent for too long. silent_s: for how many seconds."""

    def __init__(self, silent_s: float) -> None:
        super().__init__(f"it has not answered for {silent_s:.0f} s")
        self.silent_s = silent_s


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose waits are bounded by a policy, or by a longer limit for statements that may take long."""

    policy: RetryPolicy | None = None
    least_s: float = 0.0  # the server has at least so long, whatever the policy says

    def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for the server as psycopg does, but not beyond the deadline. Raises AnswerTimeout."""
        bounded = gen if self.policy is None else self._bounded(gen, self.policy)
        return super().wait(bounded, *args, **kwargs)

    def _bounded(self, gen: Any, policy: RetryPolicy) -> Generator[Any, Any, Any]:
        """The driver's generator, which is resumed at least ten times a second, ready or not."""
        heard = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                now = time.monotonic()
                if ready:
                    heard = now
                elif now - heard > max(policy.answer_limit(), self.least_s):
                    self.close()
                    raise AnswerTimeout(now - heard)
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value


def connect(policy: RetryPolicy, *args: Any, **kwargs: Any) -> BoundedConnection:
    """A new connection, whose waits this policy bounds; connecting itself is bounded by `connect_timeout`."""
    connection = BoundedConnection.connect(*args, **kwargs)
    connection.policy = policy
    return connection
