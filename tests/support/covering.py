"""A few random recipes that together have every option of every choice of some spaces."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import optuna
from optuna.distributions import CategoricalDistribution

from spaces import Recipe, Space

Option = tuple[str, Any]
TRIED, MOST = 8, 400


def options_of(space: Space) -> set[Option]:
    """Every option of every choice that the space samples, switches among them."""
    return {
        (path, option)
        for path, distribution in space.searched.items()
        if isinstance(distribution, CategoricalDistribution)
        for option in distribution.choices
    }


def covering_recipes(spaces: Iterable[Space]) -> tuple[list[Recipe], set[Option]]:
    """Recipes that together have every option of every choice of the spaces, one of each at least, and these options.

    Of some random ones always the one with the most that none before has. Raises AssertionError where an option is in
    none of many.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recipes: list[Recipe] = []
    had: set[Option] = set()
    for space in spaces:
        wanted, seeds, found = options_of(space), iter(range(MOST)), 0
        while (missing := wanted - had) or not found:
            drawn = [_draw(space, seed) for seed in islice(seeds, TRIED)]
            assert drawn, f"no recipe of {MOST} has one of {missing}"
            recipe, options = max(drawn, key=lambda draw: len(draw[1] & missing))
            if options & missing or not found:
                found += 1
                recipes.append(recipe)
                had |= options & wanted
    return recipes, had


def _draw(space: Space, seed: int) -> tuple[Recipe, set[Option]]:
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed)).ask()
    recipe = space.suggest(trial, seed=seed)
    return recipe, set(trial.params.items())
