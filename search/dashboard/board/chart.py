"""IoU per class over the trials, as an SVG of our own: it needs no library, and follows the page into the dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from search.dashboard.board.rendering import render
from search.dashboard.board.scored import ScoredTrial

WIDTH, HEIGHT = 1000, 340  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 28, 46  # kept free around the plot
MOST_DOTS = 300  # per class, evenly over the trials
CLASSES = 24  # more lines would not be told apart


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One class in the drawing. dots, line: paths in SVG, "" for none. last: IoU of the best trial, if it has one."""

    name: str
    colour: str
    dots: str
    line: str
    last: float


@dataclass(frozen=True, kw_only=True)
class Chart:
    """All that is drawn. levels: IoUs with their heights. ticks: trial numbers with their places."""

    levels: tuple[tuple[str, float], ...]
    ticks: tuple[tuple[int, float], ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class _Scale:
    """Trial numbers 0 to `last` and IoUs 0 to `highest` in the drawing."""

    last: int
    highest: float

    def x(self, number: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * number / max(1, self.last), 1)

    def y(self, iou: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - iou / self.highest), 1)


def draw_chart(scored: Sequence[ScoredTrial], names: Sequence[str], colours: Sequence[str]) -> Markup:
    """The chart as SVG text: a dot for each trial (of very many, a selection), a line for the best trial until then.

    names, colours: of the classes, in the order of the trials' IoUs. Without a trial there is a word instead.
    """
    chart = _plan(scored, names, colours) if scored else None
    frame = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "top": TOP}
    return render("chart.html", chart=chart, **frame)


def _plan(scored: Sequence[ScoredTrial], names: Sequence[str], colours: Sequence[str]) -> Chart:
    found = [value for trial in scored for value in trial.iou if value is not None]
    scale = _Scale(last=scored[-1].number, highest=max(0.1, min(1.0, -(-max(found, default=1.0) * 10 // 1) / 10)))
    tenths = range(0, round(scale.highest * 10) + 1, 2 if scale.highest > 0.5 else 1)
    return Chart(
        levels=tuple((f"{tenth / 10:.1f}", scale.y(tenth / 10)) for tenth in tenths),
        ticks=tuple((number, scale.x(number)) for number in _ticks(scale.last)),
        curves=tuple(
            _curve(scored, label, names[label], colours[label], scale) for label in range(min(CLASSES, len(names)))
        ),
    )


def _ticks(last: int) -> list[int]:
    """About six round numbers from 0 to the last trial."""
    step = next(size for power in range(12) for size in (10**power, 2 * 10**power, 5 * 10**power) if last / size <= 6)
    return list(range(0, last + 1, step))


def _curve(scored: Sequence[ScoredTrial], label: int, name: str, colour: str, scale: _Scale) -> Curve:
    """A class. All dots are one path: a line of no length is drawn as its round end."""
    some = scored[:: -(-len(scored) // MOST_DOTS)]
    dots = [f"M{scale.x(t.number)} {scale.y(v)}h0" for t in some if (v := t.iou[label]) is not None]
    best = [(scale.x(t.number), v) for t in scored if t.best and (v := t.iou[label]) is not None]
    line = ""
    if best:
        steps = "".join(f"H{x}V{scale.y(value)}" for x, value in best[1:])
        line = f"M{best[0][0]} {scale.y(best[0][1])}{steps}H{scale.x(scale.last)}"
    return Curve(name=name, colour=colour, dots="".join(dots), line=line, last=best[-1][1] if best else 0.0)
