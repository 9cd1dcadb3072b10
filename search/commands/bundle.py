"""The bundle of a study's best trial, with everything that is known of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial
from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors
from torch import Tensor

from search.errors import BundleError, UsageError
from search.outcome.bundle import check_target, network_of, write_bundle
from search.outcome.contents import BundleContents
from search.outcome.evaluation import evaluate
from search.outcome.pictures.worst import LAYERS
from search.studies.choice import chosen as chosen_trial
from search.studies.study import OpenStudy, open_study
from search.training.epoch import EpochRecord
from search.training.metrics import scores
from search.worker.job_files import facts_of
from spaces import Recipe
from storage.artifacts.artifact_store import load_file
from storage.data.dataset import Dataset
from storage.data.quality.scale import pixels_of
from storage.database.engine import writable
from storage.errors import ArtifactError, DatabaseError
from storage.store import Store
from storage.studies.attempts import kept_weights
from storage.studies.epochs import curve
from storage.studies.holdout import looks, note_look
from storage.studies.studies import load_config
from storage.temporary_folder import temporary_folder


def export_trial(
    store: Store, study: str, out: Path, *, trial: int | None, home: Path, say: Callable[[str], object] = lambda _: None
) -> int:
    """Write the bundle of the best trial, or of the one of that number; returns the number.

    Now that the choice is made, the trial is scored on the holdout, if the study has one, and that is noted. say: takes
    a sentence on each score.

    Raises StudyError for an unknown study, UsageError when there is no such trial or its weights are not kept,
    BundleError when the bundle cannot be written or does not prove itself.
    """
    check_target(out)
    with ExitStack() as place:
        # What may only be looked at has no room for a copy of the data.
        cache = home if os.access(home, os.W_OK | os.X_OK) else place.enter_context(temporary_folder())
        load_config(store, study)  # that there is none is said first
        chosen = chosen_trial(store, study, trial)  # before the data are fetched
        opened = open_study(store, study, cache)
    kept = {weights.trial: weights.artifact for weights in kept_weights(store, study)}
    number, known = chosen.number, chosen.user_attrs
    if number not in kept:
        others = ", ".join(map(str, kept)) or "none"
        raise UsageError(f"trial {number} of study {study}: its weights are not kept, those of {others} are")
    with temporary_folder() as folder:
        weights = _weights(store, kept[number], number, folder)
        contents = bundle_contents(
            opened.dataset,
            opened.validation,
            opened.recipe(chosen),
            weights,
            known["confusion"],
            epoch=int(known["best_epoch"]),
            study=study,
            trial=number,
            pictures=_pictures(store, chosen, folder),
            curve=curve(store, study, number, EpochRecord),
            report=opened.report if opened.config.report else None,
        )
        contents = _with_holdout(store, study, opened, contents, say)
        try:
            write_bundle(out, contents)
        except Exception as error:  # whatever it is, a person wants to know that nothing is lost
            why = " ".join(str(error).split()) or type(error).__name__
            raise BundleError(f"{why}; the weights stay in the artifact store as {kept[number]}") from error
    say(f"on {contents.validation.images} validation images: {contents.validation}")
    if contents.holdout is not None:
        look = "first look" if contents.looks == 1 else f"look {contents.looks}"
        say(f"on {contents.holdout.images} images held out, {look}: {contents.holdout}")
    return number


def _with_holdout(
    store: Store, study: str, opened: OpenStudy, contents: BundleContents, say: Callable[[str], object]
) -> BundleContents:
    """The contents with the scores on the holdout, where there is one, and how often the study was scored on it."""
    samples, dataset = opened.split.holdout, opened.dataset
    if not len(samples) or contents.trial is None:
        return contents
    network = network_of(contents)
    found, _ = evaluate(
        network,
        contents.recipe,
        dataset.images[samples],
        dataset.masks[samples],
        contents.facts,
        ignore_label=dataset.ignore_label,
        sizes=None if dataset.sizes is None else dataset.sizes[samples],
    )
    try:
        number = note_look(store, study, contents.trial, found.scores.miou, found.scores.miou_strict)
    except DatabaseError as error:
        if writable(store.url):
            raise
        number = len(looks(store, study)) + 1
        say(f"the study does not count this look at its holdout: {error}")
    return replace(contents, holdout=found, looks=number)


def bundle_contents(
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
        pixels=pixels_of(dataset),
        scores=scores(np.asarray(confusion, dtype=np.int64), facts),
        data_digest=dataset.digest,
        validation_images=dataset.images[samples],
        validation_masks=dataset.masks[samples],
        validation_sizes=None if dataset.sizes is None else dataset.sizes[samples],
        ignore_label=dataset.ignore_label,
        **known,
    )


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
        if path.name in LAYERS:
            continue
        if not path.name.isprintable():  # no database of ours, and no name that a bundle may list
            continue
        path.parent.mkdir(exist_ok=True)
        with suppress(ArtifactError):
            load_file(store.artifacts, meta.artifact_id, path)
            files.append(path)
    return tuple(sorted(files))


def normalisation(weights: Mapping[str, Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, as the network's buffers hold them."""
    mean, std = (tuple(float(value) for value in weights[name].flatten()) for name in ("mean", "std"))
    return mean, std
