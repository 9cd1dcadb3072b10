"""`create` says how long a study on large images will take, and what helps; small images are not measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from search.commands import pace
from search.commands.pace import Pace, pace_note, trained_pixels
from search.studies.create import create
from search.studies.study import StudyDefinition
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from support.commands import Command
from support.mixed_sizes import mixed_dataset

SPACE = "base: cpu\nmodel: {depth: 2, filters: 4}\noptimisation: {batch_size: 4}\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path / 'm.db'}", str(tmp_path / "artifacts"))) as opened:
        yield opened


def config(store: Store, folder: Path, *, mixed: bool) -> StudyConfig:
    dataset = mixed_dataset(12) if mixed else synthesise(train=16, test=0, seed=0, height=24, width=32, classes=3)
    write_dataset(dataset, folder / "d.npz")
    wanted = StudyConfig(study="s", space=SPACE, trials=40, epochs=10, warm_start="none")
    return create(store, wanted, folder / "d.npz").config


def test_a_study_takes_its_trials_by_the_workers() -> None:
    found = Pace(epoch_s=30.0, least=False, workers=2)
    assert found.study_s(trials=7, epochs=10) == pytest.approx(4 * 300.0)
    told = found.sentence(7, 10)
    assert "an epoch takes about 30 s" in told
    assert "the study about 20.0 min (7 trials of 10 epochs, 2 at a time" in told
    assert "--space cpu" not in told


def test_beyond_a_day_it_says_what_helps() -> None:
    told = Pace(epoch_s=3000.0, least=True, workers=1).sentence(40, 30)
    assert "an epoch takes more than 50.0 min" in told
    assert "the study more than 41.7 days" in told
    assert "--space cpu, a smaller data.crop in a space file, or fewer --epochs" in told


def test_small_images_are_not_measured(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object, **__: object) -> Pace:
        raise AssertionError("measured")

    monkeypatch.setattr(pace, "measure_pace", measured)
    equal = config(store, tmp_path, mixed=False)
    monkeypatch.setattr(pace, "LARGE", 0)
    assert pace_note(store, equal, tmp_path) == ""


def test_few_pixels_of_several_sizes_are_not_measured(store: Store, tmp_path: Path) -> None:
    mixed = config(store, tmp_path, mixed=True)
    assert 0 < trained_pixels(StudyDefinition(mixed)) < pace.LARGE
    assert pace_note(store, mixed, tmp_path) == ""


@pytest.mark.whole
def test_create_measures_large_images(marsearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LARGE", 0)
    write_dataset(mixed_dataset(12), tmp_path / "d.npz")
    (tmp_path / "s.yaml").write_text(SPACE)
    asked = ("--data", "d.npz", "--space", "s.yaml", "--trials", "100000", "--epochs", "2000")
    told = marsearch("create", "s", *asked)
    assert told.returncode == 0
    assert "an epoch takes about" in told.stderr
    assert "--space cpu" in told.stderr
