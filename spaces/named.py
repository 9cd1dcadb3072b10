"""Spaces with a name, kept as space files beside this module."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from spaces.errors import SpaceError
from spaces.yaml_text import load_mapping

NAMED: Final = ("standard", "cpu", "whole")
"""The spaces that `--space` knows by name; the first is the default. docs/spaces.md says what is in each, and why."""


def named_text(name: str) -> str:
    """The space file of that name. Raises SpaceError for an unknown name, naming the ones there are."""
    if name not in NAMED:
        raise SpaceError(f"base: {name!r} is unknown, there are {', '.join(NAMED)}")
    return (resources.files("spaces") / "named" / f"{name}.yaml").read_text("utf-8")


def with_base(specs: dict[str, Any]) -> dict[str, Any]:
    """The entries of a space file on top of those of the space that it names as its base, if it names one.

    Sections and parts are merged, any other entry replaces the base's; so does a range with both its ends.
    Raises SpaceError for an unknown base.
    """
    if "base" not in specs:
        return specs
    own = {key: value for key, value in specs.items() if key != "base"}
    base = str(specs["base"])
    return _merged(load_mapping(named_text(base), base), own)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    parts = {key for key, value in own.items() if isinstance(value, dict) and isinstance(base.get(key), dict)}
    kept = {key for key in parts if not {"low", "high"} <= own[key].keys()}  # else it is a range of its own
    return base | own | {key: _merged(base[key], own[key]) for key in kept}
