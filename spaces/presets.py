"""Presets: recipes with a name, kept as YAML files beside this module or planned from the facts of the data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Final

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.nnunet import plan
from spaces.recipe import Recipe
from spaces.yaml_text import load_recipe

PLANNED: Final[dict[str, Callable[[DataFacts, int], Recipe]]] = {"nnunet-plan": plan}
FINALS: Final = (
    "baseline",
    "weighted-oversampled",
    "nnunet-plan",
    "report-a-wnet",
    "report-b-dual-unet",
    "report-c-unet",
    "report-d-unet",
    "report-d-pix2pix",
    "report-e-unet3plus",
    "small-baseline",
    "small-weighted",
)
"""What `--warm-start reports` tries first, as far as it fits the space: a plain start, one for a rare class, a planned
one, the final system of each report, and two that are cheap on a CPU."""


def preset_names() -> tuple[str, ...]:
    """The names of all presets, sorted."""
    folder = resources.files("spaces") / "presets"
    files = {f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")}
    return tuple(sorted(files | set(PLANNED)))


def load_preset(name: str, facts: DataFacts | None = None, samples: int = 0) -> Recipe:
    """The preset of that name.

    facts, samples: of the data and its training part, for presets that are planned from them; samples 0 when unknown.
    Raises SpaceError for an unknown name, naming the ones there are, and for a planned preset without facts.
    """
    if name not in preset_names():
        raise SpaceError(f"preset {name!r} is unknown, there are {', '.join(preset_names())}")
    if name not in PLANNED:
        file = resources.files("spaces") / "presets" / f"{name}.yaml"
        return load_recipe(file.read_text("utf-8"), f"preset {name}")
    if facts is None:
        raise SpaceError(f"preset {name} is planned from a data set: use it where one is known (train --data, a study)")
    return PLANNED[name](facts, samples)
