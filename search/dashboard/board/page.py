"""Our page in HTML. Every name goes through `escape`; there is no style and no script in the text itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from search.dashboard.board.chart import CLASSES, draw_chart
from search.dashboard.board.pictures import compare, legend
from search.dashboard.board.snapshot import LeaderboardEntry, Named, StudySnapshot
from search.dashboard.response import Response, tag_of
from search.host.progress import clock

POLICY = (
    "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'self'"
)
JUST_NOW_S = 30.0  # a worker is heard of every ten seconds
EXPLAINED = '<p class="quiet">Dots: complete trials. Lines: the best trial until then.</p>'
CHOICES = (3, 5, 10)  # how many trials may be compared


def board_page(seen: StudySnapshot, studies: Sequence[Named], *, writes: bool) -> Response:
    """The page of a study. writes: whether who asks may also change studies."""
    cards = (
        _card("summary", seen.study.name, _summary(seen)),
        _card("leaders", "Leaderboard", _leaders(seen)),
        _card("pictures", "The same validation images", _legend(seen) + compare(seen.leaders, seen.facts.excluded)),
        _card(
            "classes",
            "IoU per class",
            _drawn(seen) + EXPLAINED + draw_chart(seen.scored, seen.facts.class_names, seen.colours),
        ),
        _card("workers", "Workers", _workers(seen)),
    )
    return _document(seen.study.name, _bar(studies, seen.study, writes), "".join(cards))


def no_study_page(studies: Sequence[Named], status: int = 200) -> Response:
    """What there is to say without a study to show."""
    text = "There is no study of this number; choose one above." if studies else "There is no study yet."
    hint = (
        ""
        if studies
        else "<p class='quiet'>Start with <code>marsearch demo</code>; this page looks again by itself.</p>"
    )
    card = _card("none", "No study", f"<p>{text}</p>{hint}")
    return _document("no study", _bar(studies, None, writes=False), card, status)


def _document(title: str, bar: str, main: str, status: int = 200) -> Response:
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        '<meta name="color-scheme" content="light dark"/>'
        f'<title>{escape(title)} - marsearch</title><link rel="icon" href="/favicon.ico"/>'
        '<link rel="stylesheet" href="/board/page.css"/><script defer src="/board/page.js"></script></head>'
        f'<body>{bar}<main id="main">{main}</main></body></html>'
    )
    body = text.encode()
    return Response(
        status=status,
        body=body,
        tag=tag_of(body) if status == 200 else "",
        headers=(("Content-Security-Policy", POLICY),),
    )


def _bar(studies: Sequence[Named], shown: Named | None, writes: bool) -> str:
    others = "".join(
        f'<a href="/board/{study.id}"{" class=here" if study == shown else ""}>{escape(study.name)}</a>'
        for study in studies
    )
    back = f"/dashboard/studies/{shown.id}" if shown else "/dashboard"
    role = "may write" if writes else "read-only"
    return (
        f'<header id="bar"><strong>marsearch</strong><nav>{others}</nav><span id="away" hidden>no connection</span>'
        f'<span class="chip">{role}</span><a class="button" href="{back}">Dashboard</a></header>'
    )


def _card(name: str, title: str, inside: str) -> str:
    return f'<section class="card" id="{name}"><h2>{escape(title)}</h2>{inside}</section>'


def _summary(seen: StudySnapshot) -> str:
    done, target = seen.counts.finished, seen.config.trials
    best = seen.leaders[0].row if seen.leaders else None
    facts = [
        ("state", f'<span class="chip {seen.state}">{seen.state}</span>'),
        (
            "best strict mIoU" if seen.config.objective == "miou_strict" else "best mIoU",
            _score(best.value) if best else "none yet",
        ),
        ("trials", f"{done} of {target}"),
        ("complete", str(seen.counts.complete)),
        ("pruned", str(seen.counts.pruned)),
        ("failed", str(seen.counts.failed)),
        ("running", str(seen.counts.running)),
        ("waiting", str(seen.counts.waiting)),
    ]
    if seen.remaining_s and seen.state == "running":
        facts.append(("about", f"{clock(seen.remaining_s)} to go"))
    listed = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
    return f'<progress max="{target}" value="{min(done, target)}">{done} of {target}</progress><dl>{listed}</dl>'


def _leaders(seen: StudySnapshot) -> str:
    if not seen.leaders:
        return '<p class="quiet">No trial is complete yet.</p>'
    known = [
        label for label in range(seen.facts.classes) if any(leader.iou[label] is not None for leader in seen.leaders)
    ]
    classes = [escape(seen.facts.class_names[label]) for label in known[:CLASSES]]
    heads = ("", "trial", "mIoU", "strict", *classes, "parameters", "epochs", "time", "recipe")
    rows = [_leader(place, leader, seen.study.id, known[:CLASSES]) for place, leader in enumerate(seen.leaders, 1)]
    choice = " ".join(
        f'<a href="?top={n}"{" class=here" if n == seen.top else ""}>{n}</a>' for n in sorted({*CHOICES, seen.top})
    )
    return f'<p class="choice">the best {choice}</p>{_table(heads, rows)}'


def _leader(place: int, leader: LeaderboardEntry, study: int, known: Sequence[int]) -> Sequence[str]:
    row = leader.row
    link = f'<a href="/dashboard/studies/{study}/trials?numbers={row.number}">{row.number}</a>'
    return (
        str(place),
        link,
        f"<b>{_score(row.miou if row.miou is not None else row.value)}</b>",
        _score(row.miou_strict),
        *(_score(leader.iou[label]) for label in known),
        "-" if row.parameters is None else f"{row.parameters:,}",
        str(row.epochs),
        "-" if row.seconds is None else clock(row.seconds),
        escape(row.summary),
    )


def _legend(seen: StudySnapshot) -> str:
    names = seen.facts.class_names[:CLASSES]
    outside = [" (not in the mean)" if name in seen.facts.excluded else "" for name in names]
    return legend(zip(seen.colours, [name + more for name, more in zip(names, outside, strict=True)], strict=False))


def _drawn(seen: StudySnapshot) -> str:
    """The legend of the classes that have an IoU in some trial; one outside the mean has none."""
    names = enumerate(seen.facts.class_names[:CLASSES])
    return legend(
        (seen.colours[label], name) for label, name in names if any(t.iou[label] is not None for t in seen.scored)
    )


def _workers(seen: StudySnapshot) -> str:
    gone = ", ".join(
        f"{number} {word}" for number, word in ((seen.left, "left in order"), (seen.lost, "lost")) if number
    )
    note = f'<p class="quiet">Gone: {gone}.</p>' if gone else ""
    if not seen.workers:
        return f'<p class="quiet">Nobody works on this study.</p>{note}'
    heads = ("host", "process", "device", "state", "heard of", "load", "trains")
    return _table(heads, [_worker(worker) for worker in seen.workers]) + note


def _worker(worker: dict[str, Any]) -> Sequence[str]:
    busy, slots, age = len(worker["training"]), worker["slots"], worker["beat_age_s"]
    trains = "".join(
        f'<div class="training">trial {t["trial"]}<progress max="{t["epochs"]}" value="{t["epoch"]}"></progress>'
        f"epoch {t['epoch']} of {t['epochs']}</div>"
        for t in worker["training"]
    )
    return (
        escape(worker["host"]),
        str(worker["pid"]),
        escape(worker["device"]),
        f'<span class="chip {escape(worker["state"])}">{escape(worker["state"])}</span>',
        "just now" if age < JUST_NOW_S else f"{clock(age)} ago",
        f'<meter min="0" max="{max(1, slots)}" value="{min(busy, slots)}"></meter> {busy} of {slots}',
        trains or "-",
    )


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of ready HTML; it scrolls by itself where the window is too narrow."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _score(value: float | None) -> str:
    return f"{value:.4f}" if value is not None and math.isfinite(value) else "-"
