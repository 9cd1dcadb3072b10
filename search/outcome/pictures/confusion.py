"""Which class is taken for which: the confusion matrix as a picture and a table, IoU and Dice per class as a table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.canvas import INK, blank, percent, plain, save
from search.outcome.spreadsheet import safe_cell
from search.training.metrics import mean_dice, mean_dice_strict
from storage.atomic_write import replacing_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from search.training.metrics import Scores
    from spaces.facts import DataFacts

SHARES = ("iou", "iou_strict", "dice", "dice_strict")
IOU_COLUMNS = ("class", *SHARES, "truth_pixels", "predicted_pixels")
CORNER = "truth \\ prediction"
_WRITTEN_CLASSES = 12  # with more, numbers in the cells would not be readable


def draw_confusion(path: Path, confusion: NDArray[np.int64], facts: DataFacts, *, title: str) -> None:
    """Draw the confusion matrix as shares of each true class.

    confusion: pixels (K, K), rows are the truth, columns the prediction. A class without pixels has an empty row.
    """
    counts = np.asarray(confusion, dtype=np.float64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.full_like(counts, np.nan), where=totals > 0)
    size = min(1400, 330 + 92 * facts.classes) if facts.classes <= _WRITTEN_CLASSES else 1000
    figure = blank(size + 60, size)
    figure.suptitle(plain(title, 90), x=0.02, ha="left", fontsize=13, fontweight="bold", color=INK)
    figure.text(30 / (size + 60), 0.5, "truth (share of the pixels)", rotation=90, va="center", fontsize=11, color=INK)
    axes = figure.add_axes((200 / (size + 60), 150 / size, (size - 220) / (size + 60), (size - 210) / size))
    _heat(axes, shares)
    _names(axes, facts, totals[:, 0] / max(1.0, float(totals.sum())))
    if facts.classes <= _WRITTEN_CLASSES:
        _numbers(axes, shares, counts)
    save(figure, path)


def write_iou_csv(path: Path, scores: Scores, facts: DataFacts) -> None:
    """Write one row per class and a last row ``(mean)``; an undefined share is an empty cell.

    Columns: `IOU_COLUMNS`; shares 0 to 1 with six decimals, pixels of the whole validation part.
    """
    confusion = np.asarray(scores.confusion, dtype=np.int64)
    rows: list[Sequence[object]] = [IOU_COLUMNS]
    for label, name in enumerate(facts.class_names):
        pixels = int(confusion[label].sum()), int(confusion[:, label].sum())
        rows.append((safe_cell(name), *(_cell(getattr(scores, share)[label]) for share in SHARES), *pixels))
    means = scores.miou, scores.miou_strict, mean_dice(scores, facts), mean_dice_strict(scores, facts)
    _write(path, [*rows, ("(mean)", *map(_cell, means), "", "")])


def write_confusion_csv(path: Path, confusion: Sequence[Sequence[int]], facts: DataFacts) -> None:
    """Write pixels by (truth, prediction), a row per true class; its name comes first, a header names the columns."""
    names = [safe_cell(name) for name in facts.class_names]
    _write(path, [(CORNER, *names), *((name, *row) for name, row in zip(names, confusion, strict=True))])


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with replacing_path(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _cell(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else ""


def _heat(axes: Axes, shares: NDArray[np.float64]) -> None:
    """White to dark blue, 0 to 1; a row without truth stays grey."""
    from matplotlib import colormaps

    axes.set_facecolor("#EEEEEE")
    axes.imshow(np.ma.masked_invalid(shares), cmap=colormaps["Blues"], vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_xlabel("prediction", fontsize=11, color=INK)
    for side in axes.spines.values():
        side.set_visible(False)


def _names(axes: Axes, facts: DataFacts, shares: NDArray[np.float64]) -> None:
    """Class names on both axes, with the class's share of the truth on the rows."""
    axes.tick_params(length=0, colors=INK)
    if facts.classes > 3 * _WRITTEN_CLASSES:
        return  # the labels themselves, as matplotlib numbers them
    few = facts.classes <= _WRITTEN_CLASSES
    labels = [plain(name, 16) for name in facts.class_names]
    places, size = range(facts.classes), 10 if few else 8
    axes.set_xticks(places, labels, rotation=35 if few else 90, ha="right", va="center_baseline", fontsize=size)
    for tick in axes.get_xticklabels():
        tick.set_rotation_mode("anchor")
    rows = [f"{name}\n{percent(share)}" if few else name for name, share in zip(labels, shares, strict=True)]
    axes.set_yticks(places, rows, fontsize=size)


def _numbers(axes: Axes, shares: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
    """Per cent and pixels in each cell, dark on light and light on dark."""
    for row in np.flatnonzero(np.isnan(shares[:, 0])).tolist():
        axes.text(
            (len(shares) - 1) / 2, row, "not in the truth", ha="center", va="center", fontsize=10, color="#777777"
        )
    for (row, column), share in np.ndenumerate(shares):
        if math.isnan(share):
            continue
        colour = "white" if share > 0.5 else INK
        axes.text(column, row - 0.09, f"{share:.1%}", ha="center", va="center", fontsize=11, color=colour)
        axes.text(
            column, row + 0.2, _short(float(counts[row, column])), ha="center", va="center", fontsize=8, color=colour
        )


def _short(count: float) -> str:
    """A number of pixels in at most five characters: 950, 12.3k, 4.56M."""
    if count < 1000:
        return f"{count:.0f}"
    return f"{count / 1e3:.1f}k" if count < 1e6 else f"{count / 1e6:.2f}M"
