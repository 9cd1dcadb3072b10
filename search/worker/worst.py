"""The validation images on which a training's network does worst, for each class: found once, when it has ended.

Shapes: S images are kept, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spaces import DataFacts
from storage.data.canvas import own_part

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from search.training.arrays import TrainingData
    from spaces import Recipe

WORST = "worst.npz"
PER_CLASS = 12
MOST_IMAGES = 2000  # of the validation part that are looked at


@dataclass(frozen=True, kw_only=True, eq=False)
class WorstImages:
    """samples: (S,) places in the validation part. iou: (S, K), NaN where the truth lacks the class. labels: S maps."""

    samples: NDArray[np.int64]
    iou: NDArray[np.float64]
    labels: tuple[NDArray[np.uint8], ...]


def save_worst(out: Path, recipe: Recipe, data: TrainingData, weights: Mapping[str, Tensor], device: str) -> None:
    """Label the validation images by these weights and write the worst ones into the folder."""
    from search.outcome.predict import predict_labels
    from search.training.pieces.windows import window_of
    from spaces.modules.networks.network import build_network

    channels = data.facts.channels
    network = build_network(recipe, data.facts, mean=(0.0,) * channels, std=(1.0,) * channels)
    network.load_state_dict(dict(weights))
    images, masks = data.validation_images[:MOST_IMAGES], data.validation_masks[:MOST_IMAGES]
    sizes = None if data.validation_sizes is None else data.validation_sizes[:MOST_IMAGES]
    window, size = window_of(recipe, data.facts), recipe.optimisation.batch_size
    labels = predict_labels(network, images, batch_size=size, device=device, sizes=sizes, window=window)
    iou = np.stack([image_iou(*pair, data.facts, data.ignore_label) for pair in zip(labels, masks, strict=True)])
    kept = worst_places(iou)
    found = (own_part(labels, sizes, place) for place in kept)
    np.savez_compressed(out / WORST, *found, samples=np.array(kept), iou=iou[kept])


def read_worst(out: Path) -> WorstImages | None:
    """What `save_worst` wrote; None where it wrote nothing."""
    if not (out / WORST).is_file():
        return None
    with np.load(out / WORST, allow_pickle=False) as file:
        labels = tuple(file[f"arr_{place}"] for place in range(len(file["samples"])))
        return WorstImages(samples=file["samples"], iou=file["iou"], labels=labels)


def image_iou(
    labels: NDArray[np.uint8], truth: NDArray[np.uint8], facts: DataFacts, ignore_label: int | None
) -> NDArray[np.float64]:
    """IoU per class (K,) on one image, as the lenient mean counts it; NaN where the truth lacks the class."""
    judged = ~np.isin(truth, [*facts.excluded_labels, *([] if ignore_label is None else [ignore_label])])
    found = np.full(facts.classes, np.nan)
    for k in range(facts.classes):
        real, said = (truth == k) & judged, (labels == k) & judged
        if real.any():
            found[k] = (real & said).sum() / (real | said).sum()
    return found


def worst_places(iou: NDArray[np.float64]) -> list[int]:
    """The images, in order, that are among the `PER_CLASS` worst of some class."""
    return sorted({place for k in range(iou.shape[1]) for place in worst_of(iou[:, k])})


def worst_of(iou: Sequence[float] | NDArray[np.float64]) -> list[int]:
    """The places of the smallest values, the smallest first; NaN is none."""
    known = [place for place, value in enumerate(iou) if not np.isnan(value)]
    return sorted(known, key=lambda place: (iou[place], place))[:PER_CLASS]
