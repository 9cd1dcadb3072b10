"""Creating a study: once, with what it was asked for, and nothing half done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from search.studies.study import (
    Created,
    Wish,
    as_planned,
    create,
    enqueue,
    enqueue_named,
    open_study,
    read_recipe,
    recipe_for,
    space_of,
)
from spaces import FINALS, Recipe, Space, SpaceError, load_preset
from storage.data.outliers import find_outliers
from storage.errors import DataError, StudyError
from storage.store import Store
from storage.studies.studies import list_studies


def test_the_same_again_changes_nothing(store: Store, created: Created, wish: Callable[..., Wish]) -> None:
    assert created.new
    again = create(store, wish())
    assert not again.new
    assert again.config == created.config


@pytest.mark.parametrize("change", [{"space": "model: {depth: 2}"}, {"seed": 5}, {"epochs": 4}, {"sampler": "random"}])
def test_another_study_of_that_name_is_refused(
    store: Store, created: Created, wish: Callable[..., Wish], change: dict[str, object]
) -> None:
    with pytest.raises(StudyError, match="tiny"):
        create(store, wish(**change))
    assert open_study(store, "tiny", Path(store.artifacts_url).parent).config == created.config


def test_a_refused_study_leaves_nothing(store: Store, wish: Callable[..., Wish], tmp_path: Path) -> None:
    with pytest.raises(SpaceError):
        create(store, wish(space="model: {depth: 99}"))
    with pytest.raises(SpaceError, match="a grid needs finitely many values"):
        create(store, wish(sampler="grid"))
    with pytest.raises(DataError):
        create(store, wish(data=tmp_path / "missing.npz"))
    assert list_studies(store) == ()


def test_the_split_belongs_to_the_study(store: Store, created: Created, tmp_path: Path) -> None:
    opened = open_study(store, "tiny", tmp_path)
    split = json.loads(created.config.split)
    assert opened.train == tuple(split["train"])
    assert set(opened.panel) <= set(opened.validation)
    assert not set(opened.train) & set(opened.validation)
    assert not find_outliers(opened.dataset, "mask")[np.asarray(opened.validation)].any()
    groups = opened.dataset.group
    assert groups is not None
    assert not set(groups[list(opened.train)]) & set(groups[list(opened.validation)])


def test_the_data_is_found_elsewhere_by_its_digest(
    store: Store, wish: Callable[..., Wish], tiny_data: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.npz"
    moved.write_bytes(tiny_data.read_bytes())
    made = create(store, wish(data=moved))
    moved.unlink()
    opened = open_study(store, "tiny", tmp_path / "elsewhere")
    assert opened.dataset.digest == made.config.data_digest


def test_warm_starts_are_checked_first(store: Store, wish: Callable[..., Wish], tmp_path: Path) -> None:
    made = create(store, wish(warm_start="reports"))
    assert any("preset baseline is not in this space and is skipped" in note for note in made.notes)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("model: {depth: 5}")
    with pytest.raises(SpaceError, match=r"model\.depth"):
        create(store, wish(study="third", warm_start=str(recipe)))


def enqueued(store: Store, space: Space) -> list[Recipe]:
    """What waits in the study tiny, in order."""
    waiting = optuna.load_study(study_name="tiny", storage=store.trials).get_trials()
    return [space.recipe(trial.system_attrs["fixed_params"]) for trial in waiting]


def test_a_study_of_the_whole_space_first_tries_every_final(store: Store, wish: Callable[..., Wish]) -> None:
    made = create(store, wish(space="", warm_start="reports"))
    assert made.notes == ()
    space = space_of(made.config)
    samples = len(json.loads(made.config.split)["train"])
    tried = enqueued(store, space)
    assert tried == [as_planned(load_preset(name, space.facts, samples), space) for name in FINALS]
    assert {recipe.optimisation.epochs for recipe in tried} == {made.config.epochs}
    assert samples < 80  # a twentieth of them is under four: nnU-Net's rules want the smallest batch
    assert tried[FINALS.index("nnunet-plan")].optimisation.batch_size == 4


def test_enqueue_refuses_what_the_space_does_not_hold(store: Store, created: Created) -> None:
    with pytest.raises(SpaceError, match="this study"):
        enqueue(store, "tiny", read_recipe("baseline"))
    with pytest.raises(SpaceError, match="this study"):
        enqueue_named(store, "tiny", "nnunet-plan")
    with pytest.raises(SpaceError, match=r"neither a recipe file nor a preset, presets are a-table-1, .*baseline"):
        read_recipe("nothing.yaml")
    with pytest.raises(StudyError, match="elsewhere"):
        enqueue(store, "elsewhere", read_recipe("baseline"))
    with pytest.raises(StudyError, match="elsewhere"):
        enqueue_named(store, "elsewhere", "baseline")
    assert optuna.load_study(study_name="tiny", storage=store.trials).get_trials() == []


def test_a_preset_is_enqueued_by_name_for_the_data_of_the_study(store: Store, wish: Callable[..., Wish]) -> None:
    made = create(store, wish(space=""))
    enqueue_named(store, "tiny", "nnunet-plan")
    space = space_of(made.config)
    [tried] = enqueued(store, space)
    assert tried == as_planned(recipe_for(made.config, "nnunet-plan"), space)
    assert tried.model.network.depth == 2  # 24 pixels: halved three times they would be under four


def test_a_study_stays_a_plain_optuna_study(store: Store, created: Created, tmp_path: Path) -> None:
    study = optuna.load_study(study_name="tiny", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    assert study.user_attrs["space_digest"] == created.config.space_digest


def test_a_larger_target_is_taken_over(store: Store, created: Created, wish: Callable[..., Wish]) -> None:
    again = create(store, wish(trials=9))
    assert not again.new
    assert open_study(store, "tiny", Path(store.artifacts_url).parent).config == replace(created.config, trials=9)
