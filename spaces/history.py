"""The space of a study, also of one that was created when the recipe had fewer axes.

A study keeps what its space allows on each axis (`write_domains`). Read with the axes of today, it keeps every one of
these, and an axis that it is older than stays closed at the value that gives what the code did before the axis came.
Studies from before spaces were written down have their digest: what their file says in the words of that time has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from spaces.bind import bind
from spaces.domain import Default, Domain, Fixed, Searched, Unavailable
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.space import Space
from spaces.tree import Leaf, Optional, PerClass, Section, walk
from spaces.yaml_text import load_mapping


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """The axes of an earlier time, where they differ from those of today.

    axes: the dotted names of all of them, per-class ones aside. options: of those that have more today.
    An axis that was not searched was fixed then: no enqueued recipe could have another value.
    """

    axes: frozenset[str]
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_NOTHING: Any = object()
_GO_ON = "go on with the version that created the study, or create one of another name"
_FIRST_AXES = """
    augment.blur augment.flip_horizontal augment.flip_vertical augment.noise
    class_weights.background class_weights.scheme class_weights.smoothing data.cleaning
    loss.cross_entropy.use loss.cross_entropy.weight loss.dice.use loss.dice.weight
    loss.focal.gamma loss.focal.use loss.focal.weight loss.ignore_excluded
    model.activation model.block model.depth model.dropout model.family model.filters model.growth model.kernel
    model.norm model.upsampling
    optimisation.batch_size optimisation.epochs optimisation.lr optimisation.momentum optimisation.optimizer
    optimisation.patience optimisation.schedule optimisation.weight_decay
"""
_FIRST_OPTIONS = {
    "class_weights.scheme": ("none", "inverse_frequency", "explicit"),
    "model.block": ("plain", "residual"),
    "model.family": ("unet",),
    "model.upsampling": ("nearest", "bilinear", "transposed"),
    "optimisation.schedule": ("none", "plateau", "one_cycle", "cosine"),
}
_FIRST = frozenset(_FIRST_AXES.split())

VOCABULARIES = (
    Vocabulary(axes=_FIRST | {"model.widest"}, options=_FIRST_OPTIONS),  # U-Nets with a widest level
    Vocabulary(axes=_FIRST, options=_FIRST_OPTIONS),  # the first ones
)
"""Of studies whose domains were not written down, the latest first. Later ones need no entry: theirs are."""


def recall(facts: DataFacts, text: str, *, epochs: int, digest: str, domains: str = "") -> Space:
    """The space of the study that has this digest, with the axes of today.

    text: of its space file. epochs: of each of its trials. domains: as `write_domains` wrote them, "" if nobody has.
    Raises SpaceError when today's axes cannot express the space, or nobody knows what it was.
    """
    today = _bound(facts, text, epochs)
    if today is not None and today.digest == digest:
        return today
    known = read_domains(domains) if domains else known_domains(facts, text, epochs=epochs, digest=digest)
    whole = _whole(facts)
    for path, domain in known.items():
        if path not in whole or not _expressible(domain, whole[path].distribution):
            raise SpaceError(f"this version of marsearch cannot search {path} as it was: {_GO_ON}")
    return Space(facts, _closed(facts, whole) | known)


def known_domains(facts: DataFacts, text: str, *, epochs: int, digest: str) -> dict[str, Domain]:
    """What a study allowed on the axes that there were when it was created, proven by its digest.

    Raises SpaceError when no version that is known here gives this digest.
    """
    today = _bound(facts, text, epochs)
    if today is not None:
        told = (dict(today.domains), *(_in_words_of(vocabulary, today.domains) for vocabulary in VOCABULARIES))
        for domains in told:
            if Space(facts, domains).digest == digest:
                return domains
    raise SpaceError(f"this version of marsearch does not know the axes of its space ({digest[:12]}): {_GO_ON}")


def readable(facts: DataFacts, text: str, *, epochs: int, domains: str = "") -> Space:
    """A space to read the parameters of trials in where `recall` has failed; nothing should be tried in it.

    What a trial has and this space cannot account for, or the other way round, is a SpaceError of `Space.recipe`: no
    recipe is read wrongly. Raises SpaceError when a value that all trials share has no meaning any more.
    """
    if not domains:
        return bind(facts, text, epochs=epochs)
    whole, known = _whole(facts), read_domains(domains)
    gone = [path for path, domain in known.items() if path not in whole and not isinstance(domain, Searched)]
    if gone:
        raise SpaceError(f"this version of marsearch has no {gone[0]}: {_GO_ON}")
    return Space(facts, _closed(facts, whole) | {path: known[path] for path in known if path in whole})


def same_text(one: str, other: str) -> bool:
    """Whether two space files say the same, comments and order aside. Raises SpaceError for what is no space file."""
    told = [json.dumps(load_mapping(text, "space file"), sort_keys=True) for text in (one, other)]
    return told[0] == told[1]


def write_domains(domains: Mapping[str, Domain]) -> str:
    """The domains as JSON, to be kept with a study."""
    return json.dumps({path: _as_json(domain) for path, domain in sorted(domains.items())})


def read_domains(text: str) -> dict[str, Domain]:
    """The inverse of `write_domains`."""
    return {path: _from_json(**told) for path, told in json.loads(text).items()}


def _bound(facts: DataFacts, text: str, epochs: int) -> Space | None:
    """The space file in today's words, if it means something in them."""
    try:
        return bind(facts, text, epochs=epochs)
    except SpaceError:
        return None


def _in_words_of(then: Vocabulary, domains: Mapping[str, Domain]) -> dict[str, Domain]:
    """What the same space file meant in an earlier vocabulary."""
    told: dict[str, Domain] = {}
    for path, domain in domains.items():
        named = path.startswith("class_weights.factors.") and not isinstance(domain, Default)
        if path in then.axes or named:
            told[path] = _without(then.options.get(path, ()), domain)
    return told


def _without(options: tuple[str, ...], domain: Domain) -> Domain:
    """The domain with none but these options (empty: with all), and fixed where it is not searched."""
    if not isinstance(domain, Searched):
        return domain if isinstance(domain, Fixed) or domain.value is None else Fixed(domain.value)
    distribution = domain.distribution
    if not options or not isinstance(distribution, CategoricalDistribution):
        return domain
    left = [choice for choice in distribution.choices if choice in options]
    return Searched(CategoricalDistribution(left)) if left[1:] else Fixed(str(left[0]))


def _whole(facts: DataFacts) -> dict[str, Default]:
    """Every axis of today, closed at its default."""
    whole: dict[str, Default] = {}
    for path, node in walk():
        match node:
            case Leaf(axis=axis, default=value):
                whole.setdefault(path, Unavailable(value, axis.distribution))
            case PerClass(axis=axis):
                whole |= {f"{path}.{label}": Default(None, axis.distribution) for label in facts.class_names}
            case Optional(default=on):
                whole.setdefault(f"{path}.use", Default(on, CategoricalDistribution((True, False))))
            case Section(discriminator=name, options=parts, default=part) if name:
                whole.setdefault(f"{path}.{name}", Default(part, CategoricalDistribution(list(parts))))
    return whole


def _closed(facts: DataFacts, whole: Mapping[str, Default]) -> dict[str, Domain]:
    """Every axis of today at the value that gives what the code did before it came, on these data."""
    settled = {path: domain for path, domain in bind(facts).domains.items() if isinstance(domain, Fixed)}
    return {**whole, **settled, **_before(whole)}


def _before(whole: Mapping[str, Default]) -> dict[str, Domain]:
    """What axes stood at before they came, where that is not their default."""
    return {
        # The deepest level was made of the same block as the others.
        "model.bottleneck": Unavailable("plain", whole["model.bottleneck"].distribution, follows="block"),
        # No level had a limit; this is the widest that the axis can say.
        "model.widest": Default(1024, whole["model.widest"].distribution),
    }


def _expressible(domain: Domain, today: BaseDistribution) -> bool:
    """Whether every value of the domain lies on today's axis."""
    match domain:
        case Fixed(value=value) | Default(value=value):
            return value is None or contains(today, value)
        case Searched(distribution=CategoricalDistribution(choices=choices)):
            return all(isinstance(c, (bool, int, float, str)) and contains(today, c) for c in choices)
        case Searched(distribution=IntDistribution() | FloatDistribution() as then):
            return contains(today, then.low) and contains(today, then.high)
    return False


def _as_json(domain: Domain) -> dict[str, Any]:
    match domain:
        case Searched(distribution=distribution):
            return {"among": json.loads(distribution_to_json(distribution))}
        case Fixed(value=value):
            return {"value": value}
    return {"value": domain.value, "among": json.loads(distribution_to_json(domain.distribution))}


def _from_json(*, value: Any = _NOTHING, among: dict[str, Any] | None = None) -> Domain:
    if among is None:
        return Fixed(value)
    distribution = json_to_distribution(json.dumps(among))
    return Searched(distribution) if value is _NOTHING else Default(value, distribution)
