"""Three ways of searching one space at the same cost: what each of them found, as Markdown, CSV and a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.outcome.canvas import INK, blank, draw_legend, plain, save, tidy
from search.reproduction.paper import SEARCH_AXES, SEARCH_BEST, Scalar
from search.reproduction.picture import describe
from search.reproduction.report import csv_text, percent, render

if TYPE_CHECKING:
    from search.reproduction.table import Setting

SAMPLERS = {"random": "random search", "grid": "grid search", "tpe": "Bayesian (TPE)"}
_COLOURS = {"random": "#7A7A7A", "grid": "#E69F00", "tpe": "#0072B2"}


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One trial of a search. miou, miou_strict: 0 to 1 at its best epoch; None for one that failed.

    values: of the searched axes, by the names of `SEARCH_AXES`. parameters: trainable. seconds: of training.
    """

    number: int
    values: Mapping[str, Scalar]
    miou: float | None
    miou_strict: float | None
    parameters: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Search:
    """One way of searching. sampler: of `SAMPLERS`. target: the trials it may try. tried: finished ones."""

    sampler: str
    target: int
    tried: tuple[Tried, ...]

    @property
    def best(self) -> Tried | None:
        """The trial of the highest lenient mIoU, the first of equals."""
        return max((t for t in self.tried if t.miou is not None), key=lambda t: (t.miou, -t.number), default=None)


@dataclass(frozen=True, kw_only=True)
class Searches:
    """Report D's section 7 done again. points: of the whole grid. reference: report D's best, trained once by us."""

    setting: Setting
    points: int
    searches: tuple[Search, ...]
    reference: Tried | None


def as_markdown(done: Searches) -> str:
    """Setting, the best of each search beside report D's, and how the budget was spent."""
    bests = [(SAMPLERS[s.sampler], s.best.values if s.best else None, s.best, len(s.tried)) for s in done.searches]
    ranked = sorted(((best.miou, name) for name, _, best, _ in bests if best and best.miou), reverse=True)
    return render(
        "search.md.j2",
        vars(done),
        trials=max(search.target for search in done.searches),
        found=[("report D", SEARCH_BEST, done.reference, "-"), *bests],
        levels=lambda values: "-".join(str(values["filters"] * 2**level) for level in range(values["depth"])),
        ranking=[f"{name} {percent(miou)}" for miou, name in ranked],
        missing=sum(search.target - len(search.tried) for search in done.searches),
    )


def as_csv(done: Searches) -> str:
    """One line per trial, and a last one for report D's parameters; scores in per cent."""
    tried = [(search.sampler, t) for search in done.searches for t in search.tried]
    tried += [("report D", done.reference)] if done.reference else []
    columns = ("search", "trial", *SEARCH_AXES, "miou", "miou_strict", "parameters", "seconds")
    return csv_text(columns, [_row(name, t) for name, t in tried])


def draw(path: Path, done: Searches) -> None:
    """Draw the best lenient mIoU so far over the trials of each search, and report D's parameters as a line."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(900, 480)
    figure.suptitle("Table D7: the best so far of each search", x=0.02, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.02, 0.9, plain(describe(done.setting), 110), va="top", fontsize=10, color="#666666")
    axes = figure.add_axes((0.08, 0.12, 0.89, 0.67))
    tidy(axes)
    entries = []
    for index, search in enumerate(done.searches):
        scores = [math.nan if t.miou is None else 100 * t.miou for t in search.tried]
        numbers, colour = range(1, len(scores) + 1), _COLOURS[search.sampler]
        if scores:
            axes.plot(numbers, scores, "o", color=colour, markersize=5, alpha=0.45)
            # Thinner from search to search, so that those that begin with the same trials stay visible.
            best, width = list(accumulate(scores, _better)), 4.5 - 1.3 * index
            axes.step(numbers, best, where="post", color=colour, linewidth=width)
            entries.append(("-", colour, SAMPLERS[search.sampler]))
    if done.reference and done.reference.miou is not None:
        axes.axhline(100 * done.reference.miou, color=INK, linestyle="--", linewidth=1.2)
        entries.append(("--", INK, "report D's best, trained here"))
    axes.set_xlabel("trials", fontsize=9)
    axes.set_ylabel("lenient mIoU, per cent", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(axes, entries)
    save(figure, path)


def _better(before: float, score: float) -> float:
    """The larger of two scores; a trial that failed (NaN) is no better than anything."""
    return score if math.isnan(before) or score > before else before


def _row(name: str, tried: Tried) -> dict[str, Any]:
    scores = {"miou": tried.miou, "miou_strict": tried.miou_strict}
    cells = {metric: "" if share is None else f"{100 * share:.4f}" for metric, share in scores.items()}
    values = {axis: tried.values.get(axis, "") for axis in SEARCH_AXES}
    costs = {"parameters": tried.parameters, "seconds": tried.seconds}
    return {"search": name, "trial": tried.number, **values, **cells, **costs}
