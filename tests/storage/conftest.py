"""An open store on both databases, and a study's plan to begin with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from optuna.storages._rdb import models
from sqlalchemy import make_url

from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.trials.trial_storage import TrialStorage
from support.studies import study_row

KEPT = {"version_info", "alembic_version"}


@pytest.fixture(scope="session")
def postgres_template(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a PostgreSQL database with all tables, to copy."""
    url = new_database()
    open_store(url, str(tmp_path_factory.mktemp("template"))).close()
    return make_url(url).database or ""


@pytest.fixture
def store(store_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store without studies, on both databases."""
    name = make_url(store_url).database or ""
    if store_url.startswith("sqlite"):
        Path(name).parent.mkdir()
        shutil.copy(request.getfixturevalue("sqlite_template"), name)
    else:
        template = request.getfixturevalue("postgres_template")
        with psycopg.connect(request.getfixturevalue("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name}")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    opened = open_store(store_url, str(tmp_path / "artifacts"))
    yield opened
    opened.close()


@pytest.fixture
def plan() -> StudyConfig:
    return study_row(warm_start="reports", holdout=0.1, seed=7, split='{"train": [0, 1]}')


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialStorage]:
    """One storage for all tests of a module: a new database for each would take most of the time."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('conformance') / 'trials.db'}"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_database")
        url = new_database()
    storage = TrialStorage(url)
    yield storage
    storage.engine.dispose()


@pytest.fixture
def empty(opened: TrialStorage, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrialStorage]:
    """The module's storage with nothing in it."""
    copies: list[TrialStorage] = []
    unpickle = TrialStorage.__setstate__

    def remember(self: TrialStorage, state: dict[Any, Any]) -> None:
        copies.append(self)
        unpickle(self, state)

    monkeypatch.setattr(TrialStorage, "__setstate__", remember)
    with opened.engine.begin() as connection:
        for table in reversed(models.BaseModel.metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
    yield opened
    for copy in copies:
        copy.engine.dispose()  # the suite leaves its pickled copy open
