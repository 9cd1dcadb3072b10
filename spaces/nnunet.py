"""The recipe that nnU-Net's rules choose for a data set: a strong first guess.

nnU-Net: Isensee et al. 2021 (Nature Methods 18), the rules as its second version has them for two dimensions.
"""

from __future__ import annotations

from typing import Final, get_args

from spaces.crops import planned_side
from spaces.facts import DataFacts
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet
from spaces.recipe.data_options import Augment, Geometry
from spaces.recipe.loss import CrossEntropy, Dice, Level, Loss

SMALLEST_EDGE: Final = 4  # pixels of the deepest map: an edge under twice this is not halved again
FIRST_FILTERS: Final = 32
MOST_FILTERS: Final = 512  # in two dimensions
REFERENCE_BATCH: Final = 12  # images that fit when one image's feature maps hold REFERENCE_NUMBERS
REFERENCE_NUMBERS: Final = 85_000_000
LARGEST_SHARE: Final = 0.05  # of the samples in one batch
LONG_IMAGE: Final = 1.5  # from this ratio of the edges on, images are hardly rotated
BATCH_SIZES: Final[tuple[int, ...]] = get_args(Optimisation.model_fields["batch_size"].annotation)


def plan(facts: DataFacts, samples: int = 0) -> Recipe:
    """The recipe for data with these facts; every value lies on our axes.

    samples: images in the training part, which cap the batch; 0 when not known.

    Where our axes end earlier than nnU-Net's rules (our reading): only images that are large or of several sizes
    are cut into patches, which are squares (`spaces.crops`); both edges are halved equally often, 2 to 6 times;
    rotation to 45 degrees for 180, noise to 0.3 for 0.316; of the levels below the output, the one in the middle of
    the decoder alone is supervised, with nnU-Net's weight for its size; a batch is the next smaller one that we have;
    zoom and rotation come to the same fifth of the images, noise, blur (to a sigma of 1, from 0 for 0.5), and
    brightness (added, where nnU-Net multiplies) with contrast each to a sixth (nnU-Net: 0.1 to 0.2); gamma and a
    simulated low resolution are left out. There is no early stop, and an epoch sees each image once instead of drawing
    250 batches: uncut images hold their foreground anyway, so that a third of a batch need not be drawn around it.
    """
    if side := planned_side(facts):
        facts = facts.model_copy(update={"height": side, "width": side, "mixed": False})
    depth = halvings(facts)
    return Recipe(
        model=UNet(
            depth=depth,
            filters=FIRST_FILTERS,
            growth=2.0,
            widest=MOST_FILTERS,
            norm="instance",
            activation="leaky_relu",
            upsampling="transposed",
        ),
        # The bottleneck is not supervised.
        loss=Loss(
            cross_entropy=CrossEntropy(),
            dice=Dice(excluded=False),
            level_weight=1.0,
            inter=Level(cross_entropy=CrossEntropy(), dice=Dice(excluded=False), level_weight=supervision(depth)),
            ignore_excluded=False,
        ),
        augment=_augment(facts),
        optimisation=_optimisation(batch_size(facts, samples)),
    )


def halvings(facts: DataFacts) -> int:
    """How often both edges are halved before the shorter one would fall under SMALLEST_EDGE, 2 to 6."""
    edge, count = min(facts.height, facts.width), 0
    while edge >= 2 * SMALLEST_EDGE:
        edge, count = (edge + 1) // 2, count + 1
    return min(6, max(2, count))


def supervision(depth: int) -> float:
    """What the level in the middle of a decoder of that many levels counts beside the output.

    Each level half as much as the next finer one, so it is the ratio of its edge to the image's.
    """
    return 0.5 ** (depth - 1 - (depth - 1) // 2)


def batch_size(facts: DataFacts, samples: int = 0) -> int:
    """As many images as fit the reference memory and LARGEST_SHARE of the samples: the next smaller batch we have."""
    wanted = round(REFERENCE_NUMBERS / numbers_per_image(facts) * REFERENCE_BATCH)
    if samples:
        wanted = min(wanted, round(samples * LARGEST_SHARE))
    return max((size for size in BATCH_SIZES if size <= wanted), default=min(BATCH_SIZES))


def numbers_per_image(facts: DataFacts) -> int:
    """How many numbers all convolutions of nnU-Net's network put out for one image: its measure of memory."""
    depth = halvings(facts)
    total = facts.classes * facts.height * facts.width
    for level in range(depth + 1):
        maps = min(MOST_FILTERS, FIRST_FILTERS * 2**level) * (facts.height >> level) * (facts.width >> level)
        # two convolutions in the encoder; in the decoder an upsampling and two more
        total += maps * (2 if level == depth else 5)
    return total


def _augment(facts: DataFacts) -> Augment:
    long = max(facts.height, facts.width) / min(facts.height, facts.width) > LONG_IMAGE
    return Augment(
        flip_horizontal=True,
        flip_vertical=True,
        probability=0.15,
        noise=0.3,
        blur=1.0,
        brightness=0.25,
        contrast=0.25,
        geometry=Geometry(probability=0.2, zoom=0.4, rotation=15.0 if long else 45.0),
    )


def _optimisation(batch: int) -> Optimisation:
    return Optimisation.model_validate(
        {
            "optimizer": "sgd",
            "lr": 1e-2,
            "momentum": 0.99,
            "weight_decay": 3e-5,
            "decayed": "all",
            "clip": 12.0,
            "schedule": "poly",
            "batch_size": batch,
            "epochs": 1000,
            "patience": 1000,
        }
    )
