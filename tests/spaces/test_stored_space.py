"""A study keeps the space it was created with, whatever axes come later."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from spaces import (
    DataFacts,
    Recipe,
    Space,
    SpaceError,
    bind,
    dump_domains,
    load_preset,
    load_recipe,
    load_space,
    same_mapping,
)
from spaces.domain import Searched
from spaces.recipe import Background

Sample = Callable[[Space, int], tuple[Recipe, dict[str, Any]]]

NARROW = """
model: {depth: [2, 3, 4], filters: {low: 8, high: 32, log: true}, block: [residual, plain], upsampling: bilinear}
loss: {dice: null, focal: {use: [true, false], gamma: 2}}
class_weights: {factors: {%s: {low: 0.5, high: 4}}}
optimisation: {schedule: [cosine, one_cycle], lr: {low: 1e-4, high: 1e-2, log: true}, momentum: {low: 0.8, high: 0.9}}
"""
FACTS = {
    "mars": DataFacts(
        channels=1, height=64, width=128, class_names=("background", "a.b", "c"), excluded=("background",)
    ),
    "rgb": DataFacts(channels=3, height=32, width=32, class_names=("a", "b")),
}
# Of each kind of axis one that could have come later: number, choice, switch, part with all that is in it, factor
# per class, family.
LATER = [
    "augment.contrast",
    "model.skip",
    "augment.flip_vertical",
    "augment.geometry",
    "augment.class_factors",
    "background",
    "model.family",
]


SPACES = {
    **{f"{name}-whole": bind(facts, epochs=7) for name, facts in FACTS.items()},
    **{f"{name}-narrow": bind(facts, NARROW % facts.class_names[-1]) for name, facts in FACTS.items()},
}
every_space = pytest.mark.parametrize("space", list(SPACES.values()), ids=SPACES)


def without(space: Space, later: str) -> Space:
    """The space as it was before that axis came."""
    known = {path: d for path, d in space.domains.items() if path != later and not path.startswith(f"{later}.")}
    assert len(known) < len(space.domains)
    return Space(space.facts, known)


@every_space
def test_a_stored_space_is_read_as_it_was(space: Space) -> None:
    again = load_space(space.facts, dump_domains(space))
    assert again == space
    assert again.digest == space.digest


@pytest.mark.parametrize("later", LATER)
@every_space
def test_an_axis_that_comes_later_is_at_its_default_and_not_sampled(space: Space, later: str, sample: Sample) -> None:
    before = without(space, later)
    again = load_space(space.facts, dump_domains(before))
    assert {path: again.domains[path] for path in before.domains} == before.domains
    assert set(again.domains) == set(space.domains)
    assert not [path for path in again.searched if path == later or path.startswith(f"{later}.")]
    assert again.searched == {
        path: d for path, d in space.searched.items() if path in before.domains and path in again.searched
    }
    assert (again.digest, dump_domains(again)) == (before.digest, dump_domains(before))
    for seed in range(5):
        recipe, params = sample(again, seed)
        assert set(params) <= set(before.domains)
        assert again.recipe(params, seed) == recipe
        assert again.params(recipe) == params


def test_an_axis_that_comes_later_has_the_default_of_the_family_that_was_drawn(sample: Sample) -> None:
    space = bind(FACTS["mars"])
    again = load_space(space.facts, dump_domains(without(space, "model.upsampling")))
    drawn = {recipe.model.family: recipe.model for recipe, _ in (sample(again, seed) for seed in range(60))}
    assert (drawn["unet"].upsampling, drawn["unetpp"].upsampling) == ("transposed", "bilinear")  # type: ignore[union-attr]


def test_an_enqueued_recipe_may_have_what_came_later() -> None:
    space = bind(FACTS["mars"], epochs=30)
    again = load_space(space.facts, dump_domains(without(space, "model.skip")))
    recipe = load_preset("baseline")
    gated = recipe.model_copy(update={"model": recipe.model.model_copy(update={"skip": "attention_gate"})})
    assert again.params(gated) == again.params(recipe) | {"model.skip": "attention_gate"}
    assert again.recipe(again.params(gated)) == gated


@pytest.mark.parametrize(
    "change",
    [
        {"model.depth": {"among": {"name": "IntDistribution", "attributes": {"low": 2, "high": 9}}}},
        {"model.block": {"value": "of the past"}},
        {"model.gone": {"value": 3}},
    ],
)
def test_an_axis_that_is_gone_is_one_sentence(change: dict[str, Any]) -> None:
    stored = json.loads(dump_domains(bind(FACTS["mars"]))) | change
    if "among" in next(iter(change.values())):
        stored["model.depth"]["among"]["attributes"] |= {"log": False, "step": 1}
    with pytest.raises(SpaceError, match=f"cannot search {re.escape(next(iter(change)))} as it was: go on with the"):
        load_space(FACTS["mars"], json.dumps(stored))


def test_a_new_option_of_a_known_axis_is_not_sampled() -> None:
    space = bind(FACTS["mars"], "augment: {mixing: {use: [true, false], method: [copy_paste, cutmix]}}")
    stored = json.loads(dump_domains(space))
    stored["model.block"]["among"]["attributes"]["choices"].remove("dense")
    again = load_space(FACTS["mars"], json.dumps(stored)).domains["model.block"]
    assert isinstance(again, Searched)
    assert "dense" not in again.distribution.choices  # type: ignore[attr-defined]


def test_comments_and_order_make_no_other_space_file() -> None:
    assert same_mapping("a: 1 # one\nb: {c: true}", "b:\n  c: true\na: 1")
    assert not same_mapping("a: 1", "a: true")
    assert not same_mapping("a: 1", "a: 1.0")


def test_a_field_that_comes_later_leaves_the_identity_of_a_recipe(sample: Sample) -> None:
    recipes = [sample(bind(FACTS["mars"]), seed)[0] for seed in range(100)]
    before = [recipe.non_defaults() for recipe in recipes]
    assert len({json.dumps(told, sort_keys=True) for told in before}) == len(recipes)

    class Later(Recipe):
        later: float = 0.5
        part: Background | None = None

    def with_later(recipe: Recipe, **later: Any) -> Recipe:
        return Later.model_validate(recipe.model_dump() | later)

    assert [with_later(recipe).non_defaults() for recipe in recipes] == before
    assert with_later(recipes[0], later=0.25).non_defaults() == before[0] | {"later": 0.25}
    assert with_later(recipes[0], part={}).non_defaults() == before[0] | {"part": {}}


@pytest.mark.parametrize("family", ["unet", "wnet", "deeplab", "pix2pix"])
def test_a_family_at_its_defaults_is_told_from_the_others(family: str) -> None:
    recipe = load_recipe(f"model: {{family: {family}}}")
    assert recipe.non_defaults() == ({} if family == "unet" else {"model": {"family": family}})
