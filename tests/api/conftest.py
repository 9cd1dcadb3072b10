"""A study with trials of every kind in a folder of one's own, of which the best one has a recipe and pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import upload_artifact

from search import Study
from search.outcome.pictures.canvas import blank, save
from search.outcome.pictures.figures import PANEL
from search.studies.study import StudyDefinition
from storage.store import open_store
from storage.studies.studies import load_config
from support.studies import TINY_SPACE, add_every_kind


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for everything, and nothing said by the environment."""
    for name in ("MARSEARCH_STORAGE", "MARSEARCH_ARTIFACTS", "MARSEARCH_HOME", "MARSEARCH_LOG"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_data: Path) -> Path:
    """A home with the study `tiny`, to copy: quicker than to create it."""
    home = tmp_path_factory.mktemp("made")
    places = {"storage": f"sqlite:///{home}/marsearch.db", "home": home}
    Study.create("tiny", data=tiny_data, space=TINY_SPACE, trials=6, epochs=2, warm_start="none", **places).close()
    return home


@pytest.fixture(scope="session")
def made_and_tried(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    """The same with its trials."""
    home = shutil.copytree(made, tmp_path_factory.mktemp("tried") / "home")
    with closing(open_store(f"sqlite:///{home}/marsearch.db", str(home / "artifacts"))) as store:
        found = optuna.load_study(study_name="tiny", storage=store.trials)
        add_every_kind(found)
        best = found.ask()
        StudyDefinition(load_config(store, "tiny")).space.suggest(best)
        picture = home / PANEL
        save(blank(40, 30), picture)
        upload_artifact(artifact_store=store.artifacts, file_path=str(picture), study_or_trial=best)
        best.report(0.6, 2)
        found.tell(best, 0.6)
    return home


@pytest.fixture
def study(home: Path, made: Path) -> Iterator[Study]:
    shutil.copytree(made, home)
    with Study.open("tiny", home=home) as found:
        yield found


@pytest.fixture
def tried(home: Path, made_and_tried: Path) -> Iterator[Study]:
    shutil.copytree(made_and_tried, home)
    with Study.open("tiny", home=home) as found:
        yield found
