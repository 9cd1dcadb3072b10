"""The recipe's type read as a tree of axes: the one place that looks into annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from spaces.axis import Axis, Scalar, Switch
from spaces.recipe import Recipe
from spaces.recipe.part import Part


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A field with an axis; default is the field's own."""

    axis: Axis
    default: Scalar
    number: type[int] | type[float] | None


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """A dictionary from class name to a value on the axis."""

    axis: Axis


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part that is always there; more than one option means a discriminated union.

    discriminator: the Literal field that names the option, or "" when there is one option without a name.
    options: the part behind each name.
    default: the name of the default option.
    """

    discriminator: str
    options: dict[str, type[Part]]
    default: str


@dataclass(frozen=True, kw_only=True)
class Optional:
    """A part that can be off (``None``), sampled as ``.use``.

    default: whether it is on unless a space file says otherwise.
    """

    part: type[Part]
    switch: Switch
    default: bool


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A field without an axis (the seed): set by the study, never sampled."""


Node = Leaf | PerClass | Section | Optional | Plain


def children(part: type[Part]) -> Iterator[tuple[str, Node]]:
    """The fields of a part in order of declaration, less the discriminator."""
    for name, field in part.model_fields.items():
        if name != part.discriminator():
            yield name, _node(field)


def walk(part: type[Part] = Recipe, prefix: str = "") -> Iterator[tuple[str, Node]]:
    """Every field of the recipe's type with its dotted name, an outer one before those inside it.

    Families that share a field each yield it.
    """
    for name, node in children(part):
        path = f"{prefix}{name}"
        yield path, node
        match node:
            case Section():
                for option in node.options.values():
                    yield from walk(option, f"{path}.")
            case Optional():
                yield from walk(node.part, f"{path}.")


def axes() -> Iterator[tuple[str, Axis]]:
    """Every axis of the recipe's type with its dotted name; per-class ones end in ``.*``."""
    for path, node in walk():
        if isinstance(node, Leaf):
            yield path, node.axis
        elif isinstance(node, PerClass):
            yield f"{path}.*", node.axis


def _node(field: FieldInfo) -> Node:
    for mark in field.metadata:
        if isinstance(mark, Axis):
            return Leaf(axis=mark, default=field.get_default(), number=_number(field.annotation))
    annotation = field.annotation
    if get_origin(annotation) is dict:
        return PerClass(axis=_axis_of(get_args(annotation)[1]))
    parts = [kind for kind in _members(annotation) if isinstance(kind, type) and issubclass(kind, Part)]
    if not parts:
        return Plain()
    if type(None) in _members(annotation):
        switch = next(mark for mark in field.metadata if isinstance(mark, Switch))
        return Optional(part=parts[0], switch=switch, default=field.get_default() is not None)
    return _section(parts, field.get_default(call_default_factory=True))


def _section(parts: list[type[Part]], default: Part) -> Section:
    key = parts[0].discriminator()
    if not key:
        return Section(discriminator="", options={"": parts[0]}, default="")
    options = {get_args(part.model_fields[key].annotation)[0]: part for part in parts}
    return Section(discriminator=key, options=options, default=getattr(default, key))


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in (typing.Union, types.UnionType) else (annotation,)


def _number(annotation: Any) -> type[int] | type[float] | None:
    return annotation if annotation in (int, float) else None


def _axis_of(annotation: Any) -> Axis:
    return next(mark for mark in get_args(annotation)[1:] if isinstance(mark, Axis))


def _one_meaning_each() -> None:
    """A name means one thing wherever it appears: Optuna refuses a study in which a parameter has two ranges."""
    seen: dict[str, Leaf] = {}
    for path, node in walk():
        if path.endswith(".use"):
            raise TypeError(f"{path}: `use` is what turns an optional part on, give the field another name")
        if isinstance(node, Leaf):
            first, axis = seen.setdefault(path, node), node.axis
            if first.axis.distribution != axis.distribution or first.axis.searched != axis.searched:
                raise TypeError(f"{path} has two ranges: give the family's own a name of its own")
            if first.default != node.default and not axis.searched:
                raise TypeError(f"{path} is not searched and has two defaults: give the family's own a name of its own")


_one_meaning_each()
