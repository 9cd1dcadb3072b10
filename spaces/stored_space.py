"""A space as text, to be stored with a study, and back.

A study keeps the space that it was created with. Its text names every axis of that time with what the study allows on
it; a later version reads these as they were. An axis that came later is at its default and not sampled: so the default
of a new axis is what was done before it came.
"""

from __future__ import annotations

import json
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    distribution_to_json,
    json_to_distribution,
)

from spaces.axis import contains
from spaces.domain import Default, Domain, Fixed, Searched, Unavailable
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.space import Space
from spaces.tree import Leaf, Optional, PerClass, Section, walk

_NO_VALUE: Any = object()


def dump_domains(space: Space) -> str:
    """What the space allows on each axis, as JSON; axes that its study is older than are left out."""
    known = {path: domain for path, domain in space.domains.items() if not isinstance(domain, Unavailable)}
    return json.dumps({path: _as_json(domain) for path, domain in sorted(known.items())})


def load_space(facts: DataFacts, domains: str) -> Space:
    """The space that `dump_domains` wrote for data with these facts.

    Raises SpaceError when an axis or a value of it is gone.
    """
    stored = {path: _from_json(**fields) for path, fields in json.loads(domains).items()}
    today = _defaults(facts)
    for path, domain in stored.items():
        if path not in today or not _within(domain, today[path].distribution):
            raise SpaceError(
                f"this version of marsearch cannot search {path} as it was:"
                " go on with the version that created the study, or create one of another name"
            )
    return Space(facts, {**today, **stored})


def _defaults(facts: DataFacts) -> dict[str, Default]:
    """Every axis at its default: what an axis is to a study that is older."""
    found: dict[str, Default] = {}
    for path, node in walk():
        match node:
            case Leaf(axis=axis, default=value):
                found.setdefault(path, Unavailable(value, axis.distribution))
            case PerClass(axis=axis):
                found |= {f"{path}.{label}": Unavailable(None, axis.distribution) for label in facts.class_names}
            case Optional(default=on):
                found.setdefault(f"{path}.use", Unavailable(on, CategoricalDistribution((True, False))))
            case Section(discriminator=name, options=parts, default=part) if name:
                found.setdefault(f"{path}.{name}", Unavailable(part, CategoricalDistribution(list(parts))))
    return found


def _within(domain: Domain, axis: BaseDistribution) -> bool:
    """Whether every value of the domain lies on the axis."""
    match domain:
        case Fixed(value=value) | Default(value=value):
            return value is None or contains(axis, value)
        case Searched(distribution=CategoricalDistribution(choices=choices)):
            return all(isinstance(c, (bool, int, float, str)) and contains(axis, c) for c in choices)
        case Searched(distribution=IntDistribution() | FloatDistribution() as range_):
            return contains(axis, range_.low) and contains(axis, range_.high)
    return False


def _as_json(domain: Domain) -> dict[str, Any]:
    match domain:
        case Searched(distribution=distribution):
            return {"among": json.loads(distribution_to_json(distribution))}
        case Fixed(value=value):
            return {"value": value}
    return {"value": domain.value, "among": json.loads(distribution_to_json(domain.distribution))}


def _from_json(*, value: Any = _NO_VALUE, among: dict[str, Any] | None = None) -> Domain:
    if among is None:
        return Fixed(value)
    distribution = json_to_distribution(json.dumps(among))
    return Searched(distribution) if value is _NO_VALUE else Default(value, distribution)
