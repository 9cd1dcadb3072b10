"""A part of the recipe: the one base class of everything that a recipe is made of."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A section of the recipe: frozen, strict about types, closed to unknown fields.

    needs_one: names of optional parts inside, of which at least one must be on; empty when there is no such rule.
    reports: letters of the reports that have the part, for parts that are chosen by name; "+" when none has it.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
    needs_one: ClassVar[tuple[str, ...]] = ()
    reports: ClassVar[str] = "+"
