"""A proposal of a sampler that is not a trial yet, so that it can be looked at before it becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partialmethod
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from spaces.axis import contains


class Candidate:
    """A proposal that is not a trial: its parameters come from the sampler as Optuna's trial would get them.

    params, distributions: by name, of what was asked for so far. chosen: parameters that go before the sampler's.
    """

    def __init__(
        self, sampler: BaseSampler, study: optuna.Study, trial: FrozenTrial, chosen: Mapping[str, Any] | None = None
    ) -> None:
        self._sampler, self._study, self._trial = sampler, study, trial
        space = sampler.infer_relative_search_space(study, trial) if chosen is None else {}
        self._relative = chosen or sampler.sample_relative(study, trial, space)
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def _draw(self, kind: Callable[..., BaseDistribution], name: str, *values: Any, **options: Any) -> Any:
        if name not in self.params:
            distribution = kind(*values, **options)
            value: Any = self._relative.get(name)
            if name not in self._relative or not contains(distribution, value):
                value = self._sampler.sample_independent(self._study, self._trial, name, distribution)
            self.params[name], self.distributions[name] = value, distribution
        return self.params[name]

    suggest_int = partialmethod(_draw, IntDistribution)
    suggest_float = partialmethod(_draw, FloatDistribution)
    suggest_categorical = partialmethod(_draw, CategoricalDistribution)
