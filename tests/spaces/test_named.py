"""The spaces with a name, and what a space file may do with one: closed spaces, bases, enqueued recipes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spaces import NAMED, DataFacts, Recipe, Space, SpaceError, bind, dump_domains, load_recipe, load_space
from spaces.catalogue import Row, catalogue
from spaces.domain import Default, Fixed, Searched
from spaces.named import named_text
from spaces.tree import Section, walk
from spaces.yaml_text import load_mapping
from support.examples import examples

Sample = Callable[[Space, int], tuple[Recipe, dict[str, Any]]]

PAGE = (Path(__file__).parents[2] / "docs" / "spaces.md").read_text()
SMALL = "rest: default\nmodel: {depth: [3, 4]}\nloss: {dice: {use: [true, false], weight: 0.5}}\n"
ELSEWHERE = """
model: {family: unetpp, depth: 4, upsampling: bilinear, activation: gelu, kernel: 5}
loss: {cross_entropy: null, tversky: {weight: 0.3}, low: {bce: {}}, ignore_excluded: false}
augment: {geometry: {elastic: 3.0, probability: 0.4}, noise: 0.1}
background: {depth: 2}
optimisation: {sgd_lr: 0.1, ema: 0.999, kept: last, fit_offset: true}
"""


def classes(count: int, excluded: int) -> DataFacts:
    names = tuple(f"class {number}" for number in range(count))
    return DataFacts(channels=3, height=40, width=50, class_names=names, excluded=names[:excluded])


def rows(space: Space) -> dict[str, Row]:
    return {row.path: row for chapter in catalogue(space) for row in chapter.rows}


# The spaces with a name


@settings(max_examples=examples(60), deadline=None)
@given(
    name=st.sampled_from(NAMED),
    count=st.sampled_from([2, 3, 7, 255]),
    excluded=st.integers(0, 1),
    strict=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_space_with_a_name_is_one_of_any_data(
    sample: Sample, name: str, count: int, excluded: int, strict: bool, seed: int
) -> None:
    space = bind(classes(count, excluded), f"base: {name}", epochs=9, strict=strict)
    recipe, params = sample(space, seed)
    assert space.params(recipe) == params
    assert load_space(space.facts, dump_domains(space)).recipe(params, seed) == recipe
    assert recipe.optimisation.epochs == 9


def test_the_whole_space_is_that_of_an_empty_file(mars: DataFacts) -> None:
    assert bind(mars, "base: whole").domains == bind(mars, "").domains
    assert bind(mars, "base: whole\nmodel: {depth: 3}").domains == bind(mars, "model: {depth: 3}").domains


@pytest.mark.parametrize("name", NAMED)
def test_a_space_with_a_name_stands_alone(name: str) -> None:
    assert "base" not in load_mapping(named_text(name), name)


def test_the_small_spaces_name_what_they_search_and_nothing_else(mars: DataFacts) -> None:
    for name in ("standard", "cpu"):
        space = bind(mars, f"base: {name}")
        sections = load_mapping(named_text(name), name)
        named = [path for path, domain in space.domains.items() if not isinstance(domain, Default)]
        for path in named:
            section, field = path.split(".")[:2]
            assert field in sections[section], path
        assert 20 <= len(space.searched) <= 40 < len(bind(mars).searched)


def table(title: str) -> dict[str, str]:
    """The first two cells of the page's table under a heading: axis and range."""
    section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section, f"docs/spaces.md has no section '## {title}'"
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section[1], re.MULTILINE))


def test_the_page_has_every_axis_of_the_default_space_with_its_range(mars: DataFacts) -> None:
    space = bind(mars, "base: standard")
    shown = rows(space)
    assert table("standard") == {path: shown[path].range for path in space.searched}


def test_the_page_has_every_axis_on_which_the_space_for_cpus_differs(mars: DataFacts) -> None:
    standard, cpu = (bind(mars, f"base: {name}") for name in ("standard", "cpu"))
    shown = rows(cpu)
    other = [path for path, domain in cpu.domains.items() if domain.as_text() != standard.domains[path].as_text()]
    assert table("cpu") == {path: shown[path].range for path in other if path in shown}


# Closed spaces


def test_a_closed_space_samples_what_it_names_and_nothing_else(mars: DataFacts, sample: Sample) -> None:
    space = bind(mars, SMALL)
    assert set(space.searched) == {"model.depth", "loss.dice.use"}
    for seed in range(20):
        recipe, params = sample(space, seed)
        assert set(params) == {"model.depth", "loss.dice.use"}
        plain = {"model": recipe.model.network.depth, "dice": recipe.loss.dice is not None}
        dice = "dice: {weight: 0.5}" if plain["dice"] else ""
        assert recipe == load_recipe(f"model: {{depth: {plain['model']}}}\nloss: {{{dice}}}\nseed: {seed}")


def test_the_rest_may_be_searched_in_words(mars: DataFacts) -> None:
    assert bind(mars, SMALL.replace("default", "searched")).domains == bind(mars, SMALL.partition("\n")[2]).domains


def test_a_grid_over_a_closed_space_has_its_few_points(mars: DataFacts) -> None:
    points = list(bind(mars, SMALL).grid())
    assert len(points) == 4
    assert {frozenset(point) for point in points} == {frozenset({"model.depth", "loss.dice.use"})}


@pytest.mark.parametrize("text", ["base: standard", SMALL])
def test_an_enqueued_recipe_may_be_another_where_a_closed_space_says_nothing(mars: DataFacts, text: str) -> None:
    recipe, space = load_recipe(ELSEWHERE), bind(mars, text, epochs=30)
    for known in (space, load_space(mars, dump_domains(space))):
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0, n_startup_trials=2, group=True))
        study.enqueue_trial(known.params(recipe))
        trial = study.ask()
        assert known.suggest(trial) == recipe
        assert known.recipe(trial.params) == recipe
        study.tell(trial, 0.5)
        for _ in range(5):
            trial = study.ask()
            sampled = known.suggest(trial)
            assert (sampled.model.family, sampled.model.network.activation) == ("unet", "relu")
            assert (sampled.loss.tversky, sampled.background, sampled.loss.low) == (None, None, None)
            assert set(trial.params) <= set(space.searched)
            study.tell(trial, 0.5)


def test_what_a_closed_space_names_binds_enqueued_recipes(mars: DataFacts) -> None:
    with pytest.raises(SpaceError, match=r"model\.depth: the recipe has 2, this study allows 3 to 4$"):
        bind(mars, SMALL).params(load_recipe("model: {family: wnet, depth: 2}"))
    with pytest.raises(SpaceError, match=r"model\.family: the recipe has 'wnet', this study fixes it to 'unet'"):
        bind(mars, "rest: default\nmodel: {family: unet}").params(load_recipe("model: {family: wnet}"))


@pytest.mark.parametrize("term", ["bce", "boundary", "mae", "tversky"])
def test_an_enqueued_recipe_may_have_no_other_term_than_one_that_is_off(mars: DataFacts, term: str) -> None:
    """Without it, the last term that a study may have on would be on in this recipe, too."""
    recipe = load_recipe(
        f"loss: {{cross_entropy: null, {term}: {{}}}}\n"
        "optimisation: {sgd_lr: 0.1, ema: 0.999, kept: last, fit_offset: true}"
    )
    space = bind(mars, "base: standard")
    assert space.recipe(space.params(recipe)) == recipe
    study = optuna.create_study()
    study.enqueue_trial(space.params(recipe))
    assert space.suggest(study.ask()) == recipe


def test_a_closed_space_without_the_usual_term_has_another_one(mars: DataFacts, sample: Sample) -> None:
    either = "dice: {use: [true, false]}, tversky: {use: [true, false]}"
    space = bind(mars, f"rest: default\nloss: {{cross_entropy: null, {either}}}")
    losses = [sample(space, seed)[0].loss for seed in range(30)]
    seen = {(loss.dice is not None, loss.tversky is not None) for loss in losses}
    assert seen == {(True, True), (True, False), (False, True)}
    with pytest.raises(SpaceError, match="at least one of cross_entropy"):
        bind(mars, "rest: default\nloss: {cross_entropy: null}")


def test_the_families_of_a_closed_space_are_at_the_defaults_of_the_first(mars: DataFacts) -> None:
    for path, node in walk():
        if isinstance(node, Section) and node.discriminator:
            assert next(iter(node.options)) == node.default, path
    upsampling = {
        text: bind(mars, f"rest: default\n{text}").domains["model.upsampling"]
        for text in ("", "model: {family: [unet, unetpp]}", "model: {family: [unetpp, unet]}")
    }
    values = [domain.value for domain in upsampling.values() if isinstance(domain, Default)]
    assert values == ["transposed", "transposed", "bilinear"]


def test_excluded_pixels_are_trained_on_where_the_score_has_them(mars: DataFacts) -> None:
    def excluded(text: str, *, strict: bool) -> object:
        return bind(mars, text, strict=strict).domains["loss.ignore_excluded"]

    for text in ("base: standard", SMALL):
        for strict in (False, True):
            domain = excluded(text, strict=strict)
            assert isinstance(domain, Default)
            assert domain.value is not strict
    named = SMALL.replace("loss: {", "loss: {ignore_excluded: true, ")
    assert excluded(named, strict=True) == Fixed(True)
    assert isinstance(excluded("", strict=True), Searched)


# A base


def test_a_file_builds_on_a_space_with_a_name(mars: DataFacts) -> None:
    text = """
base: standard
model: {depth: 4, activation: [relu, elu]}
augment: {mixing: {probability: 0.3}, geometry: null}
optimisation: {lr: {low: 1e-3, high: 2e-3}, weight_decay: {high: 1e-3}, ema: 0.99}
"""
    base, own = bind(mars, "base: standard"), bind(mars, text)
    changed = {path for path in base.domains if base.domains[path] != own.domains[path]}
    assert changed == {
        "model.depth",
        "model.activation",
        "augment.mixing.probability",
        "optimisation.lr",
        "optimisation.weight_decay",
        "optimisation.ema",
        *(f"augment.geometry.{field}" for field in ("use", "probability", "zoom", "rotation")),
    }
    assert own.domains["augment.mixing.use"] == base.domains["augment.mixing.use"]
    assert own.domains["augment.geometry.use"] == Fixed(False)
    assert own.searched["optimisation.lr"] == optuna.distributions.FloatDistribution(1e-3, 2e-3)  # log is not inherited
    assert own.searched["optimisation.weight_decay"] == optuna.distributions.FloatDistribution(1e-5, 1e-3, log=True)


def test_a_file_may_open_the_rest_of_its_base(mars: DataFacts) -> None:
    opened, whole = bind(mars, "base: standard\nrest: searched"), bind(mars)
    standard = bind(mars, "base: standard")
    assert {path: opened.domains[path] for path in standard.searched} == {
        path: standard.domains[path] for path in standard.searched
    }
    assert "model.activation" in opened.searched
    assert opened.searched["model.activation"] == whole.searched["model.activation"]
