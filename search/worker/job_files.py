"""What a training reads and writes: the arrays that go in, and the files that come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from search.training.arrays import TrainingData
from search.worker.protocol import Samples
from spaces import DataFacts
from storage.data.quality.outliers import contamination
from storage.data.quality.pixels import draw_in, labelled_range

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from search.worker.protocol import Train
    from storage.data.dataset import Dataset
    from storage.data.split import Split

WEIGHTS = "weights.safetensors"
PANEL = "panel.npz"


def facts_of(dataset: Dataset) -> DataFacts:
    """What the search space depends on of a data set."""
    return DataFacts(
        channels=dataset.channels,
        height=dataset.height,
        width=dataset.width,
        class_names=dataset.class_names,
        excluded=dataset.excluded,
        colours=dataset.card.colours,
        mixed=dataset.sizes is not None,
    )


def samples_of(split: Split, path: Path, panel: Sequence[int]) -> Samples:
    """What a training takes of a data set's file. panel: the validation samples whose prediction is kept."""
    parts = (split.train, split.validation, split.contaminated)
    train, validation, contaminated = (tuple(part.tolist()) for part in parts)
    return Samples(path=str(path), train=train, validation=validation, contaminated=contaminated, panel=tuple(panel))


def training_data(dataset: Dataset, cleaning: str, samples: Samples) -> TrainingData:
    """The two parts of a split as arrays, the training part cleaned as the recipe says.

    cleaning: mask leaves out what the study's rule found, none keeps it, another rule finds samples of its own.
    Values far outside those of the labelled pixels are drawn in, see `labelled_range`.
    """
    kept = np.asarray(samples.train, dtype=np.int64)
    if cleaning == "mask":
        kept = np.setdiff1d(kept, np.asarray(samples.contaminated, dtype=np.int64))
    else:
        kept = kept[~contamination(dataset, cleaning).samples[kept]]
    measured = np.asarray(samples.validation, dtype=np.int64)
    images, masks = dataset.images[kept], dataset.masks[kept]
    bounds = labelled_range(images, masks, dataset.ignore_label)
    return TrainingData(
        train_images=draw_in(images, bounds),
        train_masks=masks,
        validation_images=draw_in(dataset.images[measured], bounds),
        validation_masks=dataset.masks[measured],
        facts=facts_of(dataset),
        ignore_label=dataset.ignore_label,
        bounds=bounds,
        shown=tuple(int(np.flatnonzero(measured == sample)[0]) for sample in samples.panel),
        train_sizes=None if dataset.sizes is None else dataset.sizes[kept],
        validation_sizes=None if dataset.sizes is None else dataset.sizes[measured],
    )


def panel_samples(dataset: Dataset, validation: Sequence[int], count: int = 6) -> tuple[int, ...]:
    """The validation samples that every trial of a study shows: those with the rarest classes first, fixed.

    count: at most so many.
    """
    indices = np.asarray(sorted(validation), dtype=np.int64)
    masks = dataset.masks[indices]
    present = np.stack([(masks == k).any(axis=(1, 2)) for k in range(dataset.classes)], axis=1)
    rarity = present @ (1.0 / np.maximum(present.sum(axis=0), 1))
    return tuple(int(i) for i in indices[np.argsort(-rarity, kind="stable")[:count]])


def save_weights(job: Train, best: Mapping[str, Tensor]) -> None:
    """Write the weights that count into the job's directory: before all else, since nothing may cost them.

    Not through to the disk: the host, whose directory it is, reads them before it says that the training is done.
    """
    from safetensors.torch import save

    weights = {name: tensor.contiguous() for name, tensor in best.items()}
    (Path(job.out) / WEIGHTS).write_bytes(save(weights))


def save_panel(job: Train, shown: Tensor) -> None:
    """Write the labels of the panel's samples, uint8 (P, H, W), into the job's directory.

    Raises ValueError for labels of fewer: those of an older checkpoint.
    """
    if len(shown) != len(job.samples.panel):
        raise ValueError(f"{len(shown)} of {len(job.samples.panel)} images have labels")
    np.savez_compressed(Path(job.out) / PANEL, labels=shown.cpu().numpy())


def read_panel(out: Path) -> NDArray[np.uint8]:
    """The predicted labels (P, H, W) of the panel's samples."""
    with np.load(out / PANEL, allow_pickle=False) as file:
        labels: NDArray[np.uint8] = file["labels"]
    return labels
