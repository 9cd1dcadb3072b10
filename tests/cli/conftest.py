"""The command as a person starts it: a process of its own in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SPACE = """
model: {family: unet, depth: 2, filters: 4, growth: 1.0, block: plain, decoder_block: same, bottleneck: plain,
        skip: concat, norm: [batch, none], dropout: 0.0, dropout_place: every_block, squeeze: nowhere,
        upsampling: nearest}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {noise: 0.0, blur: 0.0, brightness: 0.0, contrast: 0.0, geometry: null, mixing: null}
optimisation: {optimizer: adamw, batch_size: 16, lr: {low: 1e-3, high: 1e-2, log: true}, schedule: none}
data: {oversample: null}
"""


@pytest.fixture
def marsearch(tmp_path: Path) -> Run:
    def run(*arguments: object, timeout: float = 240, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in os.environ.items() if not k.startswith("MARSEARCH_")} | environment
        return subprocess.run(
            [sys.executable, "-m", "search.cli", *map(str, arguments)],
            cwd=tmp_path,
            env=variables | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "data.npz"
    write_dataset(synthesise(train=48, test=5, seed=1, height=24, width=32), path)
    return path


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(SPACE)
    return path
