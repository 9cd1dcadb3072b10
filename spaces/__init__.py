"""What can be tried: recipes, the search space they span, and the presets in it. Importing it loads no torch."""

from spaces.bind import adapt, bind
from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.named import NAMED
from spaces.presets import FINALS, load_preset, preset_names
from spaces.recipe import Recipe
from spaces.space import Space
from spaces.stored_space import dump_domains, load_space
from spaces.yaml_text import dump_recipe, load_recipe, same_mapping

__all__ = [
    "FINALS",
    "NAMED",
    "DataFacts",
    "Recipe",
    "Space",
    "SpaceError",
    "adapt",
    "bind",
    "dump_domains",
    "dump_recipe",
    "load_preset",
    "load_recipe",
    "load_space",
    "preset_names",
    "same_mapping",
]
