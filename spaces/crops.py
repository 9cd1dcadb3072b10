"""How much of an image a training step sees: the whole, or a square crop whose side is planned from size and memory."""

from __future__ import annotations

import math
from typing import Final

from spaces.facts import DataFacts
from spaces.recipe import Recipe

WHOLE: Final = 256 * 256  # pixels of images that are trained on as they are, if all are of one size
LARGEST: Final = 256  # side of a planned crop: nnU-Net's deepest map still has 4 pixels a side there
MULTIPLE: Final = 32  # of which a side is, so that five halvings leave no rest
STEP_PIXELS: Final = 32 * 256 * 256  # of all crops of a step together, beyond which a planned side gets smaller
USUAL_BATCH: Final = 32


def trains_whole(facts: DataFacts) -> bool:
    """Whether images of these facts are small and equal: then they are trained on whole, unless asked otherwise."""
    return not facts.mixed and facts.height * facts.width <= WHOLE


def planned_side(facts: DataFacts, batch_size: int = USUAL_BATCH) -> int:
    """The side in pixels of the crops of such a batch, 0 for whole images.

    About the shorter side of the images, at most `LARGEST`; larger batches have smaller ones, so that a step needs no
    more memory.
    """
    if trains_whole(facts):
        return 0
    fitting = math.isqrt(STEP_PIXELS // batch_size) // MULTIPLE * MULTIPLE
    shorter = -(-min(facts.height, facts.width) // MULTIPLE) * MULTIPLE
    return max(MULTIPLE, min(shorter, fitting, LARGEST))


def crop_side(recipe: Recipe, facts: DataFacts) -> int:
    """The side in pixels of the crops that the recipe is trained on, 0 for whole images."""
    return recipe.data.crop or planned_side(facts, recipe.optimisation.batch_size)


def step_pixels(facts: DataFacts, batch_size: int = USUAL_BATCH) -> int:
    """The pixels of all images, or crops, of such a batch together."""
    side = planned_side(facts, batch_size)
    return batch_size * (side * side or facts.height * facts.width)


def offered_sides(facts: DataFacts) -> tuple[int, ...]:
    """What a study tries: the planned side, as 0, its half and its double; only 0 where images are trained on whole."""
    side = planned_side(facts)
    longer = -(-max(facts.height, facts.width) // MULTIPLE) * MULTIPLE
    half, double = max(MULTIPLE, side // 2 // MULTIPLE * MULTIPLE), min(2 * side, longer)
    return (0, *(other for other in (half, double) if side and other != side))


def seen(recipe: Recipe, facts: DataFacts) -> DataFacts:
    """The facts of what the network sees at a time: those of the crops where there are any."""
    side = crop_side(recipe, facts)
    return facts.model_copy(update={"height": side, "width": side, "mixed": False}) if side else facts
