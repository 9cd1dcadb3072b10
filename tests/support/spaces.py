"""Space files in which every axis stands still but for the ones that a test opens."""

from __future__ import annotations

from typing import Any

import yaml

from spaces import dump_recipe, load_recipe


def fixed_space(text: str, recipe: str = "") -> str:
    """A space file that fixes every axis to what a recipe has (YAML, the defaults without), except where text opens it.

    An axis that is added later is fixed by it, too.
    """
    fixed = yaml.safe_load(dump_recipe(load_recipe(recipe)))
    del fixed["seed"]
    return yaml.safe_dump(_merged(fixed, yaml.safe_load(text)))


def _merged(fixed: dict[str, Any], opened: dict[str, Any]) -> dict[str, Any]:
    sections = {name for name, value in opened.items() if isinstance(value, dict) and isinstance(fixed.get(name), dict)}
    return fixed | {name: _merged(fixed[name], opened[name]) if name in sections else opened[name] for name in opened}
