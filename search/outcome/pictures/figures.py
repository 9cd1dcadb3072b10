"""The pictures every completed trial carries, under the same names in every trial.

The dashboard sorts a trial's files by name and can show one file across trials, hence the numbers
in front and no trial number inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.colours import CLASS_COLOURS, class_colours
from search.outcome.pictures.confusion import draw_confusion, write_confusion_csv, write_iou_csv
from search.outcome.pictures.curves import draw_curves
from search.outcome.pictures.inspection import draw_class_shares, draw_outliers, draw_samples
from search.outcome.pictures.panel import PANEL_IMAGES, draw_panel
from search.training.epoch import EpochRecord

if TYPE_CHECKING:
    from search.training.metrics import Scores
    from spaces.facts import DataFacts

__all__ = [
    "CLASS_COLOURS",
    "CONFUSION",
    "CONFUSION_CSV",
    "CURVES",
    "IOU",
    "PANEL",
    "PANEL_IMAGES",
    "RECIPE",
    "class_colours",
    "draw_class_shares",
    "draw_confusion",
    "draw_curves",
    "draw_outliers",
    "draw_panel",
    "draw_samples",
    "draw_trial",
    "write_confusion_csv",
    "write_iou_csv",
]

PANEL = "00_panel.png"
CURVES = "10_curves.png"
CONFUSION = "20_confusion.png"
IOU = "30_iou.csv"
RECIPE = "40_recipe.yaml"
CONFUSION_CSV = "50_confusion.csv"


def draw_trial(
    directory: Path,
    *,
    title: str,
    images: NDArray[Any],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    facts: DataFacts,
    ignore_label: int | None,
    epochs: Sequence[EpochRecord],
    scores: Scores,
    kept: int,
    sizes: NDArray[np.int32] | None = None,
) -> tuple[Path, ...]:
    """Draw panel, curves, confusion matrix and IoU table into ``directory``; return their paths in name order.

    images: (N, H, W) or (N, H, W, 3), the first `PANEL_IMAGES` are drawn. truth, prediction: labels (N, H, W).
    title: stands above each picture, for example ``study demo, trial 7, mIoU 0.6123``. sizes: as in `draw_panel`.
    epochs: the training's curve, in order. scores: over the whole validation part. kept: the epoch that they are of.
    Raises OSError when the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    panel, curves, confusion, iou = (directory / name for name in (PANEL, CURVES, CONFUSION, IOU))
    draw_panel(
        panel,
        images=images,
        truth=truth,
        prediction=prediction,
        facts=facts,
        ignore_label=ignore_label,
        title=title,
        sizes=sizes,
    )
    draw_curves(curves, epochs, title=title, kept=kept)
    draw_confusion(confusion, np.asarray(scores.confusion, dtype=np.int64), facts, title=title)
    write_iou_csv(iou, scores, facts)
    return panel, curves, confusion, iou
