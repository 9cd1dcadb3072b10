"""A study that is older than an axis keeps the space it was created with."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from optuna.distributions import IntDistribution

from spaces import DataFacts, Recipe, Space, SpaceError, bind, load_preset
from spaces.domain import Fixed, Searched
from spaces.history import (
    VOCABULARIES,
    _in_words_of,
    known_domains,
    read_domains,
    readable,
    recall,
    same_text,
    write_domains,
)

Sample = Callable[[Space, int], tuple[Recipe, dict[str, Any]]]

TEXTS = {
    "silent": "",
    "narrow": """
model: {depth: [2, 3, 4], filters: {low: 8, high: 32, log: true}, block: [residual, plain], upsampling: bilinear}
loss: {dice: null, focal: {use: [true, false], gamma: 2}}
optimisation: {schedule: [cosine, one_cycle], lr: {low: 1e-4, high: 1e-2, log: true}, momentum: {low: 0.8, high: 0.9}}
""",
    "family": """
model: {family: unet, kernel: [3, 5]}
class_weights: {scheme: inverse_frequency, smoothing: 0.5}
data: {cleaning: none}
""",
    "factors": "class_weights: {factors: {%s}}",
}
# As the versions of that time gave them, for 7 epochs: 791e80b, 54cae89 and 20cf0a3 of our history.
DIGESTS = {
    "mars": {
        "silent": ("72af9de41ec8", "a5865c700b77", "c84ef83e6a9f"),
        "narrow": ("de0369eec81a", "eb62d7a22ec8", "60d960fd644d"),
        "family": ("b475c525715f", "59a5027c9662", "f94e934318d1"),
        "factors": ("768d5d53a132", "ab36b831c5e5", "b628e55c3329"),
    },
    "rgb": {
        "silent": ("b2cb6fef62a4", "28511502dab9", "a81dcb9859a5"),
        "narrow": ("7c400f4a1660", "a9c9185f0ecd", "100a9ad6a2af"),
        "family": ("4264aea7e1a6", "c118c8657638", "17a52def395a"),
        "factors": ("b4c3d1947fc8", "31af32a6ecd9", "c330552ac4ca"),
    },
}
FULL = {  # of whole spaces without a file
    "first": "72af9de41ec846b30f6cd0f8c403b7304b6dcb0b024e09aba0283ad54bec424c",
    "second": "a5865c700b7775d494bb6ee2087f9d24ba8bcf5e821365be57b62b26342fa78a",
}


@pytest.fixture(scope="module")
def data(mars: DataFacts) -> dict[str, DataFacts]:
    return {"mars": mars, "rgb": DataFacts(channels=3, height=32, width=32, class_names=("a", "b"))}


def _text(name: str, facts: DataFacts) -> str:
    return TEXTS[name].replace("%s", ", ".join(f"{label}: {{low: 0.5, high: 4}}" for label in facts.class_names))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("which", ["mars", "rgb"])
def test_a_space_file_means_what_it_meant_when_the_study_was_created(
    data: dict[str, DataFacts], which: str, name: str
) -> None:
    facts = data[which]
    space = bind(facts, _text(name, facts), epochs=7)
    second, first = (Space(facts, _in_words_of(words, space.domains)).digest[:12] for words in VOCABULARIES)
    assert (first, second, space.digest[:12]) == DIGESTS[which][name]


def test_whoever_changes_the_axes_keeps_the_words_of_today(mars: DataFacts) -> None:
    """Domains of studies that no host has opened since are found by these words only.

    When this fails, add a `Vocabulary` with the axes of before to `spaces/history.py`, and what new ones stood at
    to `_before` where that is not their default.
    """
    assert bind(mars, epochs=7).digest[:12] == DIGESTS["mars"]["silent"][2]


@pytest.mark.parametrize("generation", FULL)
def test_an_older_study_samples_what_it_knew_and_nothing_else(mars: DataFacts, sample: Sample, generation: str) -> None:
    space = recall(mars, "", epochs=7, digest=FULL[generation])
    known = known_domains(mars, "", epochs=7, digest=FULL[generation])
    for seed in range(50):
        recipe, params = sample(space, seed)
        assert set(params) <= {path for path, domain in known.items() if isinstance(domain, Searched)}
        assert recipe.model.family == "unet"
        assert recipe.model.bottleneck == recipe.model.block
        assert recipe.model.widest == (512 if generation == "second" else 1024)
        assert (recipe.loss.bce, recipe.loss.mae, recipe.augment.geometry, recipe.background) == (None,) * 4
        assert recipe.optimisation.schedule != "poly"
        assert recipe.class_weights.scheme in ("none", "inverse_frequency")
        assert space.recipe(params, seed) == recipe
        assert space.params(recipe) == params


def test_what_is_written_down_is_read_again(mars: DataFacts, wide: str) -> None:
    for text in ("", wide, TEXTS["narrow"]):
        space = bind(mars, text)
        assert read_domains(write_domains(space.domains)) == space.domains


def test_a_study_written_down_outlives_an_axis_that_comes_and_options_that_come(mars: DataFacts) -> None:
    space = bind(mars, TEXTS["narrow"], epochs=7)
    then = {path: domain for path, domain in space.domains.items() if path != "augment.contrast"}
    digest = Space(mars, then).digest
    again = recall(mars, TEXTS["narrow"], epochs=7, digest=digest, domains=write_domains(then))
    assert "augment.contrast" not in again.searched
    assert {p: again.domains[p] for p in then} == then
    assert again.searched == {path: d for path, d in space.searched.items() if path != "augment.contrast"}


def test_a_recipe_with_what_a_study_is_older_than_is_for_enqueueing_only(mars: DataFacts) -> None:
    space = recall(mars, "", epochs=7, digest=FULL["first"])
    recipe = load_preset("baseline")
    plan = recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update={"epochs": 7})})
    params = space.params(plan)
    assert "model.bottleneck" not in params
    with pytest.raises(SpaceError, match=r"model\.family: .* this study fixes it to 'unet'"):
        space.params(load_preset("report-a-wnet"))


@pytest.mark.parametrize(
    "change",
    [
        {"model.depth": {"among": {"name": "IntDistribution", "attributes": {"low": 2, "high": 9}}}},
        {"model.block": {"value": "of the past"}},
        {"model.gone": {"value": 3}},
    ],
)
def test_an_axis_that_is_gone_is_one_sentence(mars: DataFacts, change: dict[str, Any]) -> None:
    told = json.loads(write_domains(bind(mars, epochs=7).domains)) | change
    if "among" in next(iter(change.values())):
        told["model.depth"]["among"]["attributes"] |= {"log": False, "step": 1}
    with pytest.raises(SpaceError, match=f"cannot search {re.escape(next(iter(change)))} as it was"):
        recall(mars, "", epochs=7, digest="0" * 64, domains=json.dumps(told))


def test_a_space_that_nobody_knows_is_one_sentence(mars: DataFacts) -> None:
    with pytest.raises(SpaceError, match=r"does not know the axes of its space \(000000000000\)"):
        recall(mars, "", epochs=7, digest="0" * 64)
    with pytest.raises(SpaceError, match="does not know the axes"):
        recall(mars, "model: {nonsense: 3}", epochs=7, digest="0" * 64)


def test_trials_of_a_space_that_cannot_be_searched_are_read_completely_or_not(mars: DataFacts, sample: Sample) -> None:
    whole = bind(mars, epochs=7)
    recipe, params = sample(whole, 3)
    unknown = readable(mars, "", epochs=7)
    assert unknown.recipe(params, 3) == recipe
    with pytest.raises(SpaceError, match=r"model\.gone: the parameters have a value for it"):
        unknown.recipe(params | {"model.gone": 3})
    with pytest.raises(SpaceError, match=r"model\.family: the parameters have no value for it"):
        unknown.recipe({path: value for path, value in params.items() if path != "model.family"})
    with pytest.raises(SpaceError, match="outside the axis"):
        unknown.recipe(params | {"model.depth": 77})
    told = write_domains(dict(whole.domains) | {"model.gone": Searched(IntDistribution(1, 2))})
    assert readable(mars, "", epochs=7, domains=told).recipe(params, 3) == recipe
    told = write_domains(dict(whole.domains) | {"model.gone": Fixed(3)})
    with pytest.raises(SpaceError, match=r"this version of marsearch has no model\.gone"):
        readable(mars, "", epochs=7, domains=told)


def test_comments_and_order_make_no_other_space_file() -> None:
    assert same_text("a: 1 # one\nb: {c: true}", "b:\n  c: true\na: 1")
    assert not same_text("a: 1", "a: true")
    assert not same_text("a: 1", "a: 1.0")
