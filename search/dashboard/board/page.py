"""Our pages in HTML; there is no style and no script in the text itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bottle import HTTPResponse

from search.dashboard.access import PASSWORD
from search.dashboard.board.chart import CLASSES
from search.dashboard.board.pictures import viewer
from search.dashboard.board.rendering import render
from search.dashboard.board.snapshot import StudyRef, StudySnapshot
from search.dashboard.response import HTML, document
from search.outcome.pictures.colours import WRONG, WRONG_NOT_COUNTED, class_colours

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'self'"
)
JUST_NOW_S = 30.0  # a host is heard of every ten seconds
CHOICES = (3, 5, 10)  # how many trials may be compared
MOST_TABS = 6  # studies in the bar; the others stand in the list
SHOWN_CHANGES = 6  # of a trial against the baseline; the others unfold


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Who looks. writes: may change studies. studies: those there are. why: how one who may not write comes to it."""

    writes: bool
    studies: Sequence[StudyRef]
    why: str = f"start the dashboard with {PASSWORD} and log in to change things here"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What came of a form. form: which. wrong: why it was refused, "" when it was not. sent: what was filled in."""

    form: str = ""
    wrong: str = ""
    done: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)


def board_page(seen: StudySnapshot, reader: Reader, note: str, said: Said | None = None) -> HTTPResponse:
    """The page of a study. note: of people on it. said: the answer to a form that was sent from it."""
    page = render(
        "study.html",
        title=f"{seen.study.name}: {seen.progress.state}",
        reader=reader,
        tabs=_tabs(reader.studies, seen.study),
        shown=seen.study,
        url=f"/board/{seen.study.id}?top={seen.leaderboard.top}",
        seen=seen,
        said=said or Said(),
        note=note,
        choices=sorted({*CHOICES, seen.leaderboard.top}),
        shown_changes=SHOWN_CHANGES,
        viewer=viewer(seen),
        worst=seen.leaderboard.worst,
        worst_of=json.loads(seen.leaderboard.worst or "null"),
        whole=[entry for entry in seen.leaderboard.entries if entry.panel is not None and entry.panel.grid is None],
        just_now_s=JUST_NOW_S,
        data=json.loads(seen.config.report or "null"),
        **_classes(seen),
    )
    headers = {"Content-Security-Policy": POLICY}
    if said is not None and said.wrong:
        return HTTPResponse(page.encode(), 400, {"Content-Type": HTML, **headers})
    return document(page.encode(), HTML, headers)


def waiting_page(study: StudyRef, reader: Reader) -> HTTPResponse:
    """What is there at once while the trials of a large study are read for the first time."""
    return other_page("waiting.html", study.name, reader, shown=study, url=f"/board/{study.id}")


def no_study_page(reader: Reader, status: int = 200) -> HTTPResponse:
    """What there is to say without a study to show."""
    return other_page("no_study.html", "no study", reader, status=status, url="/")


def list_page(reader: Reader, reports: Sequence[Mapping[str, Any]]) -> HTTPResponse:
    """All studies. reports: of each, as `search.studies.reports.study_list` has them."""
    by_name = {study.name: study.id for study in reader.studies}
    rows = [dict(report) | {"id": by_name[report["study"]]} for report in reports if report["study"] in by_name]
    newest_first = sorted(rows, key=lambda row: -row["id"])
    return other_page("list.html", "studies", reader, url="/board", reports=newest_first)


def other_page(
    template: str, title: str, reader: Reader, *, status: int = 200, shown: StudyRef | None = None, **more: Any
) -> HTTPResponse:
    """A page that is no board of a study."""
    tabs = _tabs(reader.studies, shown)
    page = render(template, title=title, reader=reader, tabs=tabs, shown=shown, **more).encode()
    if status == 200:
        return document(page, HTML, {"Content-Security-Policy": POLICY})
    return HTTPResponse(page, status, {"Content-Type": HTML, "Content-Security-Policy": POLICY})


def _tabs(studies: Sequence[StudyRef], shown: StudyRef | None) -> list[StudyRef]:
    """The studies in the bar: the newest ones, and the one that is shown."""
    newest = list(studies[-MOST_TABS:])
    return newest if shown is None or shown in newest else [shown, *newest[1:]]


def _classes(seen: StudySnapshot) -> dict[str, Any]:
    """Names and colours of the classes: all of them, and those with an IoU; a class outside the mean has none."""
    facts, colours, labels = seen.facts, class_colours(seen.facts), range(len(seen.facts.class_names))
    scored = [label for label in labels if any(leader.iou[label] is not None for leader in seen.leaderboard.entries)]
    wrong = f"wrong where the truth is {', '.join(facts.excluded)} (strict mIoU only)"
    return {
        "all_classes": [(colours[label], _described(seen, label), label) for label in labels[:CLASSES]],
        "scored_labels": scored[:CLASSES],
        "scored_classes": [(colours[label], facts.class_names[label]) for label in scored[:CLASSES]],
        "error_colours": [(WRONG, "wrong class"), *([(WRONG_NOT_COUNTED, wrong)] if facts.excluded else [])],
    }


def _described(seen: StudySnapshot, label: int) -> str:
    name = seen.facts.class_names[label]
    return f"{name} (not in the mean)" if name in seen.facts.excluded else name
