"""The side of crops: planned from size and memory, an axis where images are large or mixed, nothing where small."""

from __future__ import annotations

import hashlib
import json

import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from spaces import DataFacts, Recipe, adapt, bind, dump_domains, load_preset, load_recipe, load_space
from spaces.crops import crop_side, offered_sides, planned_side, seen
from spaces.domain import Default, Fixed, Searched


def facts(height: int, width: int, mixed: bool = False) -> DataFacts:
    return DataFacts(channels=3, height=height, width=width, class_names=("sky", "soil", "rock"), mixed=mixed)


@pytest.mark.parametrize(
    ("known", "batch", "side"),
    [
        (facts(256, 256), 32, 0),
        (facts(64, 128), 256, 0),
        (facts(100, 600), 32, 0),
        (facts(257, 256), 32, 256),
        (facts(64, 128, mixed=True), 32, 64),
        (facts(400, 300, mixed=True), 32, 256),
        (facts(1000, 1500), 4, 256),
        (facts(1000, 1500), 64, 160),
        (facts(1000, 1500), 256, 64),
        (facts(9, 12, mixed=True), 256, 32),
    ],
)
def test_the_planned_side(known: DataFacts, batch: int, side: int) -> None:
    assert planned_side(known, batch) == side
    recipe = load_recipe(f"optimisation: {{batch_size: {batch}}}")
    assert crop_side(recipe, known) == side
    shown = seen(recipe, known)
    assert (shown.height, shown.width) == ((side, side) if side else (known.height, known.width))
    assert batch * side**2 <= 32 * 256**2


def test_an_asked_side_is_taken() -> None:
    assert crop_side(load_recipe("data: {crop: 96}"), facts(1000, 1500)) == 96
    assert crop_side(load_recipe("data: {crop: 96}"), facts(64, 128)) == 96


@pytest.mark.parametrize("name", ["standard", "cpu", "whole"])
def test_a_space_offers_sides_that_fit_the_images(name: str) -> None:
    def domain(known: DataFacts) -> object:
        return bind(known, f"base: {name}").domains["data.crop"]

    assert domain(facts(64, 128)) == Fixed(0)
    assert domain(facts(1000, 1500)) == Searched(CategoricalDistribution((0, 128, 512)))
    assert domain(facts(300, 300)) == Searched(CategoricalDistribution((0, 128, 320)))
    assert domain(facts(48, 64, mixed=True)) == Searched(CategoricalDistribution((0, 32)))
    assert domain(facts(20, 20, mixed=True)) == Fixed(0)
    assert offered_sides(facts(64, 128)) == (0,)


def test_a_space_file_has_its_own_sides() -> None:
    large = facts(1000, 1500)
    asked = bind(large, "base: cpu\ndata: {crop: [96, 224, 128]}").domains["data.crop"]
    assert asked == Searched(CategoricalDistribution([96, 224, 128]))
    assert bind(large, "base: cpu\ndata: {crop: 64}").domains["data.crop"] == Fixed(64)
    assert isinstance(bind(large, "rest: default").domains["data.crop"], Default)
    space = bind(large, "base: cpu")
    assert load_space(large, dump_domains(space)).digest == space.digest


def test_presets_fit_a_space_on_large_images() -> None:
    space = bind(facts(1000, 1500), "base: whole")
    for name, side in (("baseline", 160), ("nnunet-plan", 256)):  # batches of 64 and of 4
        planned = load_preset(name, facts(1000, 1500), 40)
        assert crop_side(planned, facts(1000, 1500)) == side
        assert space.params(adapt(planned, space.facts))["data.crop"] == 0


def test_nothing_changes_where_images_are_small_and_equal() -> None:
    """The facts as JSON and what a sampler draws are those from before there were crops."""
    names = ("background", "soil", "bedrock", "sand", "big rock")
    known = DataFacts(channels=1, height=32, width=48, class_names=names, excluded=("background",))
    assert known.model_dump_json() == (
        '{"channels":1,"height":32,"width":48,"class_names":["background","soil","bedrock","sand","big rock"],'
        '"excluded":["background"]}'
    )
    assert DataFacts.model_validate_json(known.model_dump_json()) == known
    assert json.loads(facts(9, 9, mixed=True).model_dump_json())["mixed"] is True
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    found = {}
    for name in ("standard", "cpu"):
        trial = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1)).ask()
        recipe = bind(known, f"base: {name}", epochs=3).suggest(trial, seed=5)
        assert "data" not in recipe.non_defaults() or "crop" not in recipe.non_defaults()["data"]
        found[name] = hashlib.sha256(json.dumps(trial.params, sort_keys=True).encode()).hexdigest()[:12]
    assert found == {"standard": "6caaa187ec0d", "cpu": "a9c902f45f4d"}
    assert Recipe().non_defaults() == load_recipe("data: {crop: 0}").non_defaults()
