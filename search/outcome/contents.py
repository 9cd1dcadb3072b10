"""Everything a bundle is made from, handed in at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from search.outcome.evaluation import Evaluation
from search.training.epoch import EpochRecord
from search.training.metrics import Scores
from spaces.crops import seen
from spaces.facts import DataFacts
from spaces.recipe import Recipe
from storage.data.quality.report import DataReport
from storage.data.quality.scale import Pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class BundleContents:
    """One trained network and what is known of it.

    recipe: how it was trained.
    facts: channels, size and classes of its data.
    weights: the network's state dict, the normalisation buffers included.
    mean, std: per channel, in the data's own scale; the same numbers as in the buffers.
    pixels: the numbers in the images of its data.
    scores: on the validation part, with exactly these weights.
    epoch: the epoch the weights are from, from 1.
    data_digest: of the data set, as `storage` computes it.
    study, trial: where it comes from; None for a training outside a study.
    validation_images: (M, H, W) or (M, H, W, 3) in the data's own scale; the scores are reproduced on them.
    validation_masks: labels (M, H, W).
    validation_sizes: height and width of each of them, (M, 2), where they stand on a canvas; None where all are equal.
    ignore_label: label of pixels that count nowhere; None if there is none.
    report: on its data; None for a study that has none.
    holdout: scores on the part that no trial saw; None without one. looks: how often the study was scored on it by now.
    pictures: files to copy into ``pictures/``, each with a name of its own.
    curve: the record of each epoch of the training; may be empty.
    """

    recipe: Recipe
    facts: DataFacts
    weights: Mapping[str, Tensor]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pixels: Pixels
    scores: Scores
    epoch: int
    data_digest: str
    study: str | None = None
    trial: int | None = None
    validation_images: NDArray[Any]
    validation_masks: NDArray[np.uint8]
    validation_sizes: NDArray[np.int32] | None = None
    ignore_label: int | None = None
    report: DataReport | None = None
    holdout: Evaluation | None = None
    looks: int = 0
    pictures: tuple[Path, ...] = ()
    curve: tuple[EpochRecord, ...] = ()

    @property
    def seen(self) -> DataFacts:
        """The facts of what the network saw at a time in its training: whole images, or crops of them."""
        return seen(self.recipe, self.facts)

    @property
    def validation(self) -> Evaluation:
        """The scores on the validation part, with what goes beside them."""
        return Evaluation(facts=self.facts, scores=self.scores, images=len(self.validation_images))
