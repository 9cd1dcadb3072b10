"""What the trials of a study have in common: their search space and their attributes, kept up to date as they end."""

from __future__ import annotations

import numbers
from collections.abc import Iterable

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

Axis = tuple[str, BaseDistribution]


class Axes:
    """Grows with every trial that is added, and never forgets one; failed trials say nothing of the space."""

    def __init__(self) -> None:
        self._union: dict[tuple[object, ...], Axis] = {}
        self._common: set[str] | None = None
        self._seen: set[tuple[str, int]] = set()
        self._kept: list[BaseDistribution] = []  # an id means something only while its owner lives
        self._attributes: dict[str, bool] = {}
        self.has_curves = False

    @property
    def union(self) -> list[Axis]:
        """Every axis that some trial has, by name; the widest range of each."""
        return sorted(self._union.values(), key=lambda axis: axis[0])

    @property
    def intersection(self) -> list[Axis]:
        """The axes that all trials have, by name."""
        common = self._common or set()
        return [axis for axis in self.union if axis[0] in common]

    @property
    def attributes(self) -> list[tuple[str, bool]]:
        """The user attributes and whether one can sort by them, which is when all values are numbers."""
        return list(self._attributes.items())

    def add(self, trials: Iterable[FrozenTrial]) -> None:
        """Take these trials in; the same one again changes nothing."""
        for trial in trials:
            for name, value in trial.user_attrs.items():
                sortable = isinstance(value, numbers.Real) and not isinstance(value, bool)
                self._attributes[name] = self._attributes.get(name, True) and sortable
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                names = set(trial.distributions)
                self._common = names if self._common is None else self._common & names
            if trial.state is not TrialState.FAIL:
                self.has_curves |= bool(trial.intermediate_values)
                self._add_space(trial)

    def _add_space(self, trial: FrozenTrial) -> None:
        for name, distribution in trial.distributions.items():
            if (name, id(distribution)) not in self._seen:
                self._seen.add((name, id(distribution)))
                self._kept.append(distribution)
                kind = _kind(name, distribution)
                known = self._union.get(kind)
                self._union[kind] = (name, distribution if known is None else _wider(known[1], distribution))


def _kind(name: str, distribution: BaseDistribution) -> tuple[object, ...]:
    """Distributions of the same kind are one axis."""
    if isinstance(distribution, FloatDistribution | IntDistribution):
        return name, type(distribution), distribution.step, distribution.log
    return name, type(distribution)


def _wider(one: BaseDistribution, other: BaseDistribution) -> BaseDistribution:
    if isinstance(one, CategoricalDistribution) and isinstance(other, CategoricalDistribution):
        return CategoricalDistribution(one.choices + tuple(c for c in other.choices if c not in one.choices))
    if isinstance(one, FloatDistribution) and isinstance(other, FloatDistribution):
        low, high = min(one.low, other.low), max(one.high, other.high)
        return FloatDistribution(low, high, step=one.step, log=one.log)
    if isinstance(one, IntDistribution) and isinstance(other, IntDistribution):
        low, high = min(one.low, other.low), max(one.high, other.high)
        return IntDistribution(low, high, step=one.step, log=one.log)
    return one
