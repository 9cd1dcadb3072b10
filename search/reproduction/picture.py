"""The paper's numbers beside ours, drawn: one line per row of the table, one mark per number, bars for the spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from search.outcome.canvas import FAINT, INK, blank, draw_legend, marker_style, plain, save, tidy
from search.outcome.colours import class_colours
from search.reproduction.plan import Setting
from search.reproduction.report import paper_iou
from search.reproduction.table import METRICS, Range, Reproduction, printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = dict(zip(METRICS, ("#0072B2", "#D55E00"), strict=True))
_ROW = 66  # pixels
_MOST_NAMES = 7  # classes in the legend
_LETTER = 7.4  # pixels of a row's name


def draw_table(path: Path, done: Reproduction) -> None:
    """Draw the means on the left and IoU per class on the right, in per cent; rows of one track stand together."""
    names, places = [plain(ours.row.title, 40) for ours in done.rows], [1.0]
    for above, below in pairwise(done.rows):
        places.append(places[-1] + (1.0 if above.row.track == below.row.track else 1.3))
    budget = done.setting.budget
    width, height = 1320, round(190 + _ROW * places[-1])
    figure = blank(width, height)
    title = {"x": 0.012, "y": 1 - 14 / height, "va": "top", "ha": "left", "fontweight": "bold", "color": INK}
    figure.suptitle(f"Table {done.table.name} beside ours", fontsize=14, **title)
    bars = "s (bars from the lowest to the highest)" if budget.seeds > 1 else " (no spread known)"
    text = f"{describe(done.setting)}, {budget.seeds} seed{bars}; the paper's bars as printed"
    figure.text(0.012, 1 - 44 / height, plain(text, 140), va="top", fontsize=10, color="#666666")
    left = max(90, 30 + _LETTER * max(map(len, names))) / width
    margins = {"left": left, "right": 0.985, "top": 1 - 128 / height, "bottom": 48 / height}
    means, classes = figure.subplots(1, 2, gridspec_kw={"width_ratios": (5, 4), "wspace": 0.06, **margins})
    for axes, draw in ((means, _draw_means), (classes, _draw_classes)):
        tidy(axes)
        draw(axes, done, places)
        _draw_tracks(axes, done, places)
    means.set_yticks(places, names, fontsize=10)
    classes.tick_params(labelleft=False)
    save(figure, path)


def describe(setting: Setting) -> str:
    """Data and budget in a few words."""
    return f"{setting.dataset.data.name}: {len(setting.part.train):,} tiles, epochs: {setting.budget.epochs}"


def _draw_means(axes: Axes, done: Reproduction, places: Sequence[float]) -> None:
    for place, ours in zip(places, done.rows, strict=True):
        _mark(axes, printed(ours.row.miou, ours.row.miou_spread), place - 0.24, "D", INK)
        for metric, colour in _COLOURS.items():
            compared = metric == ours.row.metric
            at = place + (0.0 if compared else 0.24)
            _mark(axes, ours.reached(metric), at, "o", colour, hollow=not compared)
            _mark(axes, printed(100 * getattr(ours.pooled, metric, math.nan)), at, "|", colour)
        if not ours.results:
            axes.text(0.99, place, "not finished", transform=axes.get_yaxis_transform(), ha="right", color=FAINT)
    axes.set_xlabel("mean IoU, per cent (full dots: by the metric of the paper's number)", fontsize=9)
    entries = [("o", colour, f"ours, {METRICS[metric]}") for metric, colour in _COLOURS.items()]
    folds = [("|", "#777777", "ours, folds pooled")] if done.setting.budget.folds else []
    draw_legend(axes, [("D", INK, "paper"), *entries, *folds])


def _draw_classes(axes: Axes, done: Reproduction, places: Sequence[float]) -> None:
    """IoU of each class by the row's own metric: ours as dots, the paper's (where printed) as hollow diamonds."""
    facts = done.setting.dataset.facts
    colours, step = class_colours(facts), min(0.15, 0.75 / facts.classes)
    drawn, paper = set[int](), False
    for place, ours in zip(places, done.rows, strict=True):
        for label, name in enumerate(facts.class_names):
            at = place + step * (label - (facts.classes - 1) / 2)
            if _mark(axes, ours.reached(f"{ours.row.metric[1:]} {name}"), at, "o", colours[label]):
                drawn.add(label)
            paper |= _mark(axes, printed(paper_iou(done, ours.row, label)), at, "D", colours[label], hollow=True)
    axes.set_xlabel("IoU per class by the metric of the row, per cent", fontsize=9)
    axes.set_xlim(-3, 103)
    entries = [("o", colours[label], plain(facts.class_names[label], 14)) for label in sorted(drawn)]
    draw_legend(axes, [*entries[:_MOST_NAMES], *([("D", "white", "paper")] if paper else [])])


def _mark(axes: Axes, found: Range, place: float, marker: str, colour: str, *, hollow: bool = False) -> bool:
    """One number, with its spread as a bar; whether there is one."""
    if math.isnan(found.mean):
        return False
    axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt", alpha=0.6)
    axes.plot([found.mean], [place], **marker_style(marker, colour, "white" if hollow else colour))
    return True


def _draw_tracks(axes: Axes, done: Reproduction, places: Sequence[float]) -> None:
    """Rows from the top down, a line between two tracks."""
    axes.set_ylim(places[-1] + 0.6, places[0] - 0.6)
    axes.grid(visible=False, axis="y")
    for (before, above), (place, below) in pairwise(zip(places, done.rows, strict=True)):
        if above.row.track != below.row.track:
            axes.axhline((before + place) / 2, color=FAINT, linewidth=1)
