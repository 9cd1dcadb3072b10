"""One open place where studies live: the database, Optuna's view of it, and the artifacts beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from alembic.util.exc import CommandError
from optuna.storages import BaseStorage, get_storage
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from storage.artifacts.artifact_store import ArtifactStore, open_artifacts
from storage.database import migrations
from storage.database.engine import (
    allow,
    engine_options,
    exclusive,
    prepare_folder,
    read_url,
    redact,
    transaction,
    translate_errors,
)
from storage.database.retry import RetryPolicy
from storage.database.status import Condition, condition, refuse_foreign
from storage.errors import DatabaseError, NothingStored
from storage.trials.trial_storage import TrialStorage

T = TypeVar("T")
Purpose = Literal["make", "change", "look"]

GRACE_S = 180.0  # a host whose heartbeat is younger lives
MIGRATION_S = 3600.0  # one statement of an upgrade may take so long on a large database
FIRST_TRIES_S = 2.0  # for a server that starts just now, or has no connection to spare
OPENING_S = 10.0  # for what comes after the first answer
FIRST_ANSWER_S = 9.5  # name look-up and handshake together, so that an unreachable server is reported within 10 s


@dataclass(frozen=True, kw_only=True)
class Store:
    """Everything that a host needs to read and write what was tried; give it back with `close`.

    url: the database's URL with its driver, without the password.
    engine: the one pool of connections of this process, for our own tables.
    trials: Optuna's cached storage over `TrialStorage`, for `optuna.load_study(storage=...)`.
    artifacts: where files are kept, after Optuna's artifact protocol.
    artifacts_url: the folder or ``s3://bucket/prefix`` of the artifacts.
    grace_s: seconds without a heartbeat after which a host counts as gone.
    retry_policy: how long every access waits for a database that is away; a host that leaves sets it a deadline.
    """

    url: str
    engine: Engine
    trials: BaseStorage
    artifacts: ArtifactStore
    artifacts_url: str
    retry_policy: RetryPolicy
    grace_s: float = GRACE_S

    def transact(self, work: Callable[[Session], T], *, limit_s: float | None = None) -> T:
        """What `work` returns, done in one transaction, and again after passing trouble.

        `work` must be safe to repeat, also when it was committed and only the answer was lost; what it returns must not
        need the session any more. Raises DatabaseError when the database does not take it, or not in time.
        limit_s: a shorter time for trouble to pass than the store's.
        """

        def once() -> T:
            with transaction(self.engine) as session:
                return work(session)

        return self.retry_policy.call(once, limit_s=limit_s)

    def close(self) -> None:
        """Close the pool's connections; the store must not be used afterwards."""
        self.engine.dispose()


def open_store(
    url: str,
    artifacts_url: str,
    retry_policy: RetryPolicy | None = None,
    *,
    grace_s: float = GRACE_S,
    purpose: Purpose = "make",
) -> Store:
    """Connect, create or upgrade Optuna's schema and ours, and open the artifacts.

    Any number of processes may do this at once on a database that does not exist yet.
    purpose: only "make" creates what is not there; for "change" and "look" that is NothingStored. "look" writes
    nothing, unless the schema is an older one, and can be had in a place that one may only read.
    Raises DatabaseError within 10 s when the database cannot be reached, and at once for a URL, folder or schema that
    cannot be used; ArtifactError for the artifacts.
    retry_policy: what the store waits with afterwards, ten minutes if not given. grace_s: see `Store`.
    """
    retry_policy = retry_policy or RetryPolicy()
    looking = purpose == "look"
    if purpose != "make":
        looking &= _look(url).current
    known: dict[str, Any] = {"artifacts_url": artifacts_url, "retry_policy": retry_policy, "grace_s": grace_s}
    if looking:
        with translate_errors(url):
            return _store(TrialStorage(url, retry_policy=retry_policy, looking=True), looking=True, **known)
    prepare_folder(url)
    first = create_engine(read_url(url), **engine_options(url, retry_policy))
    try:
        with translate_errors(url):
            sqlite = first.dialect.name == "sqlite"  # whose first connection changes the file: not before we are alone
            if not sqlite:
                _answer_in_time(lambda: RetryPolicy(FIRST_TRIES_S, quiet=True).call(lambda: _connect(first, url)), url)
            opening = RetryPolicy(OPENING_S)
            with exclusive(first, opening):
                if sqlite:
                    opening.call(lambda: _connect(first, url))
                trials = opening.call(lambda: _open_trials(url, retry_policy))
    finally:
        first.dispose()
    return _store(trials, looking=False, **known)


def _store(trials: TrialStorage, *, looking: bool, artifacts_url: str, **known: Any) -> Store:
    try:
        artifacts = open_artifacts(artifacts_url, looking=looking)
    except BaseException:
        trials.engine.dispose()
        raise
    return Store(
        url=redact(str(trials.engine.url)),
        engine=trials.engine,
        trials=get_storage(trials),
        artifacts=artifacts,
        artifacts_url=artifacts_url,
        **known,
    )


def _look(url: str) -> Condition:
    """In what condition the database is, without a change of it. Raises NothingStored when there is nothing in it."""
    found: list[Condition] = []
    patiently = RetryPolicy(FIRST_TRIES_S, quiet=True)
    _answer_in_time(lambda: patiently.call(lambda: found.append(condition(url))), url)
    if found[0].empty:
        raise NothingStored(f"no study in {found[0].url} yet; start with: marsearch demo")
    return found[0]


def _connect(engine: Engine, url: str) -> None:
    with translate_errors(url), engine.connect() as connection:
        refuse_foreign(connection)


def _answer_in_time(connect: Callable[[], None], url: str) -> None:
    """Connect, or say so in time: no setting of the driver limits the look-up of a name.

    A file has no name to look up, and on a busy machine it takes as long as it takes.
    """
    if read_url(url).get_backend_name() == "sqlite":
        connect()
        return
    failures: list[BaseException] = []

    def attempt() -> None:
        try:
            connect()
        except BaseException as error:  # carried over to the thread that asked
            failures.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(FIRST_ANSWER_S)
    if thread.is_alive():
        raise DatabaseError(f"the database {redact(url)} did not answer within {FIRST_ANSWER_S:g} s: is it running?")
    if failures:
        raise failures[0]


def _open_trials(url: str, retry_policy: RetryPolicy) -> TrialStorage:
    try:
        trials = TrialStorage(url, retry_policy=retry_policy)
    except (RuntimeError, AssertionError) as error:  # Optuna's schema check
        raise DatabaseError(f"{redact(url)} was made by another version of Optuna: {error}") from error
    try:
        _upgrade(trials.engine, url)
    except BaseException:
        trials.engine.dispose()
        raise
    return trials


def _upgrade(engine: Engine, url: str) -> None:
    with engine.connect() as connection:
        allow(connection, MIGRATION_S)
        if engine.dialect.name == "sqlite":
            connection.execute(text("BEGIN IMMEDIATE"))
        try:
            migrations.upgrade(connection)
        except CommandError as error:
            raise DatabaseError(f"{redact(url)} was made by a newer marsearch ({error}): upgrade marsearch") from error
        connection.commit()
