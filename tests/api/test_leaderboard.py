"""The leaderboard as text, as a table of a notebook and as a frame."""

from __future__ import annotations

from html.parser import HTMLParser

from search.api.leaderboard import SHOWN, Leaderboard
from search.outcome.leaderboard import HEAD, Row
from search.training.metrics import Constant

HOSTILE = "<script>alert('x')</script> & \"more\""


def board(rows: int = 3, **changes: str) -> Leaderboard:
    known = {"study": "mars", "state": "complete", "summary": "unet d3"} | changes
    made = [
        Row(number=n, state=known["state"], value=n / 100, miou=n / 100, miou_strict=n / 200, summary=known["summary"])
        for n in range(rows)
    ]
    return Leaderboard(study=known["study"], rows=tuple(made), constant=Constant(miou=0.25, miou_strict=0.2))


class Cells(HTMLParser):
    """The texts of a table's cells, and the names of all elements."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_the_best_one_is_first() -> None:
    assert [row.number for row in board().rows] == [2, 1, 0]
    assert list(board().to_frame()["number"]) == [2, 1, 0]
    lines = [line.split()[0] for line in str(board()).splitlines() if line.strip()[:1].isdigit()]
    assert lines[:3] == ["2", "1", "0"]
    assert repr(board()) == str(board())


def test_a_notebook_shows_the_same_cells() -> None:
    cells = Cells(board()._repr_html_())
    assert [text for text in cells.texts if text in HEAD] == list(HEAD)
    assert cells.texts[len(HEAD) + 1 :][:4] == ["2", "complete", "0.0200", "0.0100"]
    assert "best constant answer" in cells.texts


def test_no_name_becomes_an_element() -> None:
    cells = Cells(board(study=HOSTILE, summary=HOSTILE, state=HOSTILE)._repr_html_())
    assert cells.names == {"div", "table", "caption", "b", "thead", "tr", "th", "tbody", "td"}
    assert cells.texts.count(HOSTILE) == 2 * 3


def test_more_trials_than_are_shown_are_counted() -> None:
    page = board(SHOWN + 5)._repr_html_()
    assert page.count("<tr") == 1 + SHOWN + 1
    assert "and 5 more" in page
    assert "and 5 more" in str(board(SHOWN + 5))
    assert len(board(SHOWN + 5).to_frame()) == SHOWN + 5


def test_no_trial_yet_is_an_empty_board() -> None:
    assert len(board(0)) == 0
    assert list(board(0).to_frame().columns)[:3] == ["number", "state", "value"]
    assert "best constant answer" in str(board(0))
