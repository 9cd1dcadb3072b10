"""A reproduced table as Markdown for people (from `templates`), as CSV for programs, and as a picture.

The picture has one line per row of the table, one mark per number, bars for the spread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from search.outcome.pictures.canvas import FAINT, INK, blank, draw_legend, marker_style, plain, save, tidy
from search.outcome.pictures.colours import class_colours
from search.outcome.spreadsheet import safe_csv
from search.reproduction.plan import Setting
from search.reproduction.table import CLASSES, METRICS, Ours, PaperRow, Range, Reproduction, measures, printed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ABSENT = "-"
_COLOURS = dict(zip(METRICS, ("#0072B2", "#D55E00"), strict=True))
_ROW = 66  # pixels
_MOST_NAMES = 7  # classes in the legend
_LETTER = 7.4  # pixels of a row's name


def as_markdown(done: Reproduction) -> str:
    """The whole comparison as Markdown: setting, means, IoU per class, pooled folds, ordering, failures."""
    facts = done.setting.dataset.facts

    def beside(row: PaperRow, metric: str, name: str) -> str:
        paper = paper_iou(done, row, facts.class_names.index(name)) if metric == row.metric else None
        return "" if paper is None else f" [{paper:.2f}]"

    return render(
        "table.md.j2",
        vars(done),
        agreements=done.agreements,
        metrics=METRICS,
        classes={"miou": [n for n in facts.class_names if n not in facts.excluded], "miou_strict": facts.class_names},
        pairs=lambda pooled: [(pooled.miou, pooled.miou_strict), *zip(pooled.iou, pooled.iou_strict, strict=True)],
        beside=beside,
    )


def render(template: str, values: Mapping[str, Any], **more: Any) -> str:
    """The Markdown of a template; tables have text in their first column, numbers in the others."""
    environment = Environment(
        loader=PackageLoader("search.reproduction"),
        autoescape=select_autoescape(),  # none for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= _FILTERS
    environment.globals["rule"] = lambda numbers: "| --- |" + " ---: |" * numbers
    return environment.get_template(template).render({**values, **more}).rstrip() + "\n"


def as_csv(done: Reproduction) -> str:
    """One line per row of the table; per cent with four decimals, an empty cell where there is nothing."""
    rows = pd.DataFrame([_cells(done, ours) for ours in done.rows], dtype=object)  # whole numbers stay whole
    return safe_csv(rows.to_csv(index=False, lineterminator="\n"))


def spelled(found: Range) -> str:
    """``51.2`` or ``51.2 (50.1 to 52.3)``."""
    if math.isnan(found.mean):
        return ABSENT
    return f"{found.mean:.1f}" + (f" ({found.low:.1f} to {found.high:.1f})" if found.low < found.high else "")


def percent(share: float | None) -> str:
    """A share of 1 in per cent with one decimal."""
    return ABSENT if share is None or math.isnan(share) else f"{100 * share:.1f}"


def paper_iou(done: Reproduction, row: PaperRow, label: int) -> float | None:
    """What the paper prints for a class; only where the data has the reports' five classes."""
    return row.iou[label] if row.iou and done.setting.dataset.facts.classes == len(CLASSES) else None


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


def _cells(done: Reproduction, ours: Ours) -> dict[str, object]:
    row, facts = ours.row, done.setting.dataset.facts
    cells: dict[str, object] = {"table": done.table.name, "row": row.title, "preset": row.preset}
    cells |= {"track": row.track, "metric": row.metric}
    cells |= {f"paper_{name}": getattr(row, name) for name in ("miou", "miou_spread", "accuracy", "accuracy_spread")}
    cells |= {f"paper_iou {name}": paper_iou(done, row, label) for label, name in enumerate(facts.class_names)}
    found = [(n, ours.reached(n)) for n in measures(None, facts) if n not in {f"iou {name}" for name in facts.excluded}]
    cells |= {f"{n} {part}": round(value, 4) for n, reached in found for part, value in reached._asdict().items()}
    if done.setting.budget.folds:
        pooled = measures(ours.pooled, facts)
        classes = [f"{kind} {name}" for name in facts.class_names for kind in ("iou", "iou_strict")]
        cells |= {f"pooled {name}": round(pooled[name], 4) for name in (*METRICS, "accuracy", *classes)}
    cells |= {"parameters": ours.parameters, "seconds": ours.seconds and round(ours.seconds, 4)}
    return cells | {"seeds": len(ours.results), "failures": len(ours.failures), "missing": ours.missing}


def _printed(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ABSENT
    return f"{mean:.2f}" if spread is None else f"{mean:.1f} ± {spread:.1f}"


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


_FILTERS: dict[str, Callable[..., str]] = {
    "bold": lambda text, wanted: f"**{text}**" if wanted and text != ABSENT else text,
    "cell": lambda text: text.replace("|", "/"),
    "count": lambda number: ABSENT if number is None else f"{number:,.0f}",
    "percent": percent,
    "printed": _printed,
    "spelled": spelled,
}
