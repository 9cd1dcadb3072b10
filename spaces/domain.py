"""A domain: what a study allows on one axis, and how a space file narrows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
)

from spaces.axis import Axis, Scalar, contains, describe
from spaces.errors import SpaceError


@dataclass(frozen=True)
class Fixed:
    """One value: the axis is not sampled."""

    value: Scalar

    def as_text(self) -> str:
        """Canonical text, the same for equal domains."""
        return f"fixed {self.value!r}"


@dataclass(frozen=True)
class Searched:
    """An axis that a trial samples."""

    distribution: BaseDistribution

    def as_text(self) -> str:
        """Canonical text, the same for equal domains."""
        return distribution_to_json(self.distribution)


@dataclass(frozen=True)
class Default:
    """The recipe's default, of an axis that no space file opens: never sampled, but an enqueued recipe may differ.

    value: None for a class that has no factor.
    distribution: what an enqueued recipe may have.
    """

    value: Scalar | None
    distribution: BaseDistribution

    def as_text(self) -> str:
        """Canonical text, the same for equal domains."""
        return f"default {self.value!r} {distribution_to_json(self.distribution)}"


@dataclass(frozen=True)
class Unavailable(Default):
    """An axis that a study is older than: it has the default of the part it stands in, whichever family's that is."""


Domain = Fixed | Searched | Default


def is_off(use: Domain) -> bool:
    """Whether the optional part of this ``.use`` is off in every trial that a study samples."""
    return not isinstance(use, Searched) and use.value is False


def narrow(path: str, axis: Axis, number: type[int] | type[float] | None, spec: Any) -> Domain:
    """The domain a space file asks for on one axis.

    spec: a value (fixes the axis), a list of values, or a mapping with low, high and optionally log and step.
    Raises SpaceError, naming path and what is allowed, for anything outside the axis.
    """
    if isinstance(spec, dict):
        return _range(path, axis, spec)
    if isinstance(spec, list):
        return _options(path, axis, number, spec)
    return Fixed(_checked(path, axis, number, spec))


def _checked(path: str, axis: Axis, number: type[int] | type[float] | None, spec: Any) -> Scalar:
    value = float(spec) if number is float and isinstance(spec, int) and not isinstance(spec, bool) else spec
    # YAML reads 1e2 as a float; where whole numbers are wanted, a whole float is one.
    value = int(value) if number is int and isinstance(value, float) and value.is_integer() else value
    if not isinstance(value, (bool, int, float, str)) or not contains(axis.distribution, value):
        raise SpaceError(f"{path}: {spec!r} is outside the axis, allowed is {describe(axis.distribution)}")
    return value


def _options(path: str, axis: Axis, number: type[int] | type[float] | None, spec: Sequence[Any]) -> Domain:
    values = [_checked(path, axis, number, value) for value in spec]
    if not values or len(set(values)) != len(values):
        raise SpaceError(f"{path}: a list of different values was expected, got {list(spec)!r}")
    if len(values) == 1:
        return Fixed(values[0])
    whole = [value for value in values if number is int and isinstance(value, int)]
    steps = {b - a for a, b in pairwise(whole)}
    if len(steps) == 1 and min(steps) > 0:  # an arithmetic progression stays a number: the sampler knows its order
        return Searched(IntDistribution(whole[0], whole[-1], step=steps.pop()))
    return Searched(CategoricalDistribution(values))


def _range(path: str, axis: Axis, spec: dict[str, Any]) -> Domain:
    whole = axis.distribution
    if not isinstance(whole, (IntDistribution, FloatDistribution)):
        raise SpaceError(f"{path}: has no range, give one value or a list out of {describe(whole)}")
    unknown = set(spec) - {"low", "high", "log", "step"}
    if unknown or not {"low", "high"} <= set(spec):
        raise SpaceError(f"{path}: a range has low, high and optionally log and step, got {sorted(spec)}")
    number = int if isinstance(whole, IntDistribution) else float
    low, high = (_checked(path, axis, number, spec[end]) for end in ("low", "high"))
    log = spec.get("log", False)
    step = spec.get("step", whole.step if isinstance(whole, IntDistribution) else None)
    return _distribution(path, number, float(low), float(high), log, step)


def _distribution(path: str, number: type, low: float, high: float, log: Any, step: Any) -> Domain:
    if low >= high:
        raise SpaceError(f"{path}: low must be under high, got low {low:g} and high {high:g}")
    if not isinstance(log, bool) or isinstance(step, bool) or not (step is None or isinstance(step, (int, float))):
        raise SpaceError(f"{path}: log is true or false and step a number, got log {log!r} and step {step!r}")
    if log and (low <= 0 or step not in (None, 1)):
        raise SpaceError(f"{path}: a log range starts above 0 and has no step, got low {low:g} and step {step}")
    if step is not None and (step <= 0 or abs((high - low) / step - round((high - low) / step)) > 1e-9):
        raise SpaceError(f"{path}: the range {low:g} to {high:g} must be divisible by its step, got {step:g}")
    if number is int:
        if step is not None and step != int(step):
            raise SpaceError(f"{path}: the step of whole numbers is a whole number, got {step:g}")
        return Searched(IntDistribution(int(low), int(high), log=log, step=int(step or 1)))
    return Searched(FloatDistribution(low, high, log=log, step=step))


def nearest(domain: Domain, value: float) -> float:
    """The number of the domain that is closest to the value, or the value itself where there is none."""
    match domain:
        case Fixed(value=int() | float() as only):
            return only
        case Searched(distribution=FloatDistribution(low=low, high=high, step=None)):
            return min(max(value, low), high)
        case Searched():
            numbers = [float(option) for option in options("", domain) if isinstance(option, (int, float))]
            return min(numbers, key=lambda number: abs(number - value), default=value)
    return value


def options(path: str, domain: Domain) -> tuple[Scalar | None, ...]:
    """All values of a domain, for a grid. Raises SpaceError when there is no end of them."""
    if not isinstance(domain, Searched):
        return (domain.value,)
    match domain.distribution:
        case CategoricalDistribution(choices=choices):
            return tuple(c for c in choices if isinstance(c, (bool, int, float, str)))
        case IntDistribution(low=low, high=high, step=step):
            return tuple(range(low, high + 1, step))
        case FloatDistribution(low=low, high=high, step=float(step)):
            return tuple(round(low + i * step, 12) for i in range(round((high - low) / step) + 1))
    raise SpaceError(f"{path}: a grid needs finitely many values; give a list or a step, or choose another sampler")
