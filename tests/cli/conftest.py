"""A tiny data set and a space of tiny networks in an empty folder; commands in this process or in one of their own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.commands import Command, command_here
from support.processes import run_marsearch
from support.studies import TINY_SPACE


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in this process, which is quick."""
    return command_here(tmp_path, capsys)


@pytest.fixture
def process(tmp_path: Path) -> Command:
    """A command as a person starts it: a process of its own."""
    return partial(run_marsearch, cwd=tmp_path)


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
