"""Three ways of searching one space at the same cost: what each of them found, as Markdown, CSV and a picture."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from search.outcome.canvas import INK, blank, plain, save, tidy
from search.reproduction.paper import D_BEST
from search.reproduction.side_by_side import ABSENT, markdown_table, setting_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from search.reproduction.table import Setting

Values = Mapping[str, int | float | str]
_COLOURS = {"random": "#7A7A7A", "grid": "#E69F00", "tpe": "#0072B2"}
_CALLED = {"random": "random search", "grid": "grid search", "tpe": "Bayesian (TPE)"}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial of a search. miou, miou_strict: 0 to 1 at its best epoch; None for one that failed.

    values: of the searched axes, by the names of `D_BEST`. parameters: trainable. seconds: of training.
    """

    number: int
    values: Values
    miou: float | None
    miou_strict: float | None
    parameters: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Search:
    """One way of searching. sampler: random, grid or tpe. target: the trials it may try. tried: finished ones."""

    sampler: str
    target: int
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried | None:
        """The trial of the highest lenient mIoU, the first of equals."""
        return max(
            (t for t in self.tried if t.miou is not None), key=lambda t: (t.miou or 0.0, -t.number), default=None
        )


@dataclass(frozen=True, kw_only=True)
class Searches:
    """Report D's section 7 done again. points: of the whole grid. reference: report D's best, trained once by us."""

    setting: Setting
    points: int
    searches: tuple[Search, ...]
    reference: Tried | None


def searches_as_markdown(done: Searches) -> str:
    """Setting, the best of each search beside report D's, and how the budget was spent."""
    trials = max(search.target for search in done.searches)
    lines = [
        "# Table D7 beside ours",
        "",
        "Paper: report D, section 7: the best of random, grid and Bayesian search over five parameters. All scores are"
        " per cent.",
        "",
        *setting_lines(done.setting),
        f"- Searches: {trials} trials each, none ended early, one study each with the same seed, so that random search"
        f" and TPE begin with the same random trials. The grid has {done.points} points; with fewer trials it is tried"
        " in a fixed order in which every value of every parameter comes equally often from the start, as far as the"
        " numbers allow.",
        "- Report D prints no score of its search. Its best parameters were trained once by us, at the same budget.",
        "",
        "![the best so far of each search](D7.png)",
        "",
        "## Best found",
        "",
        *_best(done),
        "",
        _sentence(done),
    ]
    missing = sum(search.target - len(search.tried) for search in done.searches)
    if missing:
        lines += ["", f"{missing} trials are not done yet; the same command continues."]
    return "\n".join(lines) + "\n"


def searches_as_csv(done: Searches) -> str:
    """One line per trial, and a last one for report D's parameters; scores in per cent."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("search", "trial", *D_BEST, "miou", "miou_strict", "parameters", "seconds"))
    tried = [(search.sampler, t) for search in done.searches for t in search.tried]
    for name, t in [*tried, *([("report D", done.reference)] if done.reference is not None else [])]:
        values = (t.values.get(axis, "") for axis in D_BEST)
        table.writerow((name, t.number, *values, _cell(t.miou), _cell(t.miou_strict), t.parameters, t.seconds))
    return text.getvalue()


def draw_searches(path: Path, done: Searches) -> None:
    """Draw the best lenient mIoU so far over the trials of each search, and report D's parameters as a line."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(900, 480)
    figure.suptitle("Table D7: the best so far of each search", x=0.02, ha="left", fontsize=14, fontweight="bold")
    budget = f"{done.setting.data}: {done.setting.train:,} tiles, epochs: {done.setting.epochs}"
    figure.text(0.02, 0.9, plain(budget, 110), va="top", fontsize=10, color="#666666")
    axes = figure.add_axes((0.08, 0.12, 0.89, 0.7))
    tidy(axes)
    for thinner, search in enumerate(done.searches):  # searches that begin with the same trials stay visible
        _draw_search(axes, search, linewidth=4.5 - 1.3 * thinner)
    trained = done.reference
    if trained is not None and trained.miou is not None:
        axes.axhline(
            100 * trained.miou, color=INK, linestyle="--", linewidth=1.2, label="report D's best, trained here"
        )
    axes.set_xlabel("trials", fontsize=9)
    axes.set_ylabel("lenient mIoU, per cent", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),
            ncols=4,
            fontsize=9,
            frameon=False,
            columnspacing=1.2,
            handletextpad=0.5,
        )
    save(figure, path)


def _draw_search(axes: Axes, search: Search, *, linewidth: float) -> None:
    """A dot per trial, and the best so far as a line."""
    scores = [math.nan if t.miou is None else 100 * t.miou for t in search.tried]
    if scores:
        colour, numbers = _COLOURS[search.sampler], range(1, len(scores) + 1)
        axes.plot(numbers, scores, "o", color=colour, markersize=5, alpha=0.45)
        best = list(accumulate(scores, _better))
        axes.step(numbers, best, where="post", color=colour, linewidth=linewidth, label=_CALLED[search.sampler])


def _better(before: float, score: float) -> float:
    """The larger of two scores; a trial that failed (NaN) is no better than anything."""
    return score if math.isnan(before) or score > before else before


def _best(done: Searches) -> list[str]:
    header = ("search", "filters", "activation", "kernel", "levels", "dropout", "lenient", "strict", "parameters")
    rows = [_row("report D", D_BEST, done.reference), *(_found(search) for search in done.searches)]
    return markdown_table((*header, "trial", "trials"), rows)


def _found(search: Search) -> tuple[str, ...]:
    best = search.best
    called = _CALLED[search.sampler]
    if best is None:
        return (called, *[ABSENT] * 9, str(len(search.tried)))
    return (*_row(called, best.values, best)[:-2], str(best.number + 1), str(len(search.tried)))


def _row(name: str, values: Values, tried: Tried | None) -> tuple[str, ...]:
    filters, depth = int(values["filters"]), int(values["depth"])
    levels = "-".join(str(filters * 2**level) for level in range(depth))
    scores = (ABSENT, ABSENT, ABSENT)
    if tried is not None:
        scores = (_cell(tried.miou, 1) or ABSENT, _cell(tried.miou_strict, 1) or ABSENT, f"{tried.parameters:,}")
    chosen = (levels, str(values["activation"]), str(values["kernel"]), str(depth), f"{float(values['dropout']):g}")
    return (name, *chosen, *scores, ABSENT, ABSENT)


def _sentence(done: Searches) -> str:
    """Who found most, in plain words."""
    found = sorted(
        ((search.best.miou, _CALLED[search.sampler]) for search in done.searches if search.best and search.best.miou),
        reverse=True,
    )
    if not found:
        return "No trial is finished."
    listed = ", ".join(f"{name} {100 * score:.1f}" for score, name in found)
    return f"Best lenient mIoU found: {listed}. One study of each is no proof that one way is better than another."


def _cell(share: float | None, digits: int = 4) -> str:
    return "" if share is None or math.isnan(share) else f"{100 * share:.{digits}f}"
