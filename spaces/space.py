"""The space of one study: the recipe's type bound to the facts of the data and narrowed by a YAML file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from optuna.distributions import BaseDistribution

from spaces.axis import Scalar, contains, describe, suggest
from spaces.domain import Domain, Fixed, Searched, options
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe import Part, Recipe
from spaces.tree import Leaf, Optional, PerClass, Section, children

Choose = Callable[[str, Domain], Scalar]


class Suggests(Protocol):
    """The part of an Optuna trial that a space needs."""

    @property
    def suggest_int(self) -> Callable[..., int]: ...  # noqa: D102
    @property
    def suggest_float(self) -> Callable[..., float]: ...  # noqa: D102
    @property
    def suggest_categorical(self) -> Callable[..., Any]: ...  # noqa: D102


@dataclass(frozen=True)
class Space:
    """What a study may try.

    facts: the data set's.
    domains: for each dotted name (``model.depth``, ``loss.dice.use``) one value or a distribution.
    """

    facts: DataFacts
    domains: Mapping[str, Domain]

    def suggest(self, trial: Suggests, seed: int = 0) -> Recipe:
        """Sample a recipe, asking the trial only for the parameters that this recipe has."""

        def ask(path: str, domain: Domain) -> Scalar:
            if isinstance(domain, Fixed):
                return domain.value
            method = _method(trial, domain.distribution)
            value: Scalar = suggest(method, path, domain.distribution)
            return value

        return Recipe.model_validate(self._assemble(ask) | {"seed": seed})

    def params(self, recipe: Recipe) -> dict[str, Scalar]:
        """The parameters with which `suggest` would give this recipe (the seed aside).

        Raises SpaceError, naming the dotted path, when the recipe lies outside this space.
        """
        found: dict[str, Scalar] = {}

        def read(path: str, domain: Domain) -> Scalar:
            value = _value_at(recipe, path)
            if isinstance(domain, Fixed):
                if type(value) is not type(domain.value) or value != domain.value:
                    raise SpaceError(f"{path}: the recipe has {value!r}, this study fixes it to {domain.value!r}")
            elif not contains(domain.distribution, value):
                allowed = describe(domain.distribution)
                raise SpaceError(f"{path}: the recipe has {value!r}, this study allows {allowed}")
            else:
                found[path] = value
            return value

        self._assemble(read)
        self._check_factors(recipe)
        return found

    def recipe(self, params: Mapping[str, Scalar], seed: int = 0) -> Recipe:
        """The recipe that these parameters stand for: the inverse of `params`."""

        def look_up(path: str, domain: Domain) -> Scalar:
            if isinstance(domain, Fixed):
                return domain.value
            if path not in params:
                raise SpaceError(f"{path}: the parameters have no value for it")
            return params[path]

        return Recipe.model_validate(self._assemble(look_up) | {"seed": seed})

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Every point of the space once, in a fixed order.

        Raises SpaceError at once when an axis has no end of values.
        """
        off = tuple(p.removesuffix("use") for p, d in self.domains.items() if p.endswith(".use") and d == Fixed(False))
        for path, domain in self.domains.items():
            if not path.startswith(off):
                options(path, domain)
        return self._points()

    @property
    def searched(self) -> dict[str, BaseDistribution]:
        """The distributions of all axes that are sampled."""
        return {path: d.distribution for path, d in self.domains.items() if isinstance(d, Searched)}

    @property
    def digest(self) -> str:
        """A fingerprint (sha256, hexadecimal) of facts and domains: studies only mix equal ones."""
        domains = {path: domain.as_text() for path, domain in sorted(self.domains.items())}
        text = json.dumps([self.facts.model_dump(mode="json"), domains], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _points(self) -> Iterator[dict[str, Scalar]]:
        # An odometer over define-by-run choices: replay the prefix, turn the last wheel that still can.
        wheels: list[int] = []
        while True:
            sizes: list[int] = []
            point: dict[str, Scalar] = {}

            def turn(path: str, domain: Domain, sizes: list[int] = sizes, point: dict[str, Scalar] = point) -> Scalar:
                values = options(path, domain)
                if isinstance(domain, Fixed):
                    return domain.value
                if len(sizes) == len(wheels):
                    wheels.append(0)
                point[path] = values[wheels[len(sizes)]]
                sizes.append(len(values))
                return point[path]

            self._assemble(turn)
            yield point
            while wheels and wheels[-1] + 1 == sizes[len(wheels) - 1]:
                wheels.pop()
            if not wheels:
                return
            wheels[-1] += 1

    def _assemble(self, choose: Choose) -> dict[str, Any]:
        return self._part(Recipe, "", choose)

    def _part(self, part: type[Part], prefix: str, choose: Choose) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lone = part.needs_one
        for name, node in children(part):
            path = f"{prefix}{name}"
            match node:
                case Leaf():
                    values[name] = choose(path, self.domains[path])
                case Section():
                    values[name] = self._section(node, path, choose)
                case Optional():
                    forced = lone and not self._later_on(part, path, prefix)
                    values[name] = self._optional(node, path, choose, forced)
                    lone = lone and values[name] is None
                case PerClass():
                    values[name] = {
                        label: choose(f"{path}.{label}", self.domains[f"{path}.{label}"])
                        for label in self.facts.class_names
                        if f"{path}.{label}" in self.domains
                    }
        return values

    def _section(self, node: Section, path: str, choose: Choose) -> dict[str, Any]:
        if not node.discriminator:
            return self._part(node.options[""], f"{path}.", choose)
        named = f"{path}.{node.discriminator}"
        option = str(choose(named, self.domains[named]))
        return {node.discriminator: option} | self._part(node.options[option], f"{path}.", choose)

    def _optional(self, node: Optional, path: str, choose: Choose, forced: bool) -> dict[str, Any] | None:
        used = choose(f"{path}.use", Fixed(True) if forced else self.domains[f"{path}.use"])
        return self._part(node.part, f"{path}.", choose) if used else None

    def _later_on(self, part: type[Part], path: str, prefix: str) -> bool:
        """Whether an optional part after this one can still be on."""
        paths = [f"{prefix}{name}" for name, node in children(part) if isinstance(node, Optional)]
        later = paths[paths.index(path) + 1 :]
        if not later and self.domains[f"{path}.use"] == Fixed(False):
            return True  # cannot be forced: `spaces.bind` has made sure that an earlier one is on
        return any(self.domains[f"{other}.use"] != Fixed(False) for other in later)

    def _check_factors(self, recipe: Recipe) -> None:
        for label, factor in recipe.class_weights.factors.items():
            if label not in self.facts.class_names:
                raise SpaceError(f"class_weights.factors.{label}: the data has {', '.join(self.facts.class_names)}")
            if f"class_weights.factors.{label}" not in self.domains and factor != 1.0:
                raise SpaceError(
                    f"class_weights.factors.{label}: the recipe has {factor!r}, this study fixes it to 1.0"
                )


def _method(trial: Suggests, distribution: BaseDistribution) -> Callable[..., Any]:
    kind = type(distribution).__name__
    return {
        "IntDistribution": trial.suggest_int,
        "FloatDistribution": trial.suggest_float,
        "CategoricalDistribution": trial.suggest_categorical,
    }[kind]


def _value_at(recipe: Recipe, path: str) -> Scalar:
    """The recipe's value under a dotted name; ``.use`` says whether the part is there, a missing factor is 1."""
    if path.startswith("class_weights.factors."):
        return recipe.class_weights.factors.get(path.removeprefix("class_weights.factors."), 1.0)
    value: Any = recipe
    *steps, last = path.split(".")
    for step in steps:
        value = getattr(value, step)
    if last == "use" and "use" not in type(recipe).model_fields and (value is None or isinstance(value, Part)):
        return value is not None
    found: Scalar = getattr(value, last)
    return found
