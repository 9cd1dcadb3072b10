"""A space samples recipes, takes them apart again, and enumerates itself."""

from __future__ import annotations

import itertools

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import DataFacts, Recipe, Space, SpaceError, bind, dump_recipe, load_preset, load_recipe, preset_names

NARROW = """
model: {family: unet, depth: [3, 4], filters: {low: 8, high: 32, log: true}}
loss: {dice: null, cross_entropy: {weight: 1.0}}
class_weights: {factors: {big rock: {low: 1, high: 20, log: true}}}
optimisation: {optimizer: adamw, lr: {low: 1e-4, high: 1e-2, log: true}}
"""
FINITE = """
model: {depth: [2, 3], filters: 8, growth: 2, block: plain, norm: [batch, none], activation: relu, dropout: 0,
        upsampling: nearest}
loss:
  cross_entropy: {use: [true, false], weight: 1}
  dice: {use: [true, false], weight: 1}
  focal: {use: [true, false], weight: 1, gamma: {low: 1, high: 3, step: 1}}
  ignore_excluded: true
class_weights: {scheme: none, smoothing: 0.5, background: 1}
augment: {flip_horizontal: true, flip_vertical: false, noise: 0, blur: 0}
optimisation: {optimizer: adamw, lr: 1e-3, weight_decay: 1e-4, schedule: none, batch_size: 32}
"""


def sampled(space: Space, seed: int) -> tuple[Recipe, dict[str, object]]:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    return space.suggest(trial, seed=seed), dict(trial.params)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), text=st.sampled_from(["", NARROW]))
def test_a_recipe_and_its_parameters_stand_for_each_other(seed: int, text: str) -> None:
    names = ("background", "soil", "bedrock", "sand", "big rock")
    facts = DataFacts(channels=1, height=64, width=128, class_names=names, excluded=("background",))
    space = bind(facts, text)
    recipe, params = sampled(space, seed)
    assert space.params(recipe) == params
    assert space.recipe(params, seed) == recipe
    assert load_recipe(dump_recipe(recipe)) == recipe


def test_sampling_reaches_every_option_of_every_categorical_axis(mars: DataFacts) -> None:
    space = bind(mars)
    seen: dict[str, set[object]] = {}
    for seed in range(150):
        for path, value in sampled(space, seed)[1].items():
            seen.setdefault(path, set()).add(value)
    for path, distribution in space.searched.items():
        if isinstance(distribution, optuna.distributions.CategoricalDistribution):
            assert seen[path] == set(distribution.choices), path


def test_at_least_one_loss_term_is_always_on(mars: DataFacts) -> None:
    for seed in range(60):
        loss = sampled(bind(mars), seed)[0].loss
        assert [loss.cross_entropy, loss.dice, loss.focal] != [None, None, None]


def test_a_fixed_axis_is_not_sampled(mars: DataFacts) -> None:
    recipe, params = sampled(bind(mars, NARROW, epochs=7), 3)
    assert recipe.optimisation.epochs == 7
    assert recipe.optimisation.optimizer == "adamw"
    assert recipe.loss.dice is None
    assert not {"optimisation.optimizer", "optimisation.epochs", "loss.dice.use", "loss.cross_entropy.use"} & set(
        params
    )


def test_a_list_of_equidistant_numbers_stays_a_number(mars: DataFacts) -> None:
    assert bind(mars, NARROW).searched["model.depth"] == optuna.distributions.IntDistribution(3, 4)
    assert bind(mars, "model: {depth: [2, 3, 6]}").searched["model.depth"] == (
        optuna.distributions.CategoricalDistribution([2, 3, 6])
    )


def test_a_grid_has_every_point_once(mars: DataFacts) -> None:
    space = bind(mars, FINITE)
    points = list(space.grid())
    # loss: each non-empty subset of three terms; focal comes with three gammas
    subsets = [s for s in itertools.product((0, 1), repeat=3) if any(s)]
    expected = 2 * 2 * sum(3 if focal else 1 for _, _, focal in subsets)
    assert len(points) == expected
    assert len({space.recipe(point).model_dump_json() for point in points}) == expected
    assert all(space.params(space.recipe(point)) == point for point in points)


def test_a_grid_over_a_real_axis_is_refused_naming_it(mars: DataFacts) -> None:
    with pytest.raises(SpaceError, match=r"model\.growth: a grid needs finitely many values"):
        bind(mars).grid()


def test_without_an_excluded_class_its_axes_are_closed() -> None:
    facts = DataFacts(channels=3, height=32, width=32, class_names=("a", "b", "c"))
    searched = bind(facts).searched
    assert "loss.ignore_excluded" not in searched
    assert "class_weights.background" not in searched


def test_explicit_weights_are_sampled_only_when_every_class_has_one(mars: DataFacts) -> None:
    assert bind(mars).searched["class_weights.scheme"].choices == ("none", "inverse_frequency")  # type: ignore[attr-defined]
    factors = ", ".join(f"{name}: {k}" for k, name in enumerate(mars.class_names))
    space = bind(mars, f"class_weights: {{scheme: explicit, factors: {{{factors}}}}}")
    assert sampled(space, 0)[0].class_weights.factors == {name: float(k) for k, name in enumerate(mars.class_names)}


def test_the_digest_tells_spaces_apart_and_nothing_else(mars: DataFacts) -> None:
    assert bind(mars, NARROW).digest == bind(mars, NARROW + "\n# a comment\n").digest
    others = [bind(mars), bind(mars, NARROW, epochs=9), bind(mars, NARROW.replace("1e-4", "2e-4"))]
    other_data = DataFacts(channels=3, height=64, width=128, class_names=mars.class_names, excluded=mars.excluded)
    digests = {space.digest for space in [bind(mars, NARROW), *others, bind(other_data, NARROW)]}
    assert len(digests) == 5


def test_a_recipe_outside_is_refused_naming_the_axis(mars: DataFacts) -> None:
    space = bind(mars, NARROW)
    with pytest.raises(SpaceError, match=r"model\.depth: the recipe has 2, this study allows 3 to 4"):
        space.params(load_recipe("model: {depth: 2}"))
    with pytest.raises(SpaceError, match=r"loss\.dice\.use: the recipe has True, this study fixes it to False"):
        space.params(load_recipe("loss: {dice: {weight: 1.0}}"))
    with pytest.raises(SpaceError, match=r"factors\.moon: the data has background"):
        space.params(load_recipe("class_weights: {factors: {moon: 2.0}}"))


def test_every_preset_is_a_point_of_the_whole_space(mars: DataFacts) -> None:
    assert {"baseline", "report-c-unet", "report-d-unet"} <= set(preset_names())
    for name in preset_names():
        recipe = load_preset(name)
        space = bind(mars, epochs=recipe.optimisation.epochs)
        assert space.recipe(space.params(recipe)).model == recipe.model


def test_every_axis_has_a_help_text() -> None:
    recipe = Recipe()
    sections = [getattr(recipe, name) for name in ("model", "loss", "class_weights", "augment", "optimisation", "data")]
    for section in sections:
        missing = [n for n, f in type(section).model_fields.items() if not f.description and n != "family"]
        assert missing == []
