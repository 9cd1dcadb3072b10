"""The leaderboard: text on a terminal, a table in a notebook, a frame for pandas."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING

from search.outcome.leaderboard import HEAD, Row, cells, constant_cells, rank, render
from search.output import console
from search.training.metrics import Constant

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 120  # of the text, in columns
SHOWN = 20  # rows
_CELL = 'style="text-align: {}; padding: 2px 8px; white-space: nowrap"'
_LAST = 'style="text-align: left; padding: 2px 8px; min-width: 14em"'
_COLOURS = {"complete": "#2E8B57", "pruned": "#B8860B", "running": "#2080B0", "fail": "#C0392B"}


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The trials of a study, best first: complete ones, then pruned, running, waiting, failed.

    study: its name. rows: of all trials. constant: what the best constant answer reaches.
    """

    study: str
    rows: tuple[Row, ...]
    constant: Constant

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", rank(self.rows))

    def __len__(self) -> int:
        return len(self.rows)

    def to_frame(self) -> pd.DataFrame:
        """A row for each trial, in this order: number, state, value, miou, miou_strict, epochs, parameters ..."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Row.__dataclass_fields__))

    def __str__(self) -> str:
        text = io.StringIO()
        render(self.rows, console(text, width=WIDTH, color_system=None), limit=SHOWN, constant=self.constant)
        return text.getvalue().rstrip()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        head = "".join(f"<th {_style(place)}>{name}</th>" for place, name in enumerate(HEAD))
        rows = [_row(cells(row), _COLOURS.get(row.state, "inherit")) for row in self.rows[:SHOWN]]
        rows.append(_row(constant_cells(self.constant), "inherit", "opacity: 0.65"))
        more = len(self.rows) - SHOWN
        rest = f"<p>and {more} more: <code>.to_frame()</code> has all</p>" if more > 0 else ""
        title = f'<caption style="text-align: left"><b>study {escape(self.study)}</b></caption>'
        table = f"{title}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
        size = "font-size: 13px"
        return f'<div style="overflow-x: auto; {size}"><table style="{size}">{table}</table>{rest}</div>'


def _row(texts: tuple[str, ...], colour: str, style: str = "") -> str:
    shown = [f"<td {_style(place)}>{escape(text)}</td>" for place, text in enumerate(texts)]
    shown[1] = shown[1].replace('style="', f'style="color: {colour}; ')
    return f'<tr style="{style}">{"".join(shown)}</tr>'


def _style(place: int) -> str:
    """Texts, which are the state and the recipe, are aligned to the left, numbers to the right; the recipe may wrap."""
    return _LAST if place == len(HEAD) - 1 else _CELL.format("left" if place == 1 else "right")
