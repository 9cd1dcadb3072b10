"""What a completed training leaves: facts and pictures at its trial, its weights in the artifact store."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import numpy as np
from optuna.exceptions import OptunaError
from optuna.trial import Trial

from search.host.attempt import Completed
from search.host.context import HostContext
from search.host.reporter import describe
from search.outcome.pictures.figures import CONFUSION_CSV, RECIPE, draw_trial, write_confusion_csv
from search.outcome.pictures.label_maps import LABELS, draw_label_maps
from search.outcome.pictures.worst import draw_worst
from search.training.metrics import both, scores
from search.worker.job_files import WEIGHTS, read_panel
from search.worker.moments import read_moments
from search.worker.worst import read_worst
from spaces import dump_recipe
from storage.data.canvas import own_parts
from storage.database.optuna_schema import trial_id_of
from storage.errors import ArtifactError, DatabaseError, StudyError
from storage.studies.attempts import Ending, drop_weights, kept_weights
from storage.trials.queries import best_of, rank

_logger = logging.getLogger(__name__)
_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".csv": "text/csv",
    ".yaml": "text/plain",
}


def store_result(context: HostContext, trial: Trial, result: Completed, out: Path) -> Ending:
    """Keep what the training came to, before the trial is settled: its facts, its pictures, and its weights.

    out: the folder that the worker left its files in. How the trial is to be settled: with the id of its weights unless
    they are not among the best, or wait for the artifact store. Raises UpdateFinishedTrialError when the trial is not
    running any more.
    """
    best = result.best_epoch
    describe(trial, context.opened, result.epochs, best)
    try:
        attach_pictures(context, trial, result, out)
    except (DatabaseError, StudyError, OptunaError):
        raise
    except Exception as error:  # whatever it is, the training is done and its weights are good
        _logger.warning("trial %d has no pictures: %s", trial.number, " ".join(str(error).split()))
    weights = _send_weights(context, trial, rank(result.value, best.parameters, trial.number), out)
    return Ending(state="complete", value=result.value, parameters=best.parameters, weights_artifact=weights)


def drop_surplus_weights(context: HostContext) -> None:
    """Keep the weights of the best trials only; an artifact store that is away keeps more until the next time."""
    with suppress(ArtifactError), context.state.weights:
        for surplus in kept_weights(context.store, context.opened.config.study)[context.opened.config.keep :]:
            drop_weights(context.store, surplus.trial_id)


def _send_weights(context: HostContext, trial: Trial, place: tuple[float, float, int], out: Path) -> str:
    """Store the weights if the trial is among the best K so far, by this rank; their id if they have arrived."""
    config = context.opened.config
    with context.state.weights:
        kept = kept_weights(context.store, config.study)
    if sum(other.rank < place for other in kept) >= config.keep:
        return ""
    artifact = f"weights-{context.stem}-{trial.number}.safetensors"
    try:
        sent = context.outbox.send_weights(artifact, out / WEIGHTS, trial_id_of(trial), config.study)
    except ArtifactError as error:
        _logger.warning("trial %d is done, but its weights are lost: %s", trial.number, error)
        return ""
    return artifact if sent else ""


def attach_pictures(context: HostContext, trial: Trial, result: Completed, out: Path) -> None:
    """Draw the trial's pictures into out and upload them; must come before the trial is told.

    Raises ArtifactError when they cannot be kept.
    """
    opened, best = context.opened, result.best_epoch
    samples = np.asarray(opened.panel, dtype=np.int64)
    sizes = None if opened.dataset.sizes is None else opened.dataset.sizes[samples]
    files = draw_trial(
        out,
        title=f"trial {trial.number}, mIoU {both(best.miou, best.miou_strict)}, {opened.constant}",
        images=opened.dataset.images[samples],
        truth=opened.dataset.masks[samples],
        prediction=read_panel(out),
        sizes=sizes,
        facts=opened.space.facts,
        ignore_label=opened.dataset.ignore_label,
        epochs=result.epochs,
        scores=scores(best.confusion, opened.space.facts),
        kept=best.number,
    )
    draw_label_maps(
        out / LABELS,
        truth=own_parts(opened.dataset.masks[samples], sizes),
        moments={epoch: own_parts(labels, sizes) for epoch, labels in read_moments(out).items()},
        facts=opened.space.facts,
        ignore_label=opened.dataset.ignore_label,
    )
    from optuna.artifacts import upload_artifact  # here: it loads boto3, and every command loads this file

    (out / RECIPE).write_text(dump_recipe(result.recipe), "utf-8")
    write_confusion_csv(out / CONFUSION_CSV, best.confusion, opened.space.facts)
    leads = best_of(trial.study.get_trials(deepcopy=False))
    worst = _worst_files(context, result, out) if leads is None or leads.values[0] < result.value else ()
    for file in (*files, out / RECIPE, out / CONFUSION_CSV, out / LABELS, *worst):
        upload_artifact(
            artifact_store=context.outbox, file_path=str(file), study_or_trial=trial, mimetype=_TYPES[file.suffix]
        )


def _worst_files(context: HostContext, result: Completed, out: Path) -> tuple[Path, ...]:
    """The worst images of a trial that is the best one now."""
    opened, found = context.opened, read_worst(out)
    if found is None or not len(found.samples):
        return ()
    samples = np.asarray(opened.validation, dtype=np.int64)[found.samples]
    sizes = None if opened.dataset.sizes is None else opened.dataset.sizes[samples]
    return draw_worst(
        out,
        epoch=result.best,
        samples=samples.tolist(),
        iou=found.iou,
        images=own_parts(opened.dataset.images[samples], sizes),
        truth=own_parts(opened.dataset.masks[samples], sizes),
        labels=found.labels,
        facts=opened.space.facts,
        ignore_label=opened.dataset.ignore_label,
    )
