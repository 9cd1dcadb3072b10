"""One training without a study, from a recipe and a data set to a bundle."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from search.commands.bundle import bundle_contents
from search.commands.own_device import own_device
from search.errors import BundleError, Diverged, TrainingFailed
from search.outcome.bundle import check_target, keep_weights, write_bundle
from search.outcome.contents import BundleContents
from search.outcome.pictures.figures import draw_trial
from search.outcome.predict import predict_labels
from search.studies.objective import objective_for, objective_note
from search.training.arrays import label_counts
from search.training.device import claimed, out_of_memory
from search.training.fit import fit
from search.training.metrics import Objective, best_constant, both
from search.training.pieces.windows import window_of
from search.worker.job import TrainingJob, run_epochs
from search.worker.job_files import panel_samples, samples_of, training_data
from search.worker.protocol import EpochEnd, Message
from spaces import Recipe
from spaces.modules.networks.network import build_network
from storage.data.dataset import Dataset
from storage.data.quality.examination import Examination, examine
from storage.temporary_folder import temporary_folder


def train_one(
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    *,
    source: str,
    clean: str,
    epochs: int | None,
    seed: int,
    device: str,
    objective: Objective | None = None,
    say: Callable[[str], None],
) -> None:
    """Train the recipe on a data set and write the bundle to out.

    source: what the data are called in messages. clean: the rule for contaminated samples. epochs: None for the
    recipe's own. seed: of split and training. say: takes notes on the data, then a line per epoch.
    objective: by which the epoch is chosen; None for the lenient mean, or the strict one where a constant answer wins.
    Raises UsageError, BundleError, or TrainingFailed when the training diverges or memory does not suffice.
    """
    check_target(out)
    torch_device = own_device(device, say)
    changes = {"epochs": epochs} if epochs is not None else {}
    optimisation = recipe.optimisation.model_copy(update=changes)
    recipe = recipe.model_copy(update={"optimisation": optimisation, "seed": seed})
    found = examine(dataset, source, clean=clean, seed=seed)
    for note in found.report.notes:
        say(note)
    data = training_data(dataset, recipe.data.cleaning, samples_of(found.split, Path(source), ()))
    counts = label_counts(data.validation_masks, dataset.classes, dataset.ignore_label)
    constant = best_constant(counts, data.facts)
    chosen = objective or objective_for(constant)
    if note := objective_note(chosen, objective, constant):
        say(note)

    def show(message: Message) -> None:
        if isinstance(message, EpochEnd):
            record, last = message.record, recipe.optimisation.epochs
            score = f"mIoU {both(record.miou, record.miou_strict)}, {constant}"
            say(f"epoch {record.number}/{last}  loss {record.train_loss:.4f}  {score}  {record.seconds:.1f} s")

    with _training_on(torch_device):
        training = TrainingJob(epochs=fit(recipe, data, device=torch_device, objective=chosen))
        run_epochs(1, training, None, show)
    kept = keep_weights(out, recipe, training.weights)
    try:
        _write(out, recipe, dataset, found, training, torch_device, say)
    except Exception as error:  # whatever it is, the training is done and its weights are good
        why = " ".join(str(error).split()) or type(error).__name__
        raise BundleError(f"the bundle is not finished ({why}): the trained weights are in {kept}") from error
    if kept != out.resolve():
        shutil.rmtree(kept)


@contextmanager
def _training_on(device: str) -> Iterator[None]:
    """Claims the device; a training that diverges or lacks memory ends in TrainingFailed."""
    try:
        with claimed(torch.device(device)):
            yield
    except Diverged as error:
        raise TrainingFailed(str(error)) from error
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        why = " ".join(str(error).split())[:300] or "no message"
        raise TrainingFailed(f"out of memory: {why}: a smaller batch or fewer filters need less") from error


def _write(
    out: Path,
    recipe: Recipe,
    dataset: Dataset,
    found: Examination,
    training: TrainingJob,
    device: str,
    say: Callable[[str], None],
) -> None:
    validation = found.split.validation.tolist()
    best, records = training.history[training.best - 1], tuple(training.history)
    contents = bundle_contents(
        dataset,
        validation,
        recipe,
        training.weights,
        best.confusion,
        epoch=best.number,
        curve=records,
        report=found.report,
    )
    say(f"kept are the weights of number {best.number}: {contents.validation}")
    samples = np.asarray(panel_samples(dataset, validation), dtype=np.int64)
    with temporary_folder() as folder:
        try:
            pictures = _draw(folder, contents, dataset, samples, device)
        except Exception as error:  # the bundle is good without
            say(f"the bundle has no pictures: {' '.join(str(error).split())}")
            pictures = ()
        write_bundle(out, replace(contents, pictures=pictures), device=device)


def _draw(
    folder: Path, contents: BundleContents, dataset: Dataset, samples: NDArray[np.int64], device: str
) -> tuple[Path, ...]:
    """The pictures of a training: of these samples of its data with their masks, and of its curve."""
    network = build_network(contents.recipe, contents.facts, mean=contents.mean, std=contents.std)
    network.load_state_dict(dict(contents.weights))
    size = contents.recipe.optimisation.batch_size
    images, sizes = dataset.images[samples], None if dataset.sizes is None else dataset.sizes[samples]
    window = window_of(contents.recipe, contents.facts)
    labels = predict_labels(network, images, batch_size=size, device=device, sizes=sizes, window=window)
    return draw_trial(
        folder,
        title=f"mIoU {both(contents.scores.miou, contents.scores.miou_strict)}",
        images=images,
        truth=dataset.masks[samples],
        prediction=labels,
        sizes=sizes,
        facts=contents.facts,
        ignore_label=contents.ignore_label,
        epochs=contents.curve,
        scores=contents.scores,
        kept=contents.epoch,
    )
