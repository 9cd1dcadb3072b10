"""The recipe's type read as a tree of axes: the one place that looks into annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from spaces.axis import Axis, Scalar
from spaces.recipe import Part, Recipe


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
    """A part that can be off (``None``), sampled as ``.use``."""

    part: type[Part]


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A field without an axis (the seed): set by the study, never sampled."""


Node = Leaf | PerClass | Section | Optional | Plain


def children(part: type[Part]) -> Iterator[tuple[str, Node]]:
    """The fields of a part in order of declaration, less the discriminator."""
    for name, field in part.model_fields.items():
        if name != discriminator_of(part):
            yield name, _node(field)


def discriminator_of(part: type[Part]) -> str:
    """The name of the part's single-valued Literal field (``family``), or "" without one."""
    for name, field in part.model_fields.items():
        if get_origin(field.annotation) is typing.Literal and len(get_args(field.annotation)) == 1:
            return name
    return ""


def axes(part: type[Part] = Recipe, prefix: str = "") -> Iterator[tuple[str, Axis]]:
    """Every axis of the recipe's type with its dotted name; per-class ones end in ``.*``."""
    for name, node in children(part):
        path = f"{prefix}{name}"
        match node:
            case Leaf():
                yield path, node.axis
            case PerClass():
                yield f"{path}.*", node.axis
            case Section():
                for option in node.options.values():
                    yield from axes(option, f"{path}.")
            case Optional():
                yield from axes(node.part, f"{path}.")


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
        return Optional(part=parts[0])
    return _section(parts, field.get_default(call_default_factory=True))


def _section(parts: list[type[Part]], default: Part) -> Section:
    key = discriminator_of(parts[0])
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


def _one_distribution_each() -> None:
    """An axis has one distribution wherever its name appears: Optuna refuses a study otherwise."""
    seen: dict[str, Axis] = {}
    for path, axis in axes():
        if seen.setdefault(path, axis).distribution != axis.distribution:
            raise TypeError(f"{path} has two distributions: give the family's own range a name of its own")


_one_distribution_each()
