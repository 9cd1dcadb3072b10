"""Bundles: of one training without a study, and of a study's best trial with everything that is known of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial
from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors
from torch import Tensor

from search.errors import TrainingFailed, UsageError
from search.outcome.bundle import check_target, write_bundle
from search.outcome.contents import BundleContents
from search.outcome.pictures.figures import draw_trial
from search.studies.create import VALIDATION_SHARE
from search.studies.study import open_study
from search.training.epoch import EpochRecord
from search.training.fit import Diverged, fit
from search.training.metrics import scores
from search.training.predict import predict_labels
from search.worker.devices import device_slots
from search.worker.job import TrainingJob, run_epochs
from search.worker.job_files import facts_of, normalisation, panel_samples, training_data
from search.worker.protocol import EpochEnd, Message
from spaces import Recipe
from spaces.modules.networks.network import build_network
from storage.artifacts.artifact_store import load_file
from storage.data.dataset import Dataset
from storage.data.outliers import find_outliers
from storage.data.split import split_dataset
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import kept_weights
from storage.studies.epochs import curve
from storage.studies.studies import trials_of
from storage.trials.queries import best_of


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
    train, validation = split.train.tolist(), split.validation.tolist()
    if not train or not validation:
        raise UsageError("too few samples (or groups) to train and to validate, more are needed")
    data = training_data(dataset, recipe.data.cleaning, train, validation)
    training = TrainingJob(epochs=fit(recipe, data, device=torch_device))

    def show(message: Message) -> None:
        if isinstance(message, EpochEnd):
            record, last = message.record, recipe.optimisation.epochs
            score = f"mIoU {record.miou:.4f} (strict {record.miou_strict:.4f})"
            say(f"epoch {record.number}/{last}  loss {record.train_loss:.4f}  {score}  {record.seconds:.1f} s")

    try:
        run_epochs(1, training, None, show)
    except Diverged as error:
        raise TrainingFailed(str(error)) from error
    _write(out, recipe, dataset, validation, training, torch_device)


def export_trial(store: Store, study: str, out: Path, *, trial: int | None, home: Path) -> int:
    """Write the bundle of the best trial, or of the one of that number; returns the number.

    Raises StudyError for an unknown study, UsageError when there is no such trial or its weights are not kept,
    BundleError when the bundle cannot be written or does not prove itself.
    """
    check_target(out)
    opened, chosen = open_study(store, study, home), _chosen(store, study, trial)
    kept = {weights.trial: weights.artifact for weights in kept_weights(store, study)}
    number, known = chosen.number, chosen.user_attrs
    if number not in kept:
        others = ", ".join(map(str, kept)) or "none"
        raise UsageError(f"trial {number} of study {study}: its weights are not kept, those of {others} are")
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        weights = _weights(store, kept[number], number, Path(folder))
        contents = _contents(
            opened.dataset,
            opened.validation,
            opened.recipe(chosen),
            weights,
            known["confusion"],
            epoch=int(known["best_epoch"]),
            study=study,
            trial=number,
            pictures=_pictures(store, chosen, Path(folder)),
            curve=curve(store, study, number, EpochRecord),
        )
        write_bundle(out, contents)
    return number


def _contents(
    dataset: Dataset,
    validation: Sequence[int],
    recipe: Recipe,
    weights: Mapping[str, Tensor],
    confusion: Sequence[Sequence[int]],
    **known: Any,
) -> BundleContents:
    """What a bundle is made from. known: its fields that come neither from the data nor from the weights."""
    facts, samples = facts_of(dataset), np.asarray(validation, dtype=np.int64)
    mean, std = normalisation(weights)
    return BundleContents(
        recipe=recipe,
        facts=facts,
        weights=weights,
        mean=mean,
        std=std,
        scores=scores(np.asarray(confusion, dtype=np.int64), facts),
        data_digest=dataset.digest,
        validation_images=dataset.images[samples],
        validation_masks=dataset.masks[samples],
        ignore_label=dataset.ignore_label,
        **known,
    )


def _write(
    out: Path, recipe: Recipe, dataset: Dataset, validation: list[int], training: TrainingJob, device: str
) -> None:
    best, records = training.history[training.best - 1], tuple(training.history)
    contents = _contents(
        dataset, validation, recipe, training.weights, best.confusion, epoch=best.number, curve=records
    )
    network = build_network(recipe, contents.facts, mean=contents.mean, std=contents.std)
    network.load_state_dict(training.weights)
    samples = np.asarray(panel_samples(dataset, validation), dtype=np.int64)
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        pictures = draw_trial(
            Path(folder),
            title=f"mIoU {best.miou:.4f} (strict {best.miou_strict:.4f})",
            images=dataset.images[samples],
            truth=dataset.masks[samples],
            prediction=predict_labels(network, dataset.images[samples], device=device),
            facts=contents.facts,
            ignore_label=dataset.ignore_label,
            epochs=training.history,
            scores=contents.scores,
        )
        write_bundle(out, replace(contents, pictures=pictures), device=device)


def _chosen(store: Store, study: str, number: int | None) -> FrozenTrial:
    trials = trials_of(store, study)
    found = best_of(trials) if number is None else next(iter(trials[number : number + 1]), None)
    if found is not None:
        return found
    if number is None:
        raise UsageError(f"study {study}: no trial is complete yet, let it run first (marsearch work {study})")
    raise UsageError(f"study {study}: there is no trial {number}, it has {len(trials)} (see marsearch trials {study})")


def _weights(store: Store, artifact: str, number: int, folder: Path) -> dict[str, Tensor]:
    path = folder / "weights.safetensors"
    load_file(store.artifacts, artifact, path)
    try:
        weights = load_tensors(path)
        normalisation(weights)
    except (SafetensorError, KeyError) as error:
        raise UsageError(
            f"trial {number}: its weights in the artifact store are damaged ({error}): export another trial"
        ) from error
    return weights


def _pictures(store: Store, trial: FrozenTrial, folder: Path) -> tuple[Path, ...]:
    """The trial's artifacts as files; their names come from the database, so only the last part counts.

    Pictures that have not arrived in the artifact store are left out: the bundle is good without them.
    """
    files = []
    for meta in get_all_artifact_meta(trial, storage=store.trials):
        path = folder / "pictures" / Path(meta.filename).name
        if not path.name.isprintable():  # no database of ours, and no name that a bundle may list
            continue
        path.parent.mkdir(exist_ok=True)
        with suppress(ArtifactError):
            load_file(store.artifacts, meta.artifact_id, path)
            files.append(path)
    return tuple(sorted(files))
