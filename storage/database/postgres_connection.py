"""A connection to PostgreSQL that never waits for ever, and that needs no session of its own.

A pooler, a tunnel or a firewall may keep a connection open and pass nothing on. No setting of the server or of TCP
notices: both ends look well. So every wait of the driver, for a statement, a commit, a rollback or a test of the
connection, ends when the server has been silent for too long; the connection is then closed, because it is not known
what became of the statement, and the error is one that passes.

Behind a pooler each transaction may meet another session, which strangers use as well. So no statement is prepared,
what a transaction needs is set with its BEGIN and ends with it, and only a session that is ours alone is set up.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.pq import ExecStatus, TransactionStatus

from storage.database.retry import RetryPolicy

HUNG_S = 60  # a worker silent for so long within a transaction loses its connection, and others its locks
IDLE_S = 300  # a session unused for so long is closed by the server: a hundred is all it has by default

# In UTC, since Optuna compares naive times.
_WITH_BEGIN = ("SET LOCAL TIME ZONE 'UTC'", "SET LOCAL idle_in_transaction_session_timeout = '{}s'")
_SET_OURS = "SELECT set_config('idle_session_timeout', '{}s', false) WHERE pg_backend_pid() = {}"


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

    def _start_query(self) -> Generator[Any, Any, None]:
        """Begin a transaction where psycopg would, its settings in the same message: no statement waits for them."""
        if self.autocommit or self.pgconn.transaction_status != TransactionStatus.IDLE:
            return
        commands = [self._get_tx_start_command(), *(setting.format(HUNG_S).encode() for setting in _WITH_BEGIN)]
        if self._pipeline is not None:  # of many rows at once; its statements wait for no answer anyway
            for command in commands:
                yield from self._exec_command(command)
            yield from self._pipeline._sync_gen()
            return
        self.pgconn.send_query(b"; ".join(commands))
        for result in (yield from generators.execute(self.pgconn)):
            if result.status != ExecStatus.COMMAND_OK:
                raise errors.error_from_result(result)

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
    connection = BoundedConnection.connect(*args, prepare_threshold=None, **kwargs)
    connection.policy = policy
    return connection


def set_up_session(connection: BoundedConnection) -> None:
    """Let the server take back the session when it is idle, unless a pooler stands between and lends it to others.

    A pooler gives its clients ids that are no process's of the server.
    """
    if connection.info.server_version >= 140_000:
        connection.execute(_SET_OURS.format(IDLE_S, connection.info.backend_pid).encode()).close()
        connection.commit()  # a rollback would take the setting back
