"""Binding a space: the recipe's type, the facts of a data set and the YAML text of a space file become a `Space`.

A text may build on a space with a name (``base: standard``), and may keep at its default what it does not mention
(``rest: default``) instead of searching it (``rest: searched``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from optuna.distributions import CategoricalDistribution

from spaces.axis import Axis
from spaces.crops import offered_sides, trains_whole
from spaces.domain import Default, Domain, Fixed, Searched, is_off, narrow
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.named import with_base
from spaces.recipe import Recipe
from spaces.recipe.part import Part
from spaces.space import Space
from spaces.tree import Leaf, Node, Optional, PerClass, Plain, Section, children
from spaces.yaml_text import load_mapping, sentence

P = TypeVar("P", bound=Part)

_ON_OR_OFF = CategoricalDistribution((True, False))


@dataclass(frozen=True)
class _Ground:
    """What a text is read against. closed: what it does not mention keeps its default and is not searched."""

    facts: DataFacts
    closed: bool


def bind(
    facts: DataFacts, text: str = "", *, epochs: int | None = None, strict: bool = False, name: str = "space file"
) -> Space:
    """The space of the data with these facts, narrowed by the YAML text of a space file.

    epochs: fixes ``optimisation.epochs``, whatever the text says.
    strict: pixels of excluded classes count in the study's score, so they are trained on where the text leaves it open.
    name: what the text is called in messages.
    Raises SpaceError, naming the dotted path and what is allowed, for anything unknown or outside an axis.
    """
    try:
        specs = with_base(load_mapping(text, name))
        ground = _Ground(facts, closed=_is_closed(specs.pop("rest", "searched")))
        domains = dict(_section_domains(Recipe, "", specs, ground))
        if epochs is not None:
            leaf = dict(children(type(Recipe().optimisation)))["epochs"]
            domains |= _domains(leaf, "optimisation.epochs", epochs, ground)
        return Space(facts, _sensible(facts, domains, strict))
    except SpaceError as error:
        raise SpaceError(sentence(str(error) if str(error).startswith(name) else f"{name}: {error}")) from error


def _is_closed(rest: Any) -> bool:
    if rest not in ("searched", "default"):
        raise SpaceError(f"rest: searched or default was expected, got {rest!r}")
    return bool(rest == "default")


_MISSING: Any = object()


def _section_domains(part: type[Part], prefix: str, specs: Any, ground: _Ground) -> Iterator[tuple[str, Domain]]:
    nodes = dict(children(part))
    if not isinstance(specs, dict):
        raise SpaceError(f"{prefix[:-1]}: a mapping of {', '.join(nodes)} was expected, got {specs!r}")
    for key in specs:
        if key not in nodes:
            raise SpaceError(_unknown(f"{prefix}{key}", key, nodes))
    domains: dict[str, Domain] = {}
    for key, node in nodes.items():
        domains |= _domains(node, f"{prefix}{key}", specs.get(key, _MISSING), ground)
    if part.needs_one and all(is_off(domains[f"{prefix}{name}.use"]) for name in part.needs_one):
        raise SpaceError(f"{prefix[:-1]}: at least one of {', '.join(part.needs_one)} must be on")
    yield from domains.items()


def _domains(node: Node, path: str, spec: Any, ground: _Ground) -> dict[str, Domain]:
    match node:
        case Leaf(axis=axis, default=default, number=number):
            if spec is _MISSING:
                searched = axis.searched and not ground.closed
                return {path: Searched(axis.distribution) if searched else Default(default, axis.distribution)}
            return {path: _narrowed(path, axis, number, spec)}
        case PerClass():
            return _per_class(node, path, {} if spec is _MISSING else spec, ground)
        case Section():
            return _variants(node, path, {} if spec is _MISSING else spec, ground)
        case Optional():
            return _switch(node, path, spec, ground)
        case Plain():
            if spec is not _MISSING:
                raise SpaceError(f"{path}: is set by the study for each trial, leave it out of the space")
    return {}


def _narrowed(path: str, axis: Axis, number: type[int] | type[float] | None, spec: Any) -> Domain:
    try:
        return narrow(path, axis, number, spec)
    except ArithmeticError as error:  # a step of 1e-300, say
        raise SpaceError(f"{path}: no range can be made of {spec!r}") from error


def _per_class(node: PerClass, path: str, spec: Any, ground: _Ground) -> dict[str, Domain]:
    if not isinstance(spec, dict):
        raise SpaceError(f"{path}: a mapping from class name to factor was expected, got {spec!r}")
    for label in spec:
        if label not in ground.facts.class_names:
            raise SpaceError(f"{path}.{label}: no such class, the data has {', '.join(ground.facts.class_names)}")
    named: dict[str, Domain] = {
        f"{path}.{label}": Default(None, node.axis.distribution) for label in ground.facts.class_names
    }
    return named | {
        f"{path}.{label}": _narrowed(f"{path}.{label}", node.axis, float, given) for label, given in spec.items()
    }


def _variants(node: Section, path: str, spec: Any, ground: _Ground) -> dict[str, Domain]:
    if not node.discriminator:
        return dict(_section_domains(node.options[""], f"{path}.", spec, ground))
    if not isinstance(spec, dict):
        raise SpaceError(f"{path}: a mapping with {node.discriminator} and its fields was expected, got {spec!r}")
    rest = dict(spec)
    open_to_all = ground.closed and node.discriminator not in rest
    names = _families(node, path, rest.pop(node.discriminator, list(node.options)))
    family: Domain = Fixed(names[0]) if len(names) == 1 else Searched(CategoricalDistribution(names))
    if open_to_all:
        family = Default(node.default, CategoricalDistribution(names))
    domains = {f"{path}.{node.discriminator}": family}
    owned = {name: dict(children(node.options[name])) for name in names}
    known = {key: inner for fields in owned.values() for key, inner in fields.items()}
    for key in rest:
        if key not in known:
            raise SpaceError(_unknown(f"{path}.{key}", key, known))
    for name, fields in owned.items():
        given = {key: value for key, value in rest.items() if key in fields}
        for inner, domain in _section_domains(node.options[name], f"{path}.", given, ground):
            domains.setdefault(inner, domain)  # where defaults differ, the first family's counts
    return domains


def _families(node: Section, path: str, asked: Any) -> list[str]:
    names = asked if isinstance(asked, list) else [asked]
    for name in names:
        if not isinstance(name, str) or name not in node.options:
            raise SpaceError(f"{path}.{node.discriminator}: {name!r} is unknown, allowed is {', '.join(node.options)}")
    if not names or len(set(names)) != len(names):
        raise SpaceError(f"{path}.{node.discriminator}: a list of different values was expected, got {names!r}")
    return names


def _switch(node: Optional, path: str, spec: Any, ground: _Ground) -> dict[str, Domain]:
    inner: Any = {} if spec is _MISSING or spec is None else spec
    if not isinstance(inner, dict):
        raise SpaceError(f"{path}: null (off) or a mapping of its fields was expected, got {spec!r}")
    use: Domain = Fixed(spec is not None)
    if spec is _MISSING:
        searched = node.switch.searched and not ground.closed
        use = Searched(_ON_OR_OFF) if searched else Default(node.default, _ON_OR_OFF)
    elif "use" in inner:
        use = _asked_use(path, inner["use"])
        inner = {key: value for key, value in inner.items() if key != "use"}
    return {f"{path}.use": use} | dict(_section_domains(node.part, f"{path}.", inner, ground))


def _asked_use(path: str, asked: Any) -> Domain:
    if isinstance(asked, bool):
        return Fixed(asked)
    if not isinstance(asked, list) or sorted(map(repr, asked)) != ["False", "True"]:
        raise SpaceError(f"{path}.use: true, false or [true, false] was expected, got {asked!r}")
    return Searched(_ON_OR_OFF)


def meaningless(facts: DataFacts) -> dict[str, bool | float]:
    """The axes that mean nothing for data with these facts, with the value that each is fixed to."""
    whole = {"data.crop": 0} if trains_whole(facts) else {}
    if facts.excluded:
        return {**whole}
    return {"loss.ignore_excluded": False, "background.use": False, "class_weights.background": 1.0, **whole}


def adapt(recipe: Recipe, facts: DataFacts) -> Recipe:
    """The recipe without the values that mean nothing for data with these facts."""
    for path, value in meaningless(facts).items():
        recipe = _with_value(recipe, path, value)
    return recipe


def _with_value(part: P, path: str, value: bool | float) -> P:
    name, _, rest = path.partition(".")
    inner = getattr(part, name)
    if rest == "use":
        return part.model_copy(update={name: None}) if value is False else part
    return part.model_copy(update={name: _with_value(inner, rest, value) if rest else value})


def _sensible(facts: DataFacts, domains: dict[str, Domain], strict: bool) -> dict[str, Domain]:
    """Close the axes that mean nothing on this data, and refuse what could build no recipe."""
    excluded = domains["loss.ignore_excluded"]
    if strict and isinstance(excluded, Default):
        domains["loss.ignore_excluded"] = Default(False, excluded.distribution)
    if not facts.excluded:
        if not is_off(domains["background.use"]):
            raise SpaceError("background: the data leaves no class out of the mean, so there is no background to find")
        domains |= {path: Fixed(value) for path, value in meaningless(facts).items() if path != "data.crop"}
        isolate = domains["data.oversample.isolate"]
        if isinstance(isolate, Searched):  # nor a label to turn the other pixels into, unless a file knows of one
            domains["data.oversample.isolate"] = Default(False, isolate.distribution)
    domains["data.crop"] = _crops(facts, domains["data.crop"])
    share = domains["loss.level_weight"]
    if isinstance(share, Searched) and is_off(domains["loss.low.use"]) and is_off(domains["loss.inter.use"]):
        domains["loss.level_weight"] = Default(1.0, share.distribution)  # one level has the whole loss
    scheme = domains["class_weights.scheme"]
    missing = [n for n in facts.class_names if isinstance(domains[f"class_weights.factors.{n}"], Default)]
    if missing and isinstance(scheme, Searched) and isinstance(scheme.distribution, CategoricalDistribution):
        left = [name for name in scheme.distribution.choices if name != "explicit"]
        domains["class_weights.scheme"] = Searched(CategoricalDistribution(left)) if left[1:] else Fixed(str(left[0]))
    if missing and scheme == Fixed("explicit"):
        raise SpaceError(f"class_weights.factors: scheme explicit needs every class, missing is {', '.join(missing)}")
    return domains


def _crops(facts: DataFacts, asked: Domain) -> Domain:
    """The sides of crops that a study tries; over its whole range, the axis stands for those that fit the images."""
    whole = dict(children(type(Recipe().data)))["crop"]
    if not isinstance(whole, Leaf) or asked != Searched(whole.axis.distribution):
        return asked
    sides = offered_sides(facts)
    return Searched(CategoricalDistribution(sides)) if sides[1:] else Fixed(sides[0])


def _unknown(path: str, key: str, nodes: Mapping[str, Node]) -> str:
    close = difflib.get_close_matches(key, nodes, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{path}: unknown{hint}, allowed is {', '.join(nodes)}"
