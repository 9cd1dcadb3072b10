"""Samplers that were compared with ours and are not the default: TPE alone on a part, and two that know a prior.

The prior is the middle of each axis (of its logarithm where it has one), the first option of a choice: all that a space
says of itself; or, on the axes that it has, a recipe that somebody made. Proposals around it and around the best trial
take our own steps (`search.studies.near_best`), which are narrower than the papers'.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from search.studies.near_best import NearBestSampler, near, neighbour
from storage.trials.queries import best_seen

FADES = 10.0  # beta of piBO (arXiv 2204.11051): after so many trials half of the proposals are the model's own
WIDTH = 0.25  # PriorBand's deviation, as a share of the axis, by which it weighs its sources (arXiv 2306.12370)

Params = Mapping[str, Any]
Space = Mapping[str, BaseDistribution]


class PartTPE(NearBestSampler):
    """Our sampler without the changes of the best trial: TPE over a bounded part of the history."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> Any:
        return self._tpe.sample_relative(self._learnt(study, trial), trial, search_space)


def middle(axis: BaseDistribution) -> Any:
    """The prior's value."""
    if isinstance(axis, CategoricalDistribution):
        return axis.choices[0]
    assert isinstance(axis, (IntDistribution, FloatDistribution))
    found = math.sqrt(axis.low * axis.high) if axis.log else (axis.low + axis.high) / 2
    return round(found) if isinstance(axis, IntDistribution) else found


class _WithPrior(BaseSampler):
    """Whole recipes from one of several sources; axes that a source does not know are drawn at random."""

    def __init__(self, seed: int, recipe: Params | None = None) -> None:
        self._random = np.random.default_rng(seed)
        self._uniform = RandomSampler(seed=seed)
        self._recipe = recipe or {}
        self._prior = False

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self._prior:
            return near(param_distribution, self._at(param_name, param_distribution), self._random)
        return self._uniform.sample_independent(study, trial, param_name, param_distribution)

    def _at(self, name: str, axis: BaseDistribution) -> Any:
        """The prior's value on the axis."""
        return self._recipe.get(name, middle(axis))


class FadingPrior(_WithPrior):
    """TPE and, in the manner of piBO, recipes around the prior with a share that falls as FADES / (FADES + trials)."""

    def __init__(self, seed: int, recipe: Params | None = None) -> None:
        super().__init__(seed, recipe)
        self._tpe = TPESampler(n_startup_trials=10, multivariate=True, group=True, constant_liar=True, seed=seed)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        self._prior = self._random.random() < FADES / (FADES + trial.number)
        return {} if self._prior else self._tpe.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {} if self._prior else self._tpe.sample_relative(study, trial, search_space)


class PriorBand(_WithPrior):
    """Random, prior or best trial (arXiv 2306.12370, section 5), the last two as the best third speak for them.

    A random recipe has the chance 1 / (1 + eta^rung), here with the first rung that prunes. The rest is shared by how
    likely each source makes the best trials.
    """

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        self._prior = False
        seen = study.get_trials(deepcopy=False)
        best = best_seen(seen, max(1, len(seen) // 3))
        if self._random.random() < 1 / (1 + 3):
            return {}
        if len(best) < 3:
            self._prior = True
            return {}
        known = best[0].distributions
        prior = {name: self._at(name, axis) for name, axis in known.items()}
        scores = [sum(_likely(other.params, at, known) for other in best) for at in (prior, best[0].params)]
        if self._random.random() < scores[0] / sum(scores):
            self._prior = True
            return {}
        return neighbour(best[0], (), self._random)


def _likely(params: Params, at: Params, axes: Space) -> float:
    """How likely a normal step of WIDTH around `at` brings these parameters, up to a constant; choices as in near."""
    logs: list[float] = []
    for name, axis in axes.items():
        if name in params and isinstance(axis, (IntDistribution, FloatDistribution)):
            low, high = (math.log(end) if axis.log else end for end in (axis.low, axis.high))
            values: Sequence[float] = [math.log(v[name]) if axis.log else v[name] for v in (params, at)]
            logs.append(-0.5 * ((values[0] - values[1]) / ((high - low) * WIDTH)) ** 2)
    return math.exp(sum(logs) / max(1, len(logs)))
