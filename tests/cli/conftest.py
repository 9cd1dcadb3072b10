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
from support.studies import TINY_SPACE

Run = Callable[..., "subprocess.CompletedProcess[str]"]


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
    path.write_text(TINY_SPACE)
    return path
