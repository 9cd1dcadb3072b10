"""Our page of a study in HTML; there is no style and no script in the text itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from bottle import HTTPResponse

from search.dashboard.board.chart import CLASSES, draw_chart
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


def board_page(seen: StudySnapshot, studies: Sequence[StudyRef], *, writes: bool) -> HTTPResponse:
    """The page of a study. writes: whether who asks may also change studies."""
    page = render(
        "study.html",
        title=seen.study.name,
        studies=studies,
        shown=seen.study,
        writes=writes,
        seen=seen,
        chart=draw_chart(seen.scored, seen.facts.class_names, class_colours(seen.facts)),
        choices=sorted({*CHOICES, seen.leaderboard.top}),
        pictured=[leader for leader in seen.leaderboard.entries if leader.panel is not None],
        just_now_s=JUST_NOW_S,
        data=json.loads(seen.config.report or "null"),
        **_classes(seen),
    )
    return document(page.encode(), HTML, {"Content-Security-Policy": POLICY})


def no_study_page(studies: Sequence[StudyRef], status: int = 200) -> HTTPResponse:
    """What there is to say without a study to show."""
    page = render("no_study.html", title="no study", studies=studies, shown=None, writes=False)
    return HTTPResponse(page.encode(), status, {"Content-Type": HTML, "Content-Security-Policy": POLICY})


def _classes(seen: StudySnapshot) -> dict[str, Any]:
    """Names and colours of the classes: all of them, those in the leaderboard, those in the chart.

    A class outside the mean has no IoU, so that the last two leave it out.
    """
    facts, colours, labels = seen.facts, class_colours(seen.facts), range(len(seen.facts.class_names))
    scored = [label for label in labels if any(leader.iou[label] is not None for leader in seen.leaderboard.entries)][
        :CLASSES
    ]
    drawn = [label for label in labels[:CLASSES] if any(trial.iou[label] is not None for trial in seen.scored)]
    wrong = f"wrong where the truth is {', '.join(facts.excluded)} (strict mIoU only)"
    return {
        "all_classes": [(colours[label], _described(seen, label)) for label in labels[:CLASSES]],
        "scored_labels": scored,
        "scored_classes": [facts.class_names[label] for label in scored],
        "drawn_classes": [(colours[label], facts.class_names[label]) for label in drawn],
        "error_colours": [(WRONG, "wrong class"), *([(WRONG_NOT_COUNTED, wrong)] if facts.excluded else [])],
    }


def _described(seen: StudySnapshot, label: int) -> str:
    name = seen.facts.class_names[label]
    return f"{name} (not in the mean)" if name in seen.facts.excluded else name
