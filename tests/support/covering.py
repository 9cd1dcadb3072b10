"""A few random recipes that together have every option of every choice of some spaces."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
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
    """Draws at random, of a choice only among the options that no recipe has had, while there are any."""

    def __init__(self, had: set[Option], seed: int) -> None:
        super().__init__(seed)
        self._had = had

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A value of the parameter."""
        if isinstance(param_distribution, CategoricalDistribution):
            new = [option for option in param_distribution.choices if (param_name, option) not in self._had]
            param_distribution = CategoricalDistribution(new or param_distribution.choices)
        return super().sample_independent(study, trial, param_name, param_distribution)


def options_of(space: Space) -> set[Option]:
    """Every option of every choice that the space samples, switches among them."""
    return {
        (path, option)
        for path, distribution in space.searched.items()
        if isinstance(distribution, CategoricalDistribution)
        for option in distribution.choices
    }


def covering_recipes(spaces: Iterable[Space], known: str) -> tuple[list[Recipe], set[Option]]:
    """Recipes that together have every option of every choice of the spaces, some of each at least, and these options.

    known: how the names of choices begin that are met elsewhere, under other names. Raises AssertionError where an
    option is in none of many.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recipes: list[Recipe] = []
    had: set[Option] = set()
    for space in spaces:
        wanted = {(path, option) for path, option in options_of(space) if not path.startswith(known)}
        seeds, found = count(), 0
        while (missing := wanted - had) or found < LEAST:
            seed = next(seeds)
            assert seed < MOST, f"no recipe of {MOST} has one of {missing}"
            trial = optuna.create_study(sampler=NewFirst(had, seed)).ask()
            recipe = space.suggest(trial, seed=seed)
            options = set(trial.params.items())
            if options & missing or not missing:
                found += 1
                recipes.append(recipe)
                had |= options & wanted
    return recipes, had
