"""Facts of the homework's data, and a trial to sample with."""

from __future__ import annotations

import optuna
import pytest

from spaces import DataFacts

optuna.logging.set_verbosity(optuna.logging.WARNING)


@pytest.fixture(scope="session")
def mars() -> DataFacts:
    names = ("background", "soil", "bedrock", "sand", "big rock")
    return DataFacts(channels=1, height=64, width=128, class_names=names, excluded=("background",))
