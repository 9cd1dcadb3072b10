"""The example spaces bind to the data they are for, and every recipe they give stays small."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from spaces.bind import bind
from spaces.facts import DataFacts
from storage.data.synthetic import class_names

EXAMPLES = Path(__file__).parents[1] / "examples"
FACTS = {
    "mars": DataFacts(channels=1, height=64, width=128, class_names=class_names(5), excluded=("background",)),
    "rgb": DataFacts(channels=3, height=256, width=256, class_names=class_names(3), excluded=("background",)),
    "small": DataFacts(channels=1, height=64, width=128, class_names=class_names(5), excluded=("background",)),
}


def test_every_example_space_is_tested():
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_example_space(name):
    space = bind(FACTS[name], (EXAMPLES / f"{name}.yaml").read_text(), epochs=6, name=f"{name}.yaml")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(30):
        recipe = space.suggest(study.ask())
        assert recipe.optimisation.epochs == 6
        assert recipe.model.filters <= 16
        assert recipe.model.depth <= 4


@pytest.mark.parametrize("name", FACTS)
def test_the_readme_names_the_space(name):
    assert f"--space examples/{name}.yaml" in (EXAMPLES / "README.md").read_text()
