"""A tiny data set, a space of tiny networks, and a study of them in a fresh storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from search.service.study import Created, Wish, create
from storage.dataset import write_dataset
from storage.store import Store, open_store
from storage.synthetic import synthesise

optuna.logging.set_verbosity(optuna.logging.WARNING)

TINY = """
model: {family: unet, depth: 2, filters: 4, growth: 1.0, block: plain, decoder_block: same, bottleneck: plain,
        skip: concat, norm: [batch, none], dropout: 0.0, dropout_place: every_block, squeeze: nowhere,
        upsampling: nearest}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {noise: 0.0, blur: 0.0, brightness: 0.0, contrast: 0.0, geometry: null, mixing: null}
optimisation: {optimizer: adamw, batch_size: 16, lr: {low: 1e-3, high: 1e-2, log: true}, schedule: none}
data: {oversample: null}
"""


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    write_dataset(synthesise(train=48, test=4, seed=1, height=24, width=32), path)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"sqlite:///{tmp_path / 'studies.db'}", str(tmp_path / "artifacts"))


@pytest.fixture
def wish(tiny_data: Path) -> Callable[..., Wish]:
    def wished(**changes: object) -> Wish:
        values: dict[str, object] = {
            "study": "tiny",
            "data": tiny_data,
            "space": TINY,
            "space_name": "tiny.yaml",
            "sampler": "tpe",
            "pruner": "asha",
            "objective": "miou",
            "trials": 6,
            "epochs": 3,
            "warm_start": "none",
            "holdout": 0.0,
            "keep": 2,
            "seed": 0,
        }
        return Wish(**(values | changes))  # type: ignore[arg-type]

    return wished


@pytest.fixture
def created(store: Store, wish: Callable[..., Wish]) -> Created:
    return create(store, wish())
