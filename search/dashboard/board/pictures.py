"""The validation images side by side: one row per image, one column per trial, cut out of the trials' own pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from search.dashboard.board.panels import Panel
from search.dashboard.board.snapshot import LeaderboardEntry
from search.outcome.colours import WRONG, WRONG_NOT_COUNTED


def compare(leaders: Sequence[LeaderboardEntry], excluded: Sequence[str]) -> str:
    """HTML with the pictures of these trials; a word where there are none. excluded: classes outside the mean."""
    shown = [(leader, leader.panel) for leader in leaders if leader.panel is not None]
    if not shown:
        return '<p class="quiet">No trial with pictures yet.</p>'
    if any(panel.grid is None for _, panel in shown):
        return "".join(_whole(leader, panel) for leader, panel in shown)
    switch = '<label class="switch"><input type="checkbox" id="errors"/> show errors instead of predictions</label>'
    first = shown[0][1]
    heads = ("image", "truth", *(_head(leader) for leader, _ in shown))
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    rows = "".join(_row(sample, first, [panel for _, panel in shown]) for sample in range(first.samples))
    table = f'<table class="panels"><thead><tr>{top}</tr></thead><tbody>{rows}</tbody></table>'
    return f'{switch}{_errors(excluded)}<div class="scroll">{table}</div>'


def legend(entries: Iterable[tuple[str, str]], kind: str = "legend") -> str:
    """What colours mean, as HTML: ``#RRGGBB`` and a name of each."""
    items = "".join(
        f'<li><svg viewBox="0 0 10 10"><rect width="10" height="10" rx="2" fill="{colour}"/></svg>{escape(name)}</li>'
        for colour, name in entries
    )
    return f'<ul class="{kind}">{items}</ul>'


def _errors(excluded: Sequence[str]) -> str:
    entries = [(WRONG, "wrong class")]
    if excluded:
        entries.append((WRONG_NOT_COUNTED, f"wrong where the truth is {', '.join(excluded)} (strict mIoU only)"))
    return legend(entries, "legend errors")


def _row(sample: int, first: Panel, panels: Sequence[Panel]) -> str:
    cells = [_cell(first, sample, "image"), _cell(first, sample, "truth")]
    cells += [_cell(panel, sample, "prediction") + _cell(panel, sample, "error") for panel in panels]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cell(panel: Panel, sample: int, column: str) -> str:
    """One cell of a picture: a window onto it, so that a trial's picture is loaded once."""
    assert panel.grid is not None
    left, top = panel.corner(sample, column)
    window = f"{left} {top} {panel.grid.cell_width} {panel.grid.cell_height}"
    image = f'<image href="{panel.url}" width="{panel.width}" height="{panel.height}"/>'
    return f'<svg class="cell {column}" viewBox="{window}" role="img" aria-label="{column} {sample + 1}">{image}</svg>'


def _head(leader: LeaderboardEntry) -> str:
    value = leader.row.miou if leader.row.miou is not None else leader.row.value
    return f"trial {leader.row.number}" + ("" if value is None else f"<br/>{value:.4f}")


def _whole(leader: LeaderboardEntry, panel: Panel) -> str:
    text = _head(leader).replace("<br/>", ", ")
    size = f'width="{panel.width}" height="{panel.height}"'
    return f'<figure><figcaption>{text}</figcaption><img src="{panel.url}" {size} alt="{text}"/></figure>'
