"""A space samples recipes, takes them apart again, and enumerates itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution

from spaces import DataFacts, Recipe, Space, SpaceError, bind, dump_recipe, load_recipe
from spaces.domain import Default
from spaces.recipe.loss import Terms
from spaces.tree import Leaf, Optional, PerClass, walk
from support.examples import examples
from support.spaces import fixed_space

Sample = Callable[[Space, int], tuple[Recipe, dict[str, Any]]]

FAMILIES = ("unet", "unetpp", "unet3plus", "wnet", "dual_unet", "deeplab", "marsseg", "pix2pix")
NARROW = """
model: {family: unet, depth: [3, 4], filters: {low: 8, high: 32, log: true}}
loss: {dice: null, cross_entropy: {weight: 1.0}}
class_weights: {factors: {big rock: {low: 1, high: 20, log: true}}}
optimisation: {optimizer: adamw, lr: {low: 1e-4, high: 1e-2, log: true}}
"""
FINITE = """
loss:
  cross_entropy: {use: [true, false]}
  dice: {use: [true, false], weight: 1, average: per_class}
  focal: {use: [true, false], weight: 1, gamma: {low: 1, high: 3, step: 1}}
"""
PIX2PIX = """model: {family: pix2pix, generator: {family: [unet, wnet], depth: 3}}"""


@settings(max_examples=examples(100), deadline=None)
@given(seed=st.integers(0, 2**31 - 1), which=st.sampled_from(["whole", "wide", "narrow", "pix2pix"]))
def test_a_recipe_and_its_parameters_stand_for_each_other(
    mars: DataFacts, wide: str, sample: Sample, seed: int, which: str
) -> None:
    space = bind(mars, {"whole": "", "wide": wide, "narrow": NARROW, "pix2pix": PIX2PIX}[which])
    recipe, params = sample(space, seed)
    assert space.params(recipe) == params
    assert space.recipe(params, seed) == recipe
    assert load_recipe(dump_recipe(recipe)) == recipe


@pytest.mark.parametrize("family", FAMILIES)
def test_a_recipe_of_each_family_survives_being_taken_apart(
    mars: DataFacts, wide: str, sample: Sample, family: str
) -> None:
    lines = [line for line in wide.splitlines() if not line.startswith("model:")]
    space = bind(mars, "\n".join([f"model: {{family: {family}}}", *lines]))
    for seed in range(20):
        recipe, params = sample(space, seed)
        assert recipe.model.family == family
        assert space.recipe(space.params(recipe), seed) == recipe
        assert space.params(recipe) == params
        assert load_recipe(dump_recipe(recipe)) == recipe


@pytest.mark.parametrize("family", FAMILIES)
def test_sampling_reaches_every_option_of_every_categorical_axis(mars: DataFacts, sample: Sample, family: str) -> None:
    generators = FAMILIES[:-1] if family == "pix2pix" else ("unet",)
    for generator in generators:
        inner = f", generator: {{family: {generator}}}" if family == "pix2pix" else ""
        space = bind(mars, f"model: {{family: {family}{inner}}}")
        seen: dict[str, set[object]] = {}
        for seed in range(120):
            for path, value in sample(space, seed)[1].items():
                seen.setdefault(path, set()).add(value)
        for path, distribution in space.searched.items():
            if isinstance(distribution, CategoricalDistribution):
                assert seen[path] == set(distribution.choices), path


def test_a_wide_space_leaves_nothing_closed(mars: DataFacts, wide: str) -> None:
    domains = bind(mars, wide).domains
    for path, node in walk():
        if isinstance(node, Leaf):
            assert not isinstance(domains[path], Default), path
        elif isinstance(node, Optional):
            assert not isinstance(domains[f"{path}.use"], Default), path


def test_at_least_one_term_is_always_on_at_every_level(mars: DataFacts, wide: str, sample: Sample) -> None:
    levels = 0
    for seed in range(150):
        loss = sample(bind(mars, wide), seed)[0].loss
        for level in (loss, loss.low, loss.inter):
            if level is not None:
                levels += 1
                assert any(getattr(level, term) is not None for term in Terms.needs_one)
    assert levels > 250


def test_the_last_term_that_can_be_on_is_on_without_being_asked_for(mars: DataFacts, sample: Sample) -> None:
    others = ", ".join(f"{term}: null" for term in Terms.needs_one if term not in ("dice", "tversky"))
    space = bind(mars, f"loss: {{{others}, low: {{{others}, dice: null}}}}")
    seen = set()
    for seed in range(40):
        recipe, params = sample(space, seed)
        assert recipe.loss.low is not None
        assert recipe.loss.low.tversky is not None
        assert "loss.low.tversky.use" not in params
        assert ("loss.tversky.use" in params) == (recipe.loss.dice is not None)
        seen.add((recipe.loss.dice is not None, recipe.loss.tversky is not None))
    assert seen == {(True, True), (True, False), (False, True)}


def test_a_fixed_axis_is_not_sampled(mars: DataFacts, sample: Sample) -> None:
    recipe, params = sample(bind(mars, NARROW, epochs=7), 3)
    assert recipe.optimisation.epochs == 7
    assert recipe.optimisation.optimizer == "adamw"
    assert recipe.loss.dice is None
    assert not {"optimisation.optimizer", "optimisation.epochs", "loss.dice.use", "loss.cross_entropy.use"} & set(
        params
    )


def test_a_part_that_stays_off_is_opened_by_a_file(mars: DataFacts, sample: Sample) -> None:
    closed = bind(mars)
    assert not any(path.startswith(("loss.low.", "loss.inter.", "background.")) for path in closed.searched)
    recipe, params = sample(bind(mars, "loss: {low: {dice: {weight: 0.5}}}"), 1)
    assert recipe.loss.low is not None
    assert recipe.loss.low.dice is not None
    assert recipe.loss.low.dice.weight == 0.5
    assert "loss.low.use" not in params
    assert "loss.low.focal.use" in params
    switched = [sample(bind(mars, "background: {use: [true, false]}"), seed)[0].background for seed in range(20)]
    assert {background is None for background in switched} == {True, False}


def test_the_share_of_a_level_is_sampled_only_beside_another_level(mars: DataFacts) -> None:
    assert "loss.level_weight" not in bind(mars).searched
    assert "loss.level_weight" in bind(mars, "loss: {inter: {use: [true, false]}}").searched


def test_the_generator_of_an_adversarial_family_is_narrowed_like_a_family(mars: DataFacts, sample: Sample) -> None:
    space = bind(mars, PIX2PIX)
    recipes = [sample(space, seed)[0] for seed in range(30)]
    assert {recipe.model.generator.family for recipe in recipes} == {"unet", "wnet"}  # type: ignore[union-attr]
    assert {recipe.model.network.depth for recipe in recipes} == {3}
    with pytest.raises(SpaceError, match=r"model\.generator\.family: the recipe has 'deeplab', this study allows one"):
        space.params(load_recipe("model: {family: pix2pix, generator: {family: deeplab}}"))


def test_whole_number_options_without_an_order_stay_options(mars: DataFacts) -> None:
    searched = bind(
        mars, "model: {family: deeplab, output_stride: [4, 8]}\noptimisation: {batch_size: [8, 16]}"
    ).searched
    assert searched["model.output_stride"] == CategoricalDistribution([4, 8])
    assert searched["optimisation.batch_size"] == CategoricalDistribution([8, 16])


def test_a_list_of_equidistant_numbers_stays_a_number(mars: DataFacts) -> None:
    assert bind(mars, NARROW).searched["model.depth"] == optuna.distributions.IntDistribution(3, 4)
    assert bind(mars, "model: {depth: [2, 3, 6]}").searched["model.depth"] == CategoricalDistribution([2, 3, 6])


def test_a_grid_has_every_point_once(mars: DataFacts) -> None:
    space = bind(mars, fixed_space(FINITE + "model: {depth: [2, 3], norm: [batch, none]}"))
    points = list(space.grid())
    # loss: each non-empty subset of three terms; focal comes with three gammas
    subsets = [s for s in itertools.product((0, 1), repeat=3) if any(s)]
    expected = 2 * 2 * sum(3 if focal else 1 for _, _, focal in subsets)
    assert len(points) == expected
    assert len({space.recipe(point).model_dump_json() for point in points}) == expected
    assert all(space.params(space.recipe(point)) == point for point in points)


def test_a_grid_goes_into_the_generator(mars: DataFacts) -> None:
    model = """
model:
  discriminator_layers: [1, 2]
  generator: {family: [unet, wnet], depth: [2, 3], second_bottleneck: [plain, dual], second_decoder_block: same}
"""
    text = FINITE.replace("use: [true, false]", "use: true") + model
    space = bind(mars, fixed_space(text, "model: {family: pix2pix}"))
    points = list(space.grid())
    # three gammas, two depths, two layers; one U-Net, or a WNet with two second bottlenecks
    assert len(points) == 3 * 2 * 2 * (1 + 2)
    assert len({space.recipe(point).model_dump_json() for point in points}) == len(points)


def test_a_grid_over_a_real_axis_is_refused_naming_it(mars: DataFacts) -> None:
    with pytest.raises(SpaceError, match=r"model\.growth: a grid needs finitely many values"):
        bind(mars).grid()


def test_without_an_excluded_class_its_axes_are_closed(sample: Sample) -> None:
    facts = DataFacts(channels=3, height=32, width=32, class_names=("a", "b", "c"))
    space = bind(facts)
    closed = {"loss.ignore_excluded", "class_weights.background", "background.use", "data.oversample.isolate"}
    assert not closed & set(space.searched)
    for seed in range(30):
        recipe, _ = sample(space, seed)
        assert not recipe.loss.ignore_excluded
        assert recipe.background is None
        assert recipe.data.oversample is None or not recipe.data.oversample.isolate
    with pytest.raises(SpaceError, match="no background to find"):
        bind(facts, "background: {depth: 3}")
    with pytest.raises(SpaceError, match=r"background\.use: the recipe has True, this study fixes it to False"):
        space.params(load_recipe("loss: {ignore_excluded: false}\nbackground: {depth: 3}"))


def test_explicit_weights_are_sampled_only_when_every_class_has_one(mars: DataFacts, sample: Sample) -> None:
    assert bind(mars).searched["class_weights.scheme"] == CategoricalDistribution(
        ("none", "inverse_frequency", "adaptive")
    )
    factors = ", ".join(f"{name}: {k}" for k, name in enumerate(mars.class_names))
    space = bind(mars, f"class_weights: {{scheme: explicit, factors: {{{factors}}}}}")
    assert sample(space, 0)[0].class_weights.factors == {name: float(k) for k, name in enumerate(mars.class_names)}


def test_every_dictionary_by_class_is_searched_where_a_file_names_a_class(sample: Sample) -> None:
    dotted = DataFacts(channels=1, height=64, width=64, class_names=("sky", "rock.big"), excluded=("sky",))
    for path, node in walk():
        if isinstance(node, PerClass):
            section, field = path.split(".")
            space = bind(dotted, f"{section}: {{{field}: {{rock.big: {{low: 0.5, high: 2.0}}}}}}")
            recipe, params = sample(space, 5)
            assert getattr(getattr(recipe, section), field) == {"rock.big": params[f"{path}.rock.big"]}
            assert space.params(recipe) == params
            # a class that is not named has the factor 1
            assert space.params(recipe.model_copy(update={section: type(getattr(recipe, section))()})) is not None


def test_the_digest_tells_spaces_apart_and_nothing_else(mars: DataFacts) -> None:
    assert bind(mars, NARROW).digest == bind(mars, NARROW + "\n# a comment\n").digest
    others = [bind(mars), bind(mars, NARROW, epochs=9), bind(mars, NARROW.replace("1e-4", "2e-4"))]
    kept = bind(mars, NARROW.replace("adamw,", "adamw, momentum: 0.9,"))  # a file's word is more than a default
    other_data = DataFacts(channels=3, height=64, width=128, class_names=mars.class_names, excluded=mars.excluded)
    digests = {space.digest for space in [bind(mars, NARROW), *others, kept, bind(other_data, NARROW)]}
    assert len(digests) == 6


def test_a_recipe_outside_is_refused_naming_the_axis(mars: DataFacts) -> None:
    space = bind(mars, NARROW)
    with pytest.raises(SpaceError, match=r"model\.depth: the recipe has 2, this study allows 3 to 4"):
        space.params(load_recipe("model: {depth: 2}"))
    with pytest.raises(SpaceError, match=r"loss\.dice\.use: the recipe has True, this study fixes it to False"):
        space.params(load_recipe("loss: {dice: {weight: 1.0}}"))
    for section, factors in (("class_weights", "factors"), ("augment", "class_factors")):
        with pytest.raises(SpaceError, match=rf"{section}\.{factors}\.moon: the data has background"):
            space.params(load_recipe(f"{section}: {{{factors}: {{moon: 2.0}}}}"))


CLOSED = """
loss: {low: {cross_entropy: null, dice: {weight: 0.5}, level_weight: 0.2}, level_weight: 0.4}
class_weights: {factors: {sand: 3.0, soil: 1.0}}
optimisation: {momentum: 0.99}
background: {depth: 2}
"""


def test_an_enqueued_recipe_may_leave_the_defaults_that_no_file_speaks_of(mars: DataFacts) -> None:
    recipe, space = load_recipe(CLOSED), bind(mars)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=2))
    study.enqueue_trial(space.params(recipe))
    trial = study.ask()
    assert space.suggest(trial) == recipe
    assert space.recipe(trial.params) == recipe
    study.tell(trial, 0.5)
    for _ in range(6):
        trial = study.ask()
        assert space.recipe(trial.params | space.params(space.suggest(trial))).optimisation.momentum == 0.9
        assert not {"loss.low.use", "optimisation.momentum", "class_weights.factors.sand"} & set(trial.params)
        study.tell(trial, 0.5)


@pytest.mark.parametrize("text", ["optimisation: {momentum: 0.9}", "background: null", "loss: {low: null}"])
def test_a_files_word_binds_an_enqueued_recipe_too(mars: DataFacts, text: str) -> None:
    with pytest.raises(SpaceError, match="this study fixes it to"):
        bind(mars, text).params(load_recipe(CLOSED))
