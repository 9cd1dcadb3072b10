"""From a study to a bundle: the best trial's weights with everything that is known of them."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from optuna.artifacts import get_all_artifact_meta
from optuna.trial import FrozenTrial
from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors

from search.errors import UsageError
from search.outcome.bundle import check_target, write_bundle
from search.outcome.contents import BundleContents
from search.studies.queries import best_of, trials_of
from search.studies.study import OpenStudy, open_study
from search.training.epoch import EpochRecord
from search.training.metrics import scores
from search.worker.job_files import normalisation
from storage.artifacts.artifact_store import load_file
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import kept_weights
from storage.studies.epochs import curve


def export_trial(store: Store, study: str, out: Path, *, trial: int | None, home: Path) -> int:
    """Write the bundle of the best trial, or of the one of that number; returns the number.

    Raises StudyError for an unknown study, UsageError when there is no such trial or its weights are not kept,
    BundleError when the bundle cannot be written or does not prove itself.
    """
    check_target(out)
    opened = open_study(store, study, home)
    chosen = _chosen(store, study, trial)
    artifact = {kept.trial: kept.artifact for kept in kept_weights(store, study)}.get(chosen.number)
    if artifact is None:
        kept = ", ".join(str(k.trial) for k in kept_weights(store, study)) or "none"
        raise UsageError(f"trial {chosen.number} of study {study}: its weights are not kept, those of {kept} are")
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        weights = Path(folder) / "weights.safetensors"
        load_file(store.artifacts, artifact, weights)
        write_bundle(out, _contents(store, opened, chosen, weights, _pictures(store, chosen, Path(folder))))
    return chosen.number


def _chosen(store: Store, study: str, number: int | None) -> FrozenTrial:
    trials = trials_of(store, study)
    if number is None:
        best = best_of(trials)
        if best is None:
            raise UsageError(f"study {study}: no trial is complete yet, let it run first (marsearch work {study})")
        return best
    if number >= len(trials):
        raise UsageError(
            f"study {study}: there is no trial {number}, it has {len(trials)} (see marsearch trials {study})"
        )
    return trials[number]


def _contents(
    store: Store, opened: OpenStudy, trial: FrozenTrial, weights: Path, pictures: tuple[Path, ...]
) -> BundleContents:
    validation = np.asarray(opened.validation, dtype=np.int64)
    try:
        tensors = load_tensors(weights)
        mean, std = normalisation(tensors)
    except (SafetensorError, KeyError) as error:
        raise UsageError(
            f"trial {trial.number}: its weights in the artifact store are damaged ({error}): export another trial"
        ) from error
    return BundleContents(
        recipe=opened.recipe(trial),
        facts=opened.facts,
        weights=tensors,
        mean=mean,
        std=std,
        scores=scores(np.asarray(trial.user_attrs["confusion"], dtype=np.int64), opened.facts),
        epoch=int(trial.user_attrs["best_epoch"]),
        data_digest=opened.config.data_digest,
        study=opened.config.study,
        trial=trial.number,
        validation_images=opened.dataset.images[validation],
        validation_masks=opened.dataset.masks[validation],
        ignore_label=opened.dataset.ignore_label,
        pictures=pictures,
        curve=curve(store, opened.config.study, trial.number, EpochRecord),
    )


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
