"""One training of a reproduction: a recipe at the common budget, the samples of both parts, and its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spaces import Recipe, dump_recipe

_WIDTHS = {"filters": 4, "decoder_filters": 8, "discriminator_filters": 8}
"""The fields that hold a number of channels, with the smallest that their axes allow."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is to be trained.

    name: preset with seed or fold, such as ``c1-dice-seed0``. fold: its number from 1, 0 on the common split.
    train, validation: indices of samples, before the recipe's own cleaning.
    digest: sha256 of recipe, data set and both lists: equal digests, equal training.
    """

    name: str
    preset: str
    fold: int
    recipe: Recipe
    train: tuple[int, ...]
    validation: tuple[int, ...]
    digest: str


def make_task(
    name: str,
    recipe: Recipe,
    *,
    preset: str,
    fold: int = 0,
    train: Sequence[int],
    validation: Sequence[int],
    data_digest: str,
) -> Task:
    """The task of that recipe on those samples of the data set with that digest."""
    contents = json.dumps([dump_recipe(recipe), data_digest, list(train), list(validation)])
    return Task(
        name=name,
        preset=preset,
        fold=fold,
        recipe=recipe,
        train=tuple(train),
        validation=tuple(validation),
        digest=hashlib.sha256(contents.encode()).hexdigest(),
    )


def at_budget(recipe: Recipe, *, epochs: int, width: float, seed: int) -> Recipe:
    """The recipe with so many epochs and no early stop, ``width`` of its filters, and this seed.

    Filters do not go below 4 (of decoders and discriminators 8, where their axes begin).
    """
    values = _narrowed(recipe.model_dump(), width)
    values["optimisation"] |= {"epochs": epochs, "patience": epochs}
    return Recipe.model_validate(values | {"seed": seed})


def narrow_filters(filters: int, width: float) -> int:
    """That share of the filters, at least 4."""
    return max(_WIDTHS["filters"], round(filters * width))


def _narrowed(values: Any, width: float) -> Any:
    if not isinstance(values, dict):
        return values
    return {
        name: max(_WIDTHS[name], round(value * width)) if name in _WIDTHS else _narrowed(value, width)
        for name, value in values.items()
    }
