"""The course of a study: the score of each trial, and the best one until then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from search.outcome.leaderboard import Row
from search.outcome.pictures.canvas import FAINT, INK, blank, draw_legend, marker_style, plain, save, tidy

COMPLETE, PRUNED = "#0072B2", "#E69F00"
_LOOKS = {"complete": ("o", COMPLETE, "complete"), "pruned": ("D", PRUNED, "pruned, its last score")}


def draw_history(path: Path, rows: Sequence[Row], *, title: str, constant: float | None) -> None:
    """Draw the trials that are complete or were pruned, in order of number, and the best complete one as a line.

    constant: what the best constant answer reaches in the study's objective; None where that is not known.
    """
    from matplotlib.ticker import MaxNLocator

    figure = blank(900, 400)
    figure.suptitle(plain(title, 100), x=0.015, ha="left", fontsize=13, fontweight="bold", color=INK)
    axes = figure.add_axes((0.07, 0.13, 0.915, 0.66))
    tidy(axes)
    axes.set_xlabel("trial", fontsize=9, color=INK)
    looks = {state: look for state, look in _LOOKS.items() if _values(rows, state)}
    for state, (marker, colour, _) in looks.items():
        values = _values(rows, state)
        axes.plot(list(values), list(values.values()), **marker_style(marker, colour, colour))
    legend = list(looks.values())
    if best := _best(rows):
        axes.step([number for number, _ in best], [value for _, value in best], where="post", color=INK, linewidth=1.5)
        legend.append(("-", INK, "best complete"))
    if constant is not None and math.isfinite(constant):
        axes.axhline(constant, color=FAINT, linewidth=1.5, linestyle="--")
        legend.append(("--", FAINT, "best constant answer"))
    if not looks:
        axes.text(0.5, 0.5, "no trial has ended", transform=axes.transAxes, ha="center", color=FAINT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    draw_legend(axes, legend)
    save(figure, path)


def _best(rows: Sequence[Row]) -> list[tuple[int, float]]:
    """By number, the best value of complete trials until then; up to the last trial of any kind."""
    values = _values(rows, "complete")
    if not values:
        return []
    numbers = sorted(values)
    line = list(zip(numbers, accumulate((values[number] for number in numbers), max), strict=True))
    return [*line, (max(row.number for row in rows), line[-1][1])]


def _values(rows: Sequence[Row], state: str) -> dict[int, float]:
    """The values of the trials of this state that have one, by number."""
    known = {row.number: row.value for row in rows if row.state == state and row.value is not None}
    return {number: value for number, value in known.items() if math.isfinite(value)}
