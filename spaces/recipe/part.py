"""A part of the recipe: the one base class of everything that a recipe is made of."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A section of the recipe: frozen, strict about types, closed to unknown fields.

    needs_one: names of optional parts inside, of which at least one must be on; empty when there is no such rule.
    reports: letters of the reports that have the part, for parts that are chosen by name; "+" when none has it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    needs_one: ClassVar[tuple[str, ...]] = ()
    reports: ClassVar[str] = "+"

    @classmethod
    def discriminator(cls) -> str:
        """The name of the single-valued Literal field (``family``) by which a union tells the part, "" without one."""
        for name, field in cls.model_fields.items():
            if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
                return name
        return ""

    def non_defaults(self) -> dict[str, Any]:
        """The discriminator, and each field that is not at its default, down through all parts.

        Equal for equal parts, and the same as before when a later version adds a field and its default is kept: what a
        digest is made of.
        """
        found: dict[str, Any] = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name == self.discriminator() or value != field.get_default(call_default_factory=True):
                found[name] = value.non_defaults() if isinstance(value, Part) else value
        return found
