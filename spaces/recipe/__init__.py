"""The recipe: what one training is made of, one file per section; its type is the search space."""

from spaces.recipe.recipe import Background, Optimisation, Recipe

__all__ = ["Background", "Optimisation", "Recipe"]
