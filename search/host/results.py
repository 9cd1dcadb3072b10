"""The files that every completed trial carries in optuna-dashboard, under the same names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from optuna.artifacts import upload_artifact
from optuna.trial import Trial

from search.outcome.figures import RECIPE, draw_trial
from search.studies.study import OpenStudy
from search.training.epoch import EpochRecord
from search.training.metrics import Scores, scores
from search.worker.job_files import read_panel
from spaces import DataFacts, Recipe, dump_recipe
from storage.artifacts.artifact_store import ArtifactStore

CONFUSION_CSV = "50_confusion.csv"  # pixels, rows are the truth; export reads it back where the trial does not say
_TYPES = {".png": "image/png", ".csv": "text/csv", ".yaml": "text/plain"}


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
