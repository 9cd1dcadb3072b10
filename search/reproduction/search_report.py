"""Three ways of searching one space at the same cost: what each of them found, as Markdown, CSV and a picture."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from search.outcome.canvas import INK, blank, draw_legend, plain, save, tidy
from search.reproduction.paper import SEARCH_AXES, SEARCH_BEST
from search.reproduction.picture import describe
from search.reproduction.report import percent, render

if TYPE_CHECKING:
    from search.reproduction.plan import Setting

SAMPLERS = {"random": "random search", "grid": "grid search", "tpe": "Bayesian (TPE)"}
REFERENCE = "report D"
COLUMNS = ("search", "trial", *SEARCH_AXES, "miou", "miou_strict", "parameters", "seconds")
_COLOURS = {"random": "#7A7A7A", "grid": "#E69F00", "tpe": "#0072B2"}


@dataclass(frozen=True, kw_only=True)
class Searches:
    """Report D's section 7 done again. points: of the whole grid. targets: the trials that each search may try.

    tried: `COLUMNS` of each finished trial, in order: the search (of `SAMPLERS`; `REFERENCE` for report D's best,
    trained once by us), the trial's number, the searched values, scores at its best epoch as shares of 1, the number of
    trainable parameters and the seconds of training; None for what a failed trial does not have.
    """

    setting: Setting
    points: int
    targets: Mapping[str, int]
    tried: pd.DataFrame

    def of(self, search: str) -> pd.DataFrame:
        """The trials of one search."""
        return self.tried[self.tried.search == search]

    def best(self, search: str) -> dict[Hashable, Any] | None:
        """The trial of the highest lenient mIoU, the first of equals."""
        tried = self.of(search).dropna(subset=["miou"]).to_dict("records")
        return max(tried, key=lambda trial: trial["miou"], default=None)


def as_markdown(done: Searches) -> str:
    """Setting, the best of each search beside report D's, and how the budget was spent."""
    bests = [(SAMPLERS[search], done.best(search), len(done.of(search))) for search in done.targets]
    ranked = sorted(((best["miou"], name) for name, best, _ in bests if best and best["miou"]), reverse=True)
    found = [(name, best, best, trials) for name, best, trials in bests]
    return render(
        "search.md.j2",
        vars(done),
        trials=max(done.targets.values()),
        found=[(REFERENCE, SEARCH_BEST, done.best(REFERENCE), "-"), *found],
        levels=lambda values: "-".join(str(values["filters"] * 2**level) for level in range(values["depth"])),
        ranking=[f"{name} {percent(miou)}" for miou, name in ranked],
        missing=sum(target - len(done.of(search)) for search, target in done.targets.items()),
    )


def as_csv(done: Searches) -> str:
    """One line per trial, and a last one for report D's parameters; scores in per cent."""
    metrics = done.tried[["miou", "miou_strict"]].map(lambda share: f"{100 * share:.4f}", na_action="ignore")
    return done.tried.assign(**metrics).to_csv(index=False, lineterminator="\n")


def draw(path: Path, done: Searches) -> None:
    """Draw the best lenient mIoU so far over the trials of each search, and report D's parameters as a line."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(900, 480)
    figure.suptitle("Table D7: the best so far of each search", x=0.02, ha="left", fontsize=14, fontweight="bold")
    figure.text(0.02, 0.9, plain(describe(done.setting), 110), va="top", fontsize=10, color="#666666")
    axes = figure.add_axes((0.08, 0.12, 0.89, 0.67))
    tidy(axes)
    entries = []
    for index, search in enumerate(done.targets):
        scores, colour = 100 * done.of(search).miou.astype(float), _COLOURS[search]
        numbers = range(1, len(scores) + 1)
        if len(scores):
            axes.plot(numbers, scores, "o", color=colour, markersize=5, alpha=0.45)
            # Thinner from search to search, so that those that begin with the same trials stay visible.
            best, width = scores.cummax().ffill(), 4.5 - 1.3 * index
            axes.step(numbers, best, where="post", color=colour, linewidth=width)
            entries.append(("-", colour, SAMPLERS[search]))
    if reference := done.best(REFERENCE):
        axes.axhline(100 * reference["miou"], color=INK, linestyle="--", linewidth=1.2)
        entries.append(("--", INK, "report D's best, trained here"))
    axes.set_xlabel("trials", fontsize=9)
    axes.set_ylabel("lenient mIoU, per cent", fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(axes, entries)
    save(figure, path)
