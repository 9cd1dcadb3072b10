"""The space of one study: the recipe's type bound to the facts of the data and narrowed by a YAML file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from optuna.distributions import BaseDistribution
from pydantic import ValidationError

from spaces.axis import Scalar, contains, describe, suggest
from spaces.domain import Default, Domain, Fixed, Searched, Unavailable, is_off, options
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe import Recipe
from spaces.recipe.part import Part
from spaces.tree import Leaf, Optional, PerClass, Section, children

Choose = Callable[[str, Domain], Scalar | None]


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
        """Sample a recipe, asking the trial only for the parameters that this recipe has.

        An axis that is kept at its default is asked for only when the trial was enqueued with a value for it.
        """
        # Optuna has no public word for what a trial was enqueued with; its minor version is pinned, and tested.
        enqueued = getattr(trial, "_fixed_params", {})

        def ask(path: str, domain: Domain) -> Scalar | None:
            if isinstance(domain, Fixed) or (isinstance(domain, Default) and path not in enqueued):
                return domain.value
            value: Scalar = suggest(_method(trial, domain.distribution), path, domain.distribution)
            return value

        return Recipe.model_validate(self._assemble(ask) | {"seed": seed})

    def params(self, recipe: Recipe) -> dict[str, Scalar]:
        """The parameters with which `suggest` would give this recipe (the seed aside).

        Raises SpaceError, naming the dotted path of each conflict, when the recipe lies outside this space.
        """
        found: dict[str, Scalar] = {}
        conflicts: list[str] = []

        def read(path: str, domain: Domain) -> Scalar | None:
            value = _value_at(recipe, path)
            if value is None and not isinstance(domain, Default):
                value = 1.0  # a class without a factor
            if isinstance(domain, Fixed):
                if type(value) is not type(domain.value) or value != domain.value:
                    conflicts.append(f"{path}: the recipe has {value!r}, this study fixes it to {domain.value!r}")
            elif value is None or (isinstance(domain, Default) and value == domain.value):
                return value
            elif not contains(domain.distribution, value):
                allowed = describe(domain.distribution)
                conflicts.append(f"{path}: the recipe has {value!r}, this study allows {allowed}")
            else:
                found[path] = value
            return value

        try:
            self._assemble(read)
        except KeyError:  # a family that the study leaves out has no axes here
            if not conflicts:
                raise
        if conflicts:
            raise SpaceError("; ".join(conflicts))
        self._check_classes(recipe)
        return found

    def recipe(self, params: Mapping[str, Scalar], seed: int = 0) -> Recipe:
        """The recipe that these parameters stand for: the inverse of `params`.

        Raises SpaceError when one is missing, is impossible, or means nothing in this space.
        """
        unread = set(params)

        def look_up(path: str, domain: Domain) -> Scalar | None:
            unread.discard(path)
            if isinstance(domain, Fixed):
                return domain.value
            if isinstance(domain, Default):
                return params.get(path, domain.value)
            if path not in params:
                raise SpaceError(f"{path}: the parameters have no value for it")
            return params[path]

        values = self._assemble(look_up) | {"seed": seed}
        if unread:
            raise SpaceError(f"{min(unread)}: the parameters have a value for it, this space has no use for one")
        try:
            return Recipe.model_validate(values)
        except ValidationError as error:
            fault = error.errors()[0]
            raise SpaceError(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error

    def used(self, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Those of the values that the recipe which they describe has; the others belong to parts that it has not.

        Raises SpaceError when one is missing.
        """
        found: dict[str, Scalar] = {}

        def look_up(path: str, domain: Domain) -> Scalar | None:
            if isinstance(domain, Fixed):
                return domain.value
            if path not in values:
                if isinstance(domain, Default):
                    return domain.value
                raise SpaceError(f"{path}: a value was expected")
            if not isinstance(domain, Default) or values[path] != domain.value:
                found[path] = values[path]
            return values[path]

        self._assemble(look_up)
        return found

    def grid(self) -> Iterator[dict[str, Scalar]]:
        """Every point of the space once, in a fixed order.

        Raises SpaceError at once when an axis has no end of values.
        """
        for path, domain in self._reachable().items():
            options(path, domain)
        return self._points()

    def size(self, most: int) -> int | None:
        """How many points the space has; None when these are more than so many, or when there is no end of them."""
        try:
            counted = sum(1 for _ in islice(self.grid(), most + 1))
        except SpaceError:
            return None
        return counted if counted <= most else None

    @property
    def searched(self) -> dict[str, BaseDistribution]:
        """The distributions of all axes that are sampled, those of parts that are off left out."""
        return {path: d.distribution for path, d in self._reachable().items() if isinstance(d, Searched)}

    @property
    def digest(self) -> str:
        """The sha256 (hexadecimal) of facts and domains, less those of axes that came after the study."""
        known = {path: domain for path, domain in self.domains.items() if not isinstance(domain, Unavailable)}
        domains = {path: domain.as_text() for path, domain in sorted(known.items())}
        text = json.dumps([self.facts.model_dump(mode="json"), domains], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _points(self) -> Iterator[dict[str, Scalar]]:
        # An odometer over define-by-run choices: replay the prefix, turn the last wheel that still can.
        wheels: list[int] = []
        while True:
            sizes: list[int] = []
            point: dict[str, Scalar] = {}

            def turn(
                path: str, domain: Domain, sizes: list[int] = sizes, point: dict[str, Scalar] = point
            ) -> Scalar | None:
                values = options(path, domain)
                if not isinstance(domain, Searched):
                    return domain.value
                if len(sizes) == len(wheels):
                    wheels.append(0)
                value = values[wheels[len(sizes)]]
                sizes.append(len(values))
                if value is not None:
                    point[path] = value
                return value

            self._assemble(turn)
            yield point
            while wheels and wheels[-1] + 1 == sizes[len(wheels) - 1]:
                wheels.pop()
            if not wheels:
                return
            wheels[-1] += 1

    def _reachable(self) -> dict[str, Domain]:
        """The domains of the parts that can be on."""
        off = tuple(path.removesuffix("use") for path, use in self.domains.items() if _closes(path, use))
        return {path: domain for path, domain in self.domains.items() if not path.startswith(off)}

    def _assemble(self, choose: Choose) -> dict[str, Any]:
        return self._part(Recipe, "", choose)

    def _part(self, part: type[Part], prefix: str, choose: Choose) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, node in children(part):
            path = f"{prefix}{name}"
            match node:
                case Leaf():
                    values[name] = choose(path, _resolved(self.domains[path], node))
                case Section():
                    values[name] = self._section(node, path, choose)
                case Optional():
                    last = self._is_last_hope(part, name, prefix, values, choose)
                    use = Fixed(True) if last else self.domains[f"{path}.use"]
                    values[name] = self._part(node.part, f"{path}.", choose) if choose(f"{path}.use", use) else None
                case PerClass():
                    paths = {label: f"{path}.{label}" for label in self.facts.class_names}
                    factors = {label: choose(inner, self.domains[inner]) for label, inner in paths.items()}
                    values[name] = {label: factor for label, factor in factors.items() if factor is not None}
        return values

    def _section(self, node: Section, path: str, choose: Choose) -> dict[str, Any]:
        if not node.discriminator:
            return self._part(node.options[""], f"{path}.", choose)
        named = f"{path}.{node.discriminator}"
        option = str(choose(named, self.domains[named]))
        return {node.discriminator: option} | self._part(node.options[option], f"{path}.", choose)

    def _is_last_hope(
        self, part: type[Part], name: str, prefix: str, values: Mapping[str, Any], choose: Choose
    ) -> bool:
        """Whether this is the last part that can be on, of those of which one must be, and none is.

        One that stays off unless a recipe is enqueued with it may be on then.
        """
        uses = {other: self.domains[f"{prefix}{other}.use"] for other in part.needs_one}
        able = [other for other, use in uses.items() if not is_off(use)]
        if able[-1:] != [name] or any(values[other] is not None for other in able[:-1]):
            return False
        kept = {other: use for other, use in uses.items() if other not in able and isinstance(use, Default)}
        return not any(choose(f"{prefix}{other}.use", use) for other, use in kept.items())

    def _check_classes(self, recipe: Recipe) -> None:
        for path, factors in _dictionaries(recipe):
            for label in factors:
                if label not in self.facts.class_names:
                    raise SpaceError(f"{path}.{label}: the data has {', '.join(self.facts.class_names)}")


def _resolved(domain: Domain, node: Leaf) -> Domain:
    """The domain of a field in the part it stands in, where that decides its value."""
    if isinstance(domain, Unavailable):
        return Default(node.default, domain.distribution)
    return domain


def _closes(path: str, use: Domain) -> bool:
    return path.endswith(".use") and is_off(use)


def _method(trial: Suggests, distribution: BaseDistribution) -> Callable[..., Any]:
    kind = type(distribution).__name__
    return {
        "IntDistribution": trial.suggest_int,
        "FloatDistribution": trial.suggest_float,
        "CategoricalDistribution": trial.suggest_categorical,
    }[kind]


def _value_at(recipe: Recipe, path: str) -> Scalar | None:
    """The recipe's value under a dotted name; ``.use`` says whether the part is there, None is a class not named."""
    value: Any = recipe
    rest = path
    while rest:
        if isinstance(value, Mapping):  # the rest is a class name, dots and all
            factor: Scalar | None = value.get(rest)
            return factor
        if rest == "use":
            return value is not None
        step, _, rest = rest.partition(".")
        value = getattr(value, step)
    found: Scalar = value
    return found


def _dictionaries(part: Part, prefix: str = "") -> Iterator[tuple[str, Mapping[str, float]]]:
    """The per-class dictionaries of a recipe with their dotted names."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, Mapping):
            yield f"{prefix}{name}", value
        elif isinstance(value, Part):
            yield from _dictionaries(value, f"{prefix}{name}.")
