"""An open store on both databases, and a study's plan to begin with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from storage.store import Store, open_store
from storage.studies import StudyPlan


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, to copy: five times quicker than to create them."""
    folder = tmp_path_factory.mktemp("template")
    open_store(f"sqlite:///{folder / 'empty.db'}", str(folder / "artifacts")).close()
    return folder / "empty.db"


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
def plan() -> StudyPlan:
    return StudyPlan(
        study="mars",
        data_digest="d" * 64,
        space_digest="e" * 64,
        space="model: {family: unet}\n",
        facts='{"channels": 1}',
        sampler="tpe",
        pruner="asha",
        objective="miou",
        trials=12,
        epochs=6,
        warm_start="reports",
        holdout=0.1,
        keep=20,
        seed=7,
        split='{"train": [0, 1]}',
    )
