"""An open store on both databases, and a study's plan to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.store import Store, open_store
from storage.studies import StudyPlan


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
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
