"""Facts of the homework's data, trials to sample with, and a space in which nothing is fixed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import optuna
import pytest

from spaces import DataFacts, Recipe, Space

optuna.logging.set_verbosity(optuna.logging.WARNING)

WIDE = """
model: {%s, generator: {%s}}
loss: {low: {use: [true, false], dice: {excluded: [true, false]}}, dice: {excluded: [true, false]},
       inter: {use: [true, false], dice: {excluded: [true, false]}}}
class_weights: {regions: [true, false], factors: {sand: {low: 0, high: 1000}, big rock: {low: 0, high: 1000}}}
augment: {class_factors: {big rock: {low: 0, high: 3}}}
optimisation: {momentum: {low: 0.0, high: 0.99}, epochs: {low: 1, high: 2000}, patience: {low: 1, high: 2000},
               sgd_lr: {low: 0, high: 1}, clip: {low: 0, high: 100}, decayed: [kernels, all],
               ema: {low: 0, high: 0.9999}, kept: [best, last], fit_offset: [true, false]}
data: {cleaning: [none, mask, mahalanobis, mean]}
background: {use: [true, false]}
""" % (("widest: {low: 16, high: 1024}, kernel: [3, 5, 7], shrink: [1, 2, 4]",) * 2)


class Draws:
    """A trial without a study: uniform draws, and what was asked for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.params: dict[str, Any] = {}

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        return self._keep(name, self._random.randrange(low, high + 1, step))

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return self._keep(name, self._random.uniform(low, high))

    def suggest_categorical(self, name: str, choices: tuple[Any, ...]) -> Any:
        return self._keep(name, self._random.choice(choices))

    def _keep(self, name: str, value: Any) -> Any:
        assert name not in self.params, f"{name} was asked for twice"
        self.params[name] = value
        return value


@pytest.fixture(scope="session")
def mars() -> DataFacts:
    names = ("background", "soil", "bedrock", "sand", "big rock")
    return DataFacts(channels=1, height=64, width=128, class_names=names, excluded=("background",))


@pytest.fixture(scope="session")
def sample() -> Callable[[Space, int], tuple[Recipe, dict[str, Any]]]:
    """A recipe drawn at random from a space, and the parameters that were asked for."""

    def draw(space: Space, seed: int) -> tuple[Recipe, dict[str, Any]]:
        draws = Draws(seed)
        return space.suggest(draws, seed=seed), draws.params

    return draw


@pytest.fixture(scope="session")
def wide() -> str:
    """A space file that opens every axis that is closed unless a file opens it."""
    return WIDE
