"""The paper's numbers beside ours, drawn: one line per row of the table, one dot per number, bars for the spread."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.outcome.canvas import FAINT, INK, blank, plain, save, tidy
from search.outcome.colours import class_colours
from search.reproduction.ordering import Range, range_of
from search.reproduction.paper import Metric
from search.reproduction.table import Reproduction, printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS: dict[Metric, str] = {"miou": "#0072B2", "miou_strict": "#D55E00"}
_NAMES: dict[Metric, str] = {"miou": "lenient", "miou_strict": "strict"}
_ROW = 66  # pixels
_MOST_NAMES = 7  # classes in the legend
_LETTER = 7.4  # pixels of a row's name


def draw_comparison(path: Path, done: Reproduction) -> None:
    """Draw the means on the left and IoU per class on the right, in per cent; rows of one track stand together."""
    names = [plain(ours.row.title, 40) for ours in done.rows]
    width, height = 1320, round(190 + _ROW * _places(done)[-1])
    figure = blank(width, height)
    title = f"Table {done.table.name} beside ours"
    figure.suptitle(title, x=0.012, y=1 - 14 / height, va="top", ha="left", fontsize=14, fontweight="bold", color=INK)
    budget = f"{done.setting.data}: {done.setting.train:,} tiles, epochs: {done.setting.epochs}, {_seeds(done)}"
    figure.text(0.012, 1 - 44 / height, plain(budget, 140), va="top", fontsize=10, color="#666666")
    grid = figure.add_gridspec(
        1,
        2,
        width_ratios=(5, 4),
        left=max(90, 30 + _LETTER * max(map(len, names))) / width,
        right=0.985,
        top=1 - 128 / height,
        bottom=48 / height,
        wspace=0.06,
    )
    means, classes = (figure.add_subplot(grid[0, column]) for column in range(2))
    _draw_means(means, done)
    _draw_classes(classes, done)
    for axes in (means, classes):
        _rows(axes, done)
    means.set_yticks(_places(done), names, fontsize=10)
    classes.tick_params(labelleft=False)
    save(figure, path)


def _draw_means(axes: Axes, done: Reproduction) -> None:
    tidy(axes)
    for place, ours in zip(_places(done), done.rows, strict=True):
        paper = printed(ours.row.miou, ours.row.miou_spread)
        _mark(axes, paper, place - 0.24, colour=INK, marker="D", full=True)
        for metric, colour in _COLOURS.items():
            compared = metric == ours.row.metric
            at = place + (0.0 if compared else 0.24)
            _mark(axes, ours.reached(metric), at, colour=colour, marker="o", full=compared)
            if ours.pooled is not None:
                pooled = 100 * getattr(ours.pooled, metric)
                _mark(axes, range_of([pooled]), at, colour=colour, marker="|", full=True)
        if not ours.results:
            axes.text(0.99, place, "not finished", transform=axes.get_yaxis_transform(), ha="right", color=FAINT)
    axes.set_xlabel("mean IoU, per cent (full dots: by the metric of the paper's number)", fontsize=9)
    entries = [("D", INK, "paper"), *(("o", colour, f"ours, {_NAMES[metric]}") for metric, colour in _COLOURS.items())]
    _legend(axes, [*entries, ("|", "#777777", "ours, folds pooled")] if done.setting.folds else entries, columns=4)


def _draw_classes(axes: Axes, done: Reproduction) -> None:
    """IoU of each class by the row's own metric: ours as dots, the paper's (where printed) as hollow diamonds."""
    tidy(axes)
    colours = class_colours(done.facts)
    step = min(0.15, 0.75 / done.facts.classes)
    both = False
    for place, ours in zip(_places(done), done.rows, strict=True):
        for label in range(done.facts.classes):
            at = place + step * (label - (done.facts.classes - 1) / 2)
            _mark(axes, ours.iou(ours.row.metric, label), at, colour=colours[label], marker="o", full=True)
            if len(ours.row.iou) == done.facts.classes:
                both = True
                _mark(axes, printed(ours.row.iou[label], None), at, colour=colours[label], marker="D", full=False)
    axes.set_xlabel("IoU per class by the metric of the row, per cent", fontsize=9)
    axes.set_xlim(-3, 103)
    drawn = [k for k in range(done.facts.classes) if any(ours.iou(ours.row.metric, k) for ours in done.rows)]
    entries = [("o", colours[k], plain(done.facts.class_names[k], 14)) for k in drawn]
    _legend(axes, [*entries[:_MOST_NAMES], *([("D", "white", "paper")] if both else [])], columns=4)


def _mark(axes: Axes, found: Range | None, place: float, *, colour: str, marker: str, full: bool) -> None:
    """One number, with its spread as a bar."""
    if found is None:
        return
    if found.low < found.high:
        axes.plot([found.low, found.high], [place, place], color=colour, linewidth=2, solid_capstyle="butt", alpha=0.6)
    axes.plot([found.mean], [place], **_style(marker, colour, colour if full else "white"))


def _style(marker: str, edge: str, face: str) -> dict[str, Any]:
    size = {"o": 7, "D": 6, "|": 14}[marker]
    return {
        "marker": marker,
        "color": edge,
        "markersize": size,
        "markerfacecolor": face,
        "markeredgewidth": 1.5,
        "linestyle": "none",
    }


def _legend(axes: Axes, entries: Sequence[tuple[str, str, str]], *, columns: int) -> None:
    """A legend above the plot. entries: marker, colour, text; a white marker is drawn hollow."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], **_style(marker, INK if c == "white" else c, c)) for marker, c, _ in entries]
    axes.legend(
        handles,
        [text for _, _, text in entries],
        loc="lower left",
        bbox_to_anchor=(-0.01, 1.0),
        ncols=columns,
        fontsize=9,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.0,
        borderaxespad=0.2,
    )


def _rows(axes: Axes, done: Reproduction) -> None:
    """Rows from the top down, a line between two tracks with the track's name."""
    places = _places(done)
    axes.set_ylim(places[-1] + 0.6, places[0] - 0.6)
    axes.grid(visible=False, axis="y")
    tracks = [ours.row.track for ours in done.rows]
    for before, place, (one, other) in zip(places, places[1:], pairwise(tracks), strict=False):
        if one != other:
            axes.axhline((before + place) / 2, color=FAINT, linewidth=1)


def _places(done: Reproduction) -> list[float]:
    """The height of each row, 1 apart and a little more between tracks."""
    places: list[float] = []
    for index, ours in enumerate(done.rows):
        new = bool(places) and ours.row.track != done.rows[index - 1].row.track
        places.append((places[-1] if places else 0.0) + 1 + (0.3 if new else 0))
    return places


def _seeds(done: Reproduction) -> str:
    seeds = done.setting.seeds
    bars = "bars from the lowest to the highest" if seeds > 1 else "no spread known"
    return f"{seeds} seed{'s' if seeds > 1 else ''} ({bars}); the paper's bars as printed"
