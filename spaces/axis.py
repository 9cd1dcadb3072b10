"""An axis: the range of one field of the recipe, carried by its annotation beside type, default and help.

``depth: Annotated[int, integers(2, 6)] = 4`` says at once what pydantic accepts and what Optuna samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Axis:
    """The distribution of one field, and whether a search opens it unless a space file says otherwise.

    searched: False for fields that a study fixes (epochs, patience); a space file may still open them.
    reports: letters of the reports (A to E) that have this axis; "+" when none has it and users expect it.
    """

    distribution: BaseDistribution
    searched: bool = True
    reports: str = "+"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept what the field's type accepts and the distribution contains."""
        return core_schema.no_info_after_validator_function(self._within, handler(source))

    def _within(self, value: Scalar) -> Scalar:
        if not contains(self.distribution, value):
            raise PydanticCustomError("outside_axis", "is outside the axis")
        return value


@dataclass(frozen=True)
class Switch:
    """Whether an optional part is on (``.use``): the axis that `Axis` is for a field.

    searched: False for parts that stay as the recipe's default has them unless a space file opens them.
    reports: as for an axis.
    """

    searched: bool = True
    reports: str = "+"


def integers(
    low: int, high: int, *, step: int = 1, log: bool = False, searched: bool = True, reports: str = "+"
) -> Axis:
    """Whole numbers from low to high, both included."""
    _divisible(low, high, step)
    return Axis(IntDistribution(low, high, log=log, step=step), searched, reports)


def floats(low: float, high: float, *, log: bool = False, searched: bool = True, reports: str = "+") -> Axis:
    """Real numbers from low to high, both included."""
    return Axis(FloatDistribution(low, high, log=log), searched, reports)


def choice(*options: Scalar, searched: bool = True, reports: str = "+") -> Axis:
    """One of the options; a category has no order."""
    clash = {"no", "off", "on", "yes", "n", "y"} & {str(option) for option in options}
    if clash:
        raise ValueError(f"options {sorted(clash)} would be read as booleans in YAML 1.1")
    return Axis(CategoricalDistribution(options), searched, reports)


def contains(distribution: BaseDistribution, value: Scalar) -> bool:
    """Whether a value of the right type lies in the distribution (``True == 1``, so types are compared)."""
    if isinstance(distribution, CategoricalDistribution):
        return any(type(option) is type(value) and option == value for option in distribution.choices)
    if isinstance(value, (bool, str)) or (isinstance(distribution, IntDistribution) and not isinstance(value, int)):
        return False
    return distribution._contains(float(value))


def describe(distribution: BaseDistribution) -> str:
    """The distribution in the words of an error message: ``2 to 6``, ``one of plain, residual``."""
    if isinstance(distribution, CategoricalDistribution):
        return "one of " + ", ".join(_spelled(option) for option in distribution.choices)
    if not isinstance(distribution, (IntDistribution, FloatDistribution)):
        raise TypeError(f"no words for {distribution!r}")
    step = f" in steps of {distribution.step:g}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low:g} to {distribution.high:g}{step}"


def suggest(trial_suggest: Callable[..., Any], name: str, distribution: BaseDistribution) -> Any:
    """Call one of Optuna's ``suggest_*`` methods with the distribution's own arguments."""
    if isinstance(distribution, CategoricalDistribution):
        return trial_suggest(name, distribution.choices)
    if not isinstance(distribution, (IntDistribution, FloatDistribution)):
        raise TypeError(f"cannot suggest from {distribution!r}")
    return trial_suggest(name, distribution.low, distribution.high, step=distribution.step, log=distribution.log)


def _divisible(low: float, high: float, step: float) -> None:
    if (high - low) % step:
        raise ValueError(f"the range {low} to {high} must be divisible by its step {step}")


def _spelled(option: Any) -> str:
    return str(option).lower() if isinstance(option, bool) else str(option)
