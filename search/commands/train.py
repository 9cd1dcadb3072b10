"""One training without a study, to a bundle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from search.errors import TrainingFailed, UsageError
from search.outcome.bundle import check_target, write_bundle
from search.outcome.contents import BundleContents
from search.outcome.figures import draw_trial
from search.studies.create import VALIDATION_SHARE
from search.training.arrays import TrainingData
from search.training.fit import Diverged, fit
from search.training.metrics import scores
from search.training.predict import predict_labels
from search.worker.devices import device_slots
from search.worker.job import TrainingJob, run_epochs
from search.worker.job_files import normalisation, panel_samples, training_data
from search.worker.protocol import EpochEnd, Message
from spaces import Recipe
from spaces.modules.networks.network import build_network
from storage.data.dataset import Dataset
from storage.data.outliers import find_outliers
from storage.data.split import split_dataset


def train_one(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    epochs: int | None,
    seed: int,
    device: str,
    say: Callable[[str], None],
) -> None:
    """Train the recipe on a data set and write the bundle to out.

    epochs: None for the recipe's own. seed: of split and training. say: takes a line per epoch.
    Raises UsageError, BundleError, or TrainingFailed when the training diverges.
    """
    check_target(out)
    torch_device = device_slots(device, 1, Path())[0].device
    changes = {"epochs": epochs} if epochs is not None else {}
    optimisation = recipe.optimisation.model_copy(update=changes)
    recipe = recipe.model_copy(update={"optimisation": optimisation, "seed": seed})
    split = split_dataset(dataset, seed=seed, validation=VALIDATION_SHARE, contaminated=find_outliers(dataset, "mask"))
    if not len(split.train) or not len(split.validation):
        raise UsageError("too few samples (or groups) to train and to validate, more are needed")
    arrays = training_data(dataset, recipe.data.cleaning, split.train.tolist(), split.validation.tolist())
    training = _train(recipe, arrays, torch_device, say)
    _write(out, recipe, dataset, arrays, split.validation.tolist(), training, torch_device)


def _train(recipe: Recipe, data: TrainingData, device: str, say: Callable[[str], None]) -> TrainingJob:
    """Train as a worker does, without checkpoints."""

    def show(message: Message) -> None:
        if isinstance(message, EpochEnd):
            record, epochs = message.record, recipe.optimisation.epochs
            score = f"mIoU {record.miou:.4f} (strict {record.miou_strict:.4f})"
            say(f"epoch {record.number}/{epochs}  loss {record.train_loss:.4f}  {score}  {record.seconds:.1f} s")

    training = TrainingJob(epochs=fit(recipe, data, device=device))
    try:
        run_epochs(1, training, None, show)
    except Diverged as error:
        raise TrainingFailed(str(error)) from error
    return training


def _write(
    out: Path,
    recipe: Recipe,
    dataset: Dataset,
    data: TrainingData,
    validation: list[int],
    training: TrainingJob,
    device: str,
) -> None:
    best, weights = training.history[training.best - 1], training.weights
    reached = scores(best.confusion, data.facts)
    mean, std = normalisation(weights)
    network = build_network(recipe, data.facts, mean=mean, std=std)
    network.load_state_dict(weights)
    samples = np.asarray(panel_samples(dataset, validation), dtype=np.int64)
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        pictures = draw_trial(
            Path(folder),
            title=f"mIoU {best.miou:.4f} (strict {best.miou_strict:.4f})",
            images=dataset.images[samples],
            truth=dataset.masks[samples],
            prediction=predict_labels(network, dataset.images[samples], device=device),
            facts=data.facts,
            ignore_label=dataset.ignore_label,
            epochs=training.history,
            scores=reached,
        )
        contents = BundleContents(
            recipe=recipe,
            facts=data.facts,
            weights=weights,
            mean=mean,
            std=std,
            scores=reached,
            epoch=best.number,
            data_digest=dataset.digest,
            validation_images=data.validation_images,
            validation_masks=data.validation_masks,
            ignore_label=dataset.ignore_label,
            pictures=pictures,
            curve=tuple(training.history),
        )
        write_bundle(out, contents, device=device)
