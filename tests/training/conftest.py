from __future__ import annotations

import pytest

from search.training.arrays import TrainingData
from support.small_data import small_data


@pytest.fixture(scope="session")
def grey() -> TrainingData:
    return small_data(1)


@pytest.fixture(scope="session")
def colour() -> TrainingData:
    return small_data(3)
