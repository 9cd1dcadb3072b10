"""A tiny data set, a space of tiny networks, and a study of them in a fresh storage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from search.studies.create import Created, create
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from support.studies import TINY_SPACE, Inputs

optuna.logging.set_verbosity(optuna.logging.WARNING)


# A child in which a training step is not itself.
BROKEN = """
import importlib.abc, importlib.util, os, sys, time

class After(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "search.training.fit":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module
        def exec_module(module):
            run(module)
            step = module.train_step
            def broken(setup, rows, number, *rest):
                {what}
                return step(setup, rows, number, *rest)
            module.train_step = broken
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, After())
"""


@pytest.fixture
def break_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let every training step of the children to come begin with this line; `number` is its epoch."""

    def breaking(what: str) -> None:
        (tmp_path / "broken").mkdir()
        (tmp_path / "broken" / "sitecustomize.py").write_text(BROKEN.format(what=what))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"), prepend=os.pathsep)

    return breaking


@pytest.fixture
def gate(tmp_path: Path, break_child: Callable[[str], None]) -> Path:
    """A file without which no training gets beyond its fourth epoch, so that it can be cut off just there."""
    file = tmp_path / "open"
    break_child(
        f"while number == 5 and not os.path.exists({str(file)!r}) and not setup.should_stop(): time.sleep(0.01)"
    )
    return file


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    write_dataset(synthesise(train=48, test=4, seed=1, height=24, width=32), path)
    return path


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, to copy: five times quicker than to create them."""
    folder = tmp_path_factory.mktemp("template")
    open_store(f"sqlite:///{folder / 'empty.db'}", str(folder / "artifacts")).close()
    return folder / "empty.db"


@pytest.fixture
def store(sqlite_template: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(sqlite_template, tmp_path / "studies.db")
    opened = open_store(f"sqlite:///{tmp_path / 'studies.db'}", str(tmp_path / "artifacts"))
    yield opened
    opened.close()


@pytest.fixture
def inputs(tiny_data: Path) -> Callable[..., Inputs]:
    """What `create` takes for the study `tiny`, with these changes."""

    def made(data: Path = tiny_data, **changes: Any) -> Inputs:
        values: dict[str, Any] = {"study": "tiny", "space": TINY_SPACE, "trials": 6, "epochs": 3, "keep": 2}
        return StudyConfig(**values | {"warm_start": "none"} | changes), data

    return made


@pytest.fixture
def created(store: Store, inputs: Callable[..., Inputs]) -> Created:
    return create(store, *inputs())
