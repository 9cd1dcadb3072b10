"""Optuna's own suite for storages, on ours: bare and under Optuna's cache, on both databases."""

from __future__ import annotations

import pytest
from optuna.storages import BaseStorage, _CachedStorage
from optuna.testing.pytest_storages import StorageTestCase

from storage.trials.trial_storage import TrialStorage


class TestTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, empty: TrialStorage) -> BaseStorage:
        return empty


class TestCachedTrialStorage(StorageTestCase):
    @pytest.fixture
    def storage(self, empty: TrialStorage) -> BaseStorage:
        return _CachedStorage(empty)


def test_the_suite_tests_what_it_should(opened: TrialStorage) -> None:
    assert sum(name.startswith("test_") for name in dir(StorageTestCase)) >= 40
    assert isinstance(opened, TrialStorage)
