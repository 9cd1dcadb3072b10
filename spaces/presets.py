"""Presets: recipes with a name, kept as YAML files beside this module."""

from __future__ import annotations

from importlib import resources

from spaces.errors import SpaceError
from spaces.recipe import Recipe
from spaces.yaml_text import load_recipe


def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    folder = resources.files("spaces") / "presets"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def load_preset(name: str) -> Recipe:
    """The preset of that name. Raises SpaceError naming the ones there are."""
    if name not in preset_names():
        raise SpaceError(f"preset {name!r} is unknown, there are {', '.join(preset_names())}")
    return load_recipe((resources.files("spaces") / "presets" / f"{name}.yaml").read_text("utf-8"), f"preset {name}")
