"""A few random recipes that together have every option of every choice of some spaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial

from spaces import Recipe, Space

Option = tuple[str, Any]
MOST = 400
LEAST = 3  # recipes of each space


class NewFirst(RandomSampler):
    """Draws at random, of a choice only among the options that no recipe has had, while there are any.

    plain: switches of which both states were had are off, for a small recipe.
    """

    def __init__(self, had: set[Option], seed: int, plain: bool) -> None:
        super().__init__(seed)
        self._had, self._plain = had, plain

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value of the parameter."""
        if isinstance(param_distribution, CategoricalDistribution):
            options = param_distribution.choices
            new = [option for option in options if (param_name, option) not in self._had]
            if self._plain and not new and param_name.endswith(".use"):
                return False
            param_distribution = CategoricalDistribution(new or options)
        return super().sample_independent(study, trial, param_name, param_distribution)


def options_of(space: Space) -> set[Option]:
    """Every option of every choice that the space samples, switches among them."""
    return {
        (path, option)
        for path, distribution in space.searched.items()
        if isinstance(distribution, CategoricalDistribution)
        for option in distribution.choices
    }


def covering_recipes(spaces: Sequence[Space], known: str) -> tuple[list[Recipe], set[Option]]:
    """Recipes that together have every option of every choice of the spaces, some of each at least, and these options.

    known: how the names of choices begin that are met elsewhere, under other names. Raises AssertionError where an
    option is in none of many.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = [{(path, option) for path, option in options_of(space) if not path.startswith(known)} for space in spaces]
    recipes: list[Recipe] = []
    had: set[Option] = set()
    for space, options in zip(spaces, wanted, strict=True):  # what all spaces have is spread over these
        for seed in range(LEAST):
            recipe, drawn = _drawn(space, had, seed, plain=False)
            recipes.append(recipe)
            had |= drawn & options
    for space, options in zip(spaces, wanted, strict=True):
        seeds = iter(range(LEAST, MOST))
        while missing := options - had:
            seed = next(seeds, None)
            assert seed is not None, f"no recipe of {MOST} has one of {missing}"
            recipe, drawn = _drawn(space, had, seed, plain=True)
            if drawn & missing:
                recipes.append(recipe)
                had |= drawn & options
    return recipes, had


def _drawn(space: Space, had: set[Option], seed: int, *, plain: bool) -> tuple[Recipe, set[Option]]:
    """A random recipe with options that no recipe has had, where it can, and its options."""
    trial = optuna.create_study(sampler=NewFirst(had, seed, plain)).ask()
    return space.suggest(trial, seed=seed), set(trial.params.items())
