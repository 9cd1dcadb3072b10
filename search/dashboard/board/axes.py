"""The settings that matter most: their importance as bars with intervals, and trials along them as lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from search.dashboard.board.curves import thinned
from search.dashboard.board.importance import LEAST_TRIALS, importances
from search.dashboard.board.rendering import render
from search.dashboard.board.snapshot import Board
from search.dashboard.exclusive import Exclusive
from search.dashboard.plots import finished_version
from search.studies.difference import spelled, words
from storage.trials.queries import feasible

MOST_LINES = 200  # trials of the parallel coordinates: the best ones, and some of the others
LINE_STEPS = 5  # shades from the worst to the best
WIDTH, HEIGHT = 1200, 380  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 110, 40, 62, 26
SMALLEST_SCALE = 0.1  # of the bars, so that shares of nothing look like nothing
MOST_OPTIONS = 12  # named on an axis


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A value named on an axis: beside it, or above and below its ends, where lines do not run over it."""

    text: str
    x: float
    y: float
    anchor: Literal["end", "middle"]


@dataclass(frozen=True, kw_only=True)
class Coordinate:
    """One axis of the drawing. x: its place. name: of the setting, on two lines."""

    x: float
    name: tuple[str, str]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One trial. d: its path in SVG. shade: 0 for the worst to `LINE_STEPS` - 1. title: what it is."""

    d: str
    shade: int
    title: str


class Axes:
    """Computes the piece of a page, one at a time and once for each set of finished trials."""

    def __init__(self, board: Board, exclusive: Exclusive) -> None:
        self._board = board
        self._exclusive = exclusive

    def fragment(self, study_id: int) -> bytes:
        """The piece as HTML. Raises Busy while others are computed, and as `Board.study`."""
        self._board.study(study_id)
        trials = self._board.trials(study_id)
        name = (study_id, self._board.view.generation(study_id), "axes")
        return self._exclusive.get(name, finished_version(trials), lambda: draw_axes(trials))


def draw_axes(trials: Sequence[FrozenTrial]) -> bytes:
    """The piece of a page on these trials."""
    told = [t for t in trials if t.state is TrialState.COMPLETE and t.values and t.params and feasible(t)]
    if len(told) < LEAST_TRIALS:
        return render("axes.html", found=(), complete=len(told), least=LEAST_TRIALS).encode()
    found = importances([trial.params for trial in told], [trial.values[0] for trial in told])
    bars = [(words(each.path), each) for each in found]
    lines = _chosen(told)
    paths = [each.path for each in found]
    axes = [_Axis([trial.params.get(path) for trial in lines]) for path in paths]
    axes.append(_Axis([round(trial.values[0], 4) for trial in lines]))
    names = [*map(words, paths), "score"]
    step = (WIDTH - LEFT - RIGHT) / max(1, len(axes) - 1)
    places = [round(LEFT + step * place) for place in range(len(axes))]
    return render(
        "axes.html",
        found=bars,
        complete=len(told),
        least=LEAST_TRIALS,
        largest=max(SMALLEST_SCALE, *(each.high for each in found)),
        width=WIDTH,
        height=HEIGHT,
        coordinates=[
            Coordinate(x=x, name=_two_lines(name), marks=axis.marks(x))
            for x, name, axis in zip(places, names, axes, strict=True)
        ],
        lines=_lines(lines, axes, step),
        top=TOP,
        bottom=HEIGHT - BOTTOM,
    ).encode()


def _chosen(told: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that are drawn, the best one last: half of them the best, the others evenly from all the rest."""
    by_score = sorted(told, key=lambda trial: trial.values[0])
    best = by_score[-(MOST_LINES // 2) :]
    return thinned(by_score[: len(by_score) - len(best)], MOST_LINES // 2) + best


class _Axis:
    """Values along one axis: numbers between the ends, by logarithm where they span much; others by their place.

    What a trial does not have lies below.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values
        there = [value for value in values if value is not None]
        self.absent = len(there) < len(values)
        numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in there)
        self.options = [] if numbers else sorted(set(there), key=repr)
        self.low, self.high = (min(there, default=0), max(there, default=1)) if numbers else (0, 1)
        self.log = numbers and self.low > 0 and self.high / self.low >= 20

    def y(self, value: Any) -> float:
        """The height of a value."""
        floor = HEIGHT - BOTTOM - (24 if self.absent else 0)
        if value is None:
            return HEIGHT - BOTTOM
        return round(floor - (floor - TOP) * self._share(value), 1)

    def marks(self, x: float) -> tuple[Mark, ...]:
        """What is named on the axis at that place."""
        named = self.options[:MOST_OPTIONS] or ([self.low] if self.low == self.high else [self.low, self.high])
        places = [(spelled(value), self.y(value)) for value in named]
        places += [("none", self.y(None))] if self.absent else []
        return tuple(_mark(text, x, y) for text, y in places)

    def _share(self, value: Any) -> float:
        if self.options:
            return self.options.index(value) / max(1, len(self.options) - 1)
        if self.high == self.low:
            return 0.5
        if self.log:
            return log(value / self.low) / log(self.high / self.low)
        return float((value - self.low) / (self.high - self.low))


def _mark(text: str, x: float, y: float) -> Mark:
    if y <= TOP:
        return Mark(text=text, x=x, y=y - 6, anchor="middle")
    if y >= HEIGHT - BOTTOM:
        return Mark(text=text, x=x, y=y + 16, anchor="middle")
    return Mark(text=text, x=x - 5, y=y + 4, anchor="end")


def _lines(trials: Sequence[FrozenTrial], axes: Sequence[_Axis], step: float) -> list[Line]:
    found = []
    for row, trial in enumerate(trials):
        points = (f"{LEFT + step * place:.0f} {axis.y(axis.values[row]):g}" for place, axis in enumerate(axes))
        shade = min(LINE_STEPS - 1, row * LINE_STEPS // max(1, len(trials)))
        found.append(Line(d="M" + "L".join(points), shade=shade, title=f"trial {trial.number}: {trial.values[0]:.4f}"))
    return found


def _two_lines(name: str) -> tuple[str, str]:
    """The name broken near its middle."""
    parts = name.split()
    if len(name) <= 12 or len(parts) == 1:
        return name, ""
    cut = min(range(1, len(parts)), key=lambda k: abs(len(" ".join(parts[:k])) - len(" ".join(parts[k:]))))
    return " ".join(parts[:cut]), " ".join(parts[cut:])
