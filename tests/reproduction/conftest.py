"""A tiny data set to train tables on."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    write_dataset(synthesise(train=48, test=4, seed=1, height=24, width=32), path)
    return path
