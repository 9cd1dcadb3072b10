"""Learning curves: loss, mean IoU and learning rate over the epochs of one training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from search.outcome.pictures.canvas import FAINT, INK, blank, plain, save, tidy
from search.training.epoch import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_TRAIN, _VALIDATION, _STRICT = "#8A8A8A", "#0072B2", "#D55E00"


def draw_curves(path: Path, points: Sequence[EpochRecord], *, title: str, kept: int) -> None:
    """Draw the losses, both mean IoUs and the learning rate; NaN leaves a gap.

    kept: the number of the epoch whose weights count, which is marked; 0 for none.
    """
    figure = blank(1080, 400)
    figure.suptitle(plain(title, 120), x=0.015, ha="left", fontsize=13, fontweight="bold", color=INK)
    grid = figure.add_gridspec(1, 3, width_ratios=(4, 4, 3), left=0.05, right=0.985, top=0.8, bottom=0.13, wspace=0.2)
    losses, scores, rates = (figure.add_subplot(grid[0, column]) for column in range(3))
    _losses(losses, points)
    _scores(scores, points, kept)
    _rates(rates, points)
    for axes in (losses, scores, rates):
        _epochs(axes, points)
    save(figure, path)


def _losses(axes: Axes, points: Sequence[EpochRecord]) -> None:
    tidy(axes, "loss")
    _line(axes, points, [point.train_loss for point in points], _TRAIN, "training")
    _line(axes, points, [point.validation_loss for point in points], _VALIDATION, "validation")
    _legend(axes)


def _scores(axes: Axes, points: Sequence[EpochRecord], kept: int) -> None:
    tidy(axes, "mean IoU on validation")
    lines = [([point.miou for point in points], _VALIDATION, "mIoU")]
    if any(point.miou_strict != point.miou for point in points):  # where no class is excluded they are one
        lines.append(([point.miou_strict for point in points], _STRICT, "mIoU strict"))
    for values, colour, name in lines:
        _line(axes, points, values, colour, name)
    places = [place for place, point in enumerate(points) if point.number == kept]
    reached = [values[place] for place in places for values, *_ in lines]
    for value in filter(math.isfinite, reached):
        axes.plot([kept], [value], "o", markersize=9, markerfacecolor="none", markeredgecolor=INK, zorder=5)
        axes.margins(y=0.15)
        axes.annotate(
            f"kept {value:.4f}",
            (kept, value),
            xytext=(0, 9),
            textcoords="offset points",
            ha="right" if kept > points[0].number + 0.5 * (points[-1].number - points[0].number) else "left",
            fontsize=9,
            color=INK,
        )
    _legend(axes, "lower right")


def _rates(axes: Axes, points: Sequence[EpochRecord]) -> None:
    tidy(axes, "learning rate")
    rates = [point.lr for point in points]
    _line(axes, points, rates, INK, "")
    positive = [rate for rate in rates if math.isfinite(rate) and rate > 0]
    if positive and max(positive) > 20 * min(positive):
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, 1.15 * max(positive, default=1.0))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _line(axes: Axes, points: Sequence[EpochRecord], values: Sequence[float], colour: str, label: str) -> None:
    """One curve; a few epochs carry dots, so that a single one is seen at all."""
    dots = "o" if len(points) <= 30 else ""
    numbers = [point.number for point in points]
    finite = [value if math.isfinite(value) else math.nan for value in values]
    axes.plot(numbers, finite, color=colour, linewidth=2, marker=dots, markersize=3.5, label=label)


def _epochs(axes: Axes, points: Sequence[EpochRecord]) -> None:
    """The common horizontal axis, in whole epochs."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch", fontsize=9, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if not points:
        axes.text(0.5, 0.5, "no finished epoch", transform=axes.transAxes, ha="center", color=FAINT)
        axes.set_xlim(0, 1)
        axes.set_yticks([])
    elif len(points) == 1:
        axes.set_xlim(points[0].number - 1, points[0].number + 1)


def _legend(axes: Axes, place: Literal["upper right", "lower right"] = "upper right") -> None:
    axes.legend(loc=place, fontsize=9, frameon=True, framealpha=0.85, edgecolor="none")
