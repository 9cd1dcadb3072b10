"""IoU per class over the trials, as an SVG of our own: it needs no library, and follows the page into the dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from search.dashboard.board.snapshot import Scored

WIDTH, HEIGHT = 1000, 340  # of the drawing, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 28, 46  # kept free around the plot
MOST_DOTS = 300  # per class, evenly over the trials
CLASSES = 24  # more lines would not be told apart


@dataclass(frozen=True)
class _Scale:
    """Trial numbers 0 to `last` and IoUs 0 to `highest` in the drawing."""

    last: int
    highest: float

    def x(self, number: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * number / max(1, self.last), 1)

    def y(self, iou: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - iou / self.highest), 1)


def draw_chart(scored: Sequence[Scored], names: Sequence[str], colours: Sequence[str]) -> str:
    """The chart as SVG text: a dot for each trial (of very many, a selection), a line for the best trial until then.

    names, colours: of the classes, in the order of the trials' IoUs. Without a trial there is a word instead.
    """
    if not scored:
        return '<p class="quiet">No trial is complete yet.</p>'
    found = [value for trial in scored for value in trial.iou if value is not None]
    scale = _Scale(last=scored[-1].number, highest=max(0.1, min(1.0, -(-max(found, default=1.0) * 10 // 1) / 10)))
    dots = scored[:: -(-len(scored) // MOST_DOTS)]
    parts = [_axes(scale)]
    parts += [_dots(dots, label, colours[label], scale) for label in range(min(CLASSES, len(names)))]
    parts += [_line(scored, label, colours[label], names[label], scale) for label in range(min(CLASSES, len(names)))]
    label = "IoU per class of each complete trial, and of the best one until then"
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _axes(scale: _Scale) -> str:
    parts = []
    for tenth in range(0, round(scale.highest * 10) + 1, 2 if scale.highest > 0.5 else 1):
        y = scale.y(tenth / 10)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{tenth / 10:.1f}</text>')
    below = [f'<text x="{scale.x(n)}" y="{HEIGHT - 24}" text-anchor="middle">{n}</text>' for n in _ticks(scale.last)]
    names = (
        f'<text x="{LEFT - 8}" y="{TOP - 14}" text-anchor="end">IoU</text>'
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">trial</text>'
    )
    return names + "".join(parts + below)


def _ticks(last: int) -> list[int]:
    """About six round numbers from 0 to the last trial."""
    step = next(size for power in range(12) for size in (10**power, 2 * 10**power, 5 * 10**power) if last / size <= 6)
    return list(range(0, last + 1, step))


def _dots(trials: Sequence[Scored], label: int, colour: str, scale: _Scale) -> str:
    """All dots of a class as one path: a line of no length is drawn as its round end."""
    places = [f"M{scale.x(t.number)} {scale.y(v)}h0" for t in trials if (v := t.iou[label]) is not None]
    return f'<path class="dots" stroke="{colour}" d="{"".join(places)}"/>' if places else ""


def _line(trials: Sequence[Scored], label: int, colour: str, name: str, scale: _Scale) -> str:
    steps = [(scale.x(t.number), scale.y(v)) for t in trials if t.best and (v := t.iou[label]) is not None]
    if not steps:
        return ""
    path = f"M{steps[0][0]} {steps[0][1]}" + "".join(f"H{x}V{y}" for x, y in steps[1:]) + f"H{scale.x(scale.last)}"
    last = next(v for t in reversed(trials) if t.best and (v := t.iou[label]) is not None)
    title = f"<title>{escape(name)}: {last:.3f} for the best trial</title>"
    return f'<path class="under" d="{path}"/><path class="line" stroke="{colour}" d="{path}">{title}</path>'
