"""Where studies live: the database and the files that the settings name, opened when they are first needed."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna

from search.log import is_json
from search.settings import Settings, read_settings
from storage.database.engine import translate_errors, writable
from storage.database.retry import RetryPolicy
from storage.store import Purpose, Store, open_store

PATIENCE_S = 20.0  # of a person who waits for an answer
WORKER_S = 600.0  # of a worker: a restart, a failover, a reboot


class Place:
    """One database with its artifacts. The first use opens it, `close` gives its connections back.

    settings: where it is. purpose: see `storage.store.open_store`; None to change what is there, or only to look where
    it may not be written. patience_s: for how long each access waits for a database that is away, seconds.
    Any thread may use it.
    """

    def __init__(self, settings: Settings, purpose: Purpose | None = None, patience_s: float = PATIENCE_S) -> None:
        self.settings = settings
        self.patience_s = patience_s
        self._purpose = purpose
        self._store: Store | None = None
        self._opening = threading.Lock()

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """The store, which stays open after the block. Raises DatabaseError or ArtifactError."""
        with translate_errors(self.settings.storage):  # what no access has put into words
            yield self._open()

    def close(self) -> None:
        """Close the connections; a later use opens new ones."""
        with self._opening:
            store, self._store = self._store, None
        if store is not None:
            store.close()

    def _open(self) -> Store:
        with self._opening:
            if self._store is None:
                quiet_optuna()
                settings = self.settings
                purpose = self._purpose or ("change" if writable(settings.storage) else "look")
                patience = RetryPolicy(self.patience_s)
                self._store = open_store(settings.storage, settings.artifacts, patience, purpose=purpose)
            return self._store


@contextmanager
def open_storage(patience_s: float = PATIENCE_S, *, purpose: Purpose = "change") -> Iterator[tuple[Store, Settings]]:
    """The storage that the environment names, closed in the end. Raises DatabaseError or ArtifactError.

    patience_s, purpose: see `Place`.
    """
    settings = read_settings()
    with closing(Place(settings, purpose, patience_s)) as place, place.opened() as store:
        yield store, settings


def settings_of(storage: str | None, home: str | Path | None) -> Settings:
    """The settings of the environment, but for what is given here. Raises UsageError for what names no place.

    storage: SQLAlchemy URL of the database. home: folder on this machine.
    """
    given = {"MARSEARCH_STORAGE": storage, "MARSEARCH_HOME": None if home is None else str(home).replace("$", "$$")}
    return read_settings({**os.environ, **{name: value for name, value in given.items() if value is not None}})


def quiet_optuna() -> None:
    """Let Optuna log errors only: our own progress shows the rest."""
    # The experimental features are chosen with care (TPE's group, stale trials), and the minor version is pinned.
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if is_json():
        optuna.logging.disable_default_handler()
        optuna.logging.enable_propagation()  # so that its errors keep their level
