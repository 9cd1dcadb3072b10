"""Binding a space: the recipe's type, the facts of a data set and the YAML text of a space file become a `Space`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution

from spaces.domain import Domain, Fixed, Searched, narrow
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe import Part, Recipe
from spaces.space import Space
from spaces.tree import Leaf, Node, Optional, PerClass, Plain, Section, children
from spaces.yaml_text import load_mapping

_ON_OR_OFF = CategoricalDistribution((True, False))


def bind(facts: DataFacts, text: str = "", *, epochs: int | None = None, name: str = "space file") -> Space:
    """The space of the data with these facts, narrowed by the YAML text of a space file.

    epochs: fixes ``optimisation.epochs``, whatever the text says.
    name: what the text is called in messages.
    Raises SpaceError, naming the dotted path and what is allowed, for anything unknown or outside an axis.
    """
    try:
        domains = dict(_section_domains(Recipe, "", load_mapping(text, name), facts))
        if epochs is not None:
            leaf = dict(children(type(Recipe().optimisation)))["epochs"]
            domains |= _domains(leaf, "optimisation.epochs", epochs, facts)
        return Space(facts, _sensible(facts, domains))
    except SpaceError as error:
        raise SpaceError(str(error) if str(error).startswith(name) else f"{name}: {error}") from error


_UNSAID: Any = object()


def _section_domains(part: type[Part], prefix: str, wishes: Any, facts: DataFacts) -> Iterator[tuple[str, Domain]]:
    nodes = dict(children(part))
    if not isinstance(wishes, dict):
        raise SpaceError(f"{prefix[:-1]}: a mapping of {', '.join(nodes)} was expected, got {wishes!r}")
    for key in wishes:
        if key not in nodes:
            raise SpaceError(_unknown(f"{prefix}{key}", key, nodes))
    for key, node in nodes.items():
        yield from _domains(node, f"{prefix}{key}", wishes.get(key, _UNSAID), facts).items()


def _domains(node: Node, path: str, wish: Any, facts: DataFacts) -> dict[str, Domain]:
    match node:
        case Leaf(axis=axis, default=default, number=number):
            if wish is _UNSAID:
                return {path: Searched(axis.distribution) if axis.searched else Fixed(default)}
            return {path: narrow(path, axis, number, wish)}
        case PerClass():
            return _per_class(node, path, wish, facts)
        case Section():
            return _variants(node, path, {} if wish is _UNSAID else wish, facts)
        case Optional():
            return _switch(node, path, wish, facts)
        case Plain():
            if wish is not _UNSAID:
                raise SpaceError(f"{path}: is set by the study for each trial, leave it out of the space")
    return {}


def _per_class(node: PerClass, path: str, wish: Any, facts: DataFacts) -> dict[str, Domain]:
    wish = {} if wish is _UNSAID else wish
    if not isinstance(wish, dict):
        raise SpaceError(f"{path}: a mapping from class name to factor was expected, got {wish!r}")
    for label in wish:
        if label not in facts.class_names:
            raise SpaceError(f"{path}.{label}: no such class, the data has {', '.join(facts.class_names)}")
    return {f"{path}.{label}": narrow(f"{path}.{label}", node.axis, float, value) for label, value in wish.items()}


def _variants(node: Section, path: str, wish: Any, facts: DataFacts) -> dict[str, Domain]:
    if not node.discriminator:
        return dict(_section_domains(node.options[""], f"{path}.", wish, facts))
    if not isinstance(wish, dict):
        raise SpaceError(f"{path}: a mapping with {node.discriminator} and its fields was expected, got {wish!r}")
    rest = dict(wish)
    asked = rest.pop(node.discriminator, list(node.options))
    names = asked if isinstance(asked, list) else [asked]
    for name in names:
        if name not in node.options:
            raise SpaceError(f"{path}.{node.discriminator}: {name!r} is unknown, allowed is {', '.join(node.options)}")
    family: Domain = Fixed(names[0]) if len(names) == 1 else Searched(CategoricalDistribution(names))
    domains = {f"{path}.{node.discriminator}": family}
    owned = {name: dict(children(node.options[name])) for name in names}
    for key in rest:
        if not any(key in fields for fields in owned.values()):
            raise SpaceError(
                _unknown(f"{path}.{key}", key, {k: v for fields in owned.values() for k, v in fields.items()})
            )
    for name, fields in owned.items():
        said = {key: value for key, value in rest.items() if key in fields}
        domains |= dict(_section_domains(node.options[name], f"{path}.", said, facts))
    return domains


def _switch(node: Optional, path: str, wish: Any, facts: DataFacts) -> dict[str, Domain]:
    use: Domain = Searched(_ON_OR_OFF) if wish is _UNSAID else Fixed(wish is not None)
    inner: Any = {} if wish is _UNSAID or wish is None else wish
    if not isinstance(inner, dict):
        raise SpaceError(f"{path}: null (off) or a mapping of its fields was expected, got {wish!r}")
    if "use" in inner:
        asked = inner["use"]
        if asked not in (True, False) and sorted(map(str, asked if isinstance(asked, list) else [])) != [
            "False",
            "True",
        ]:
            raise SpaceError(f"{path}.use: true, false or [true, false] was expected, got {asked!r}")
        use = Fixed(asked) if isinstance(asked, bool) else Searched(_ON_OR_OFF)
        inner = {key: value for key, value in inner.items() if key != "use"}
    return {f"{path}.use": use} | dict(_section_domains(node.part, f"{path}.", inner, facts))


def _sensible(facts: DataFacts, domains: dict[str, Domain]) -> dict[str, Domain]:
    """Close the axes that mean nothing on this data, and refuse what could build no recipe."""
    if all(domains[f"loss.{term}.use"] == Fixed(False) for term in ("cross_entropy", "dice", "focal")):
        raise SpaceError("loss: at least one of cross_entropy, dice, focal must be on")
    if not facts.excluded:
        domains |= {"loss.ignore_excluded": Fixed(False), "class_weights.background": Fixed(1.0)}
    named = all(f"class_weights.factors.{label}" in domains for label in facts.class_names)
    scheme = domains["class_weights.scheme"]
    if not named and isinstance(scheme, Searched) and isinstance(scheme.distribution, CategoricalDistribution):
        left = [name for name in scheme.distribution.choices if name != "explicit"]
        domains["class_weights.scheme"] = Searched(CategoricalDistribution(left)) if left[1:] else Fixed(str(left[0]))
    if not named and scheme == Fixed("explicit"):
        missing = [n for n in facts.class_names if f"class_weights.factors.{n}" not in domains]
        raise SpaceError(f"class_weights.factors: scheme explicit needs every class, missing is {', '.join(missing)}")
    return domains


def _unknown(path: str, key: str, nodes: Mapping[str, Node]) -> str:
    close = difflib.get_close_matches(key, nodes, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{path}: unknown{hint}, allowed is {', '.join(nodes)}"
