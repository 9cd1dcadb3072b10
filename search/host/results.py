"""What a completed training leaves: facts and pictures at its trial, its weights in the artifact store."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from optuna.artifacts import upload_artifact
from optuna.trial import Trial

from search.host.context import HostContext
from search.host.outcomes import Completed
from search.host.reporter import TrialReporter
from search.outcome.figures import RECIPE, draw_trial
from search.studies.study import OpenStudy
from search.training.epoch import EpochRecord
from search.training.metrics import Scores, scores
from search.worker.job_files import WEIGHTS, read_panel
from spaces import DataFacts, Recipe, dump_recipe
from storage.artifacts.artifact_store import ArtifactStore
from storage.database.optuna_schema import trial_id_of
from storage.errors import ArtifactError
from storage.studies.attempts import drop_weights, kept_weights, rank

CONFUSION_CSV = "50_confusion.csv"  # pixels, rows are the truth; export reads it back where the trial does not say

_logger = logging.getLogger(__name__)
_TYPES = {".png": "image/png", ".csv": "text/csv", ".yaml": "text/plain"}


def store_result(context: HostContext, trial: Trial, done: Completed, out: Path) -> str:
    """Keep what the training came to, before the trial is settled: its facts, its pictures, and its weights.

    out: the folder that the worker left its files in. The id of the weights' artifact, "" when they are not among the
    best or wait for the artifact store. Raises UpdateFinishedTrialError when the trial is not running any more.
    """
    reporter, best = TrialReporter(context.store, context.opened, trial), done.result.best_epoch
    reporter.epochs.extend(done.result.epochs)
    reporter.describe(best)
    try:
        attach_pictures(context.outbox, trial, context.opened, done.result.recipe, done.result.epochs, best, out)
    except ArtifactError as error:
        _logger.warning("trial %d has no pictures: %s", trial.number, error)
    return _send_weights(context, trial, rank(done.value, best.parameters, trial.number), out)


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
    artifact = f"weights-{context.settings.stem}-{trial.number}.safetensors"
    try:
        sent = context.outbox.send_weights(artifact, out / WEIGHTS, trial_id_of(trial), config.study)
    except ArtifactError as error:
        _logger.warning("trial %d is done, but its weights are lost: %s", trial.number, error)
        return ""
    return artifact if sent else ""


def attach_pictures(
    artifacts: ArtifactStore,
    trial: Trial,
    opened: OpenStudy,
    recipe: Recipe,
    epochs: Sequence[EpochRecord],
    best: EpochRecord,
    out: Path,
) -> None:
    """Draw the trial's pictures into out and upload them; must come before the trial is told.

    Raises ArtifactError when they cannot be kept.
    """
    samples = np.asarray(opened.panel, dtype=np.int64)
    files = draw_trial(
        out,
        title=f"trial {trial.number}, mIoU {best.miou:.4f} (strict {best.miou_strict:.4f})",
        images=opened.dataset.images[samples],
        truth=opened.dataset.masks[samples],
        prediction=read_panel(out),
        facts=opened.space.facts,
        ignore_label=opened.dataset.ignore_label,
        epochs=epochs,
        scores=scores_of(best, opened.space.facts),
    )
    (out / RECIPE).write_text(dump_recipe(recipe), "utf-8")
    np.savetxt(out / CONFUSION_CSV, best.confusion, fmt="%d", delimiter=",")
    for file in (*files, out / RECIPE, out / CONFUSION_CSV):
        upload_artifact(
            artifact_store=artifacts,
            file_path=str(file),
            study_or_trial=trial,
            mimetype=_TYPES.get(file.suffix, "application/octet-stream"),
        )


def scores_of(epoch: EpochRecord, facts: DataFacts) -> Scores:
    """The scores of an epoch, from its confusion matrix."""
    found = scores(np.asarray(epoch.confusion, dtype=np.int64), facts)
    assert math.isnan(epoch.miou) or abs(found.miou - epoch.miou) < 1e-6
    return found
