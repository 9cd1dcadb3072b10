"""Optuna's own suite for storages, on ours: bare and under Optuna's cache, on both databases.

A new database for each test would take most of the time, so each kind is opened once and emptied between tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import BaseStorage, _CachedStorage
from optuna.storages._rdb import models
from optuna.testing.pytest_storages import StorageTestCase

from storage.trials import TrialStorage

KEPT = {"version_info", "alembic_version"}


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrialStorage]:
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


class TestTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, empty: TrialStorage) -> BaseStorage:
        return empty


class TestCachedTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, empty: TrialStorage) -> BaseStorage:
        return _CachedStorage(empty)


def test_the_suite_tests_what_it_should(opened: TrialStorage, tmp_path: Path) -> None:
    assert sum(name.startswith("test_") for name in dir(StorageTestCase)) >= 40
    assert isinstance(opened, TrialStorage)
