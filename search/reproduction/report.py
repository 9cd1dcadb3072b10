"""A reproduced table as text: Markdown for people, from `templates`, and CSV for programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from search.reproduction.ordering import Range
from search.reproduction.paper import CLASSES, PaperRow
from search.reproduction.table import METRICS, Ours, Reproduction, measures

ABSENT = "-"


def as_markdown(done: Reproduction) -> str:
    """The whole comparison as Markdown: setting, means, IoU per class, pooled folds, ordering, failures."""
    facts = done.setting.dataset.facts

    def beside(row: PaperRow, metric: str, name: str) -> str:
        paper = paper_iou(done, row, facts.class_names.index(name)) if metric == row.metric else None
        return "" if paper is None else f" [{paper:.2f}]"

    return render(
        "table.md.j2",
        vars(done),
        agreements=done.agreements,
        failures=done.failures,
        missing=done.missing,
        metrics=METRICS,
        classes={"miou": [n for n in facts.class_names if n not in facts.excluded], "miou_strict": facts.class_names},
        pairs=lambda pooled: [(pooled.miou, pooled.miou_strict), *zip(pooled.iou, pooled.iou_strict, strict=True)],
        beside=beside,
    )


def render(template: str, values: Mapping[str, Any], **more: Any) -> str:
    """The Markdown of a template; tables have text in their first column, numbers in the others."""
    environment = Environment(
        loader=PackageLoader("search.reproduction"),
        autoescape=select_autoescape(),  # none for Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": _cell, "count": _count, "percent": percent, "printed": _printed}
    environment.filters |= {"spelled": spelled, "bold": lambda t, wanted: f"**{t}**" if wanted and t != ABSENT else t}
    environment.globals["rule"] = lambda numbers: "| --- |" + " ---: |" * numbers
    return environment.get_template(template).render({**values, **more}).rstrip() + "\n"


def as_csv(done: Reproduction) -> str:
    """One line per row of the table; per cent with four decimals, an empty cell where there is nothing."""
    rows = [dict(_cells(done, ours)) for ours in done.rows]
    return csv_text(list(rows[0]), rows)


def csv_text(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """A CSV file of these rows."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def spelled(found: Range | None) -> str:
    """``51.2`` or ``51.2 (50.1 to 52.3)``."""
    if found is None:
        return ABSENT
    return f"{found.mean:.1f}" + (f" ({found.low:.1f} to {found.high:.1f})" if found.low < found.high else "")


def percent(share: float | None) -> str:
    """A share of 1 in per cent with one decimal."""
    return ABSENT if share is None or math.isnan(share) else f"{100 * share:.1f}"


def paper_iou(done: Reproduction, row: PaperRow, label: int) -> float | None:
    """What the paper prints for a class; only where the data has the reports' five classes."""
    return row.iou[label] if row.iou and done.setting.dataset.facts.classes == len(CLASSES) else None


def _cells(done: Reproduction, ours: Ours) -> Iterator[tuple[str, object]]:
    row, facts = ours.row, done.setting.dataset.facts
    yield from (("table", done.table.name), ("row", row.title), ("preset", row.preset), ("track", row.track))
    yield from (("metric", row.metric), ("paper_miou", row.miou), ("paper_miou_spread", row.miou_spread))
    yield from (("paper_accuracy", row.accuracy), ("paper_accuracy_spread", row.accuracy_spread))
    yield from ((f"paper_iou {name}", paper_iou(done, row, label)) for label, name in enumerate(facts.class_names))
    for name in measures(None, facts):
        if name not in {f"iou {excluded}" for excluded in facts.excluded}:
            found = ours.reached(name)
            yield from ((f"{name} {part}", _rounded(getattr(found, part, None))) for part in ("mean", "low", "high"))
    if done.setting.budget.folds:
        pooled = measures(ours.pooled, facts)
        classes = [f"{kind} {name}" for name in facts.class_names for kind in ("iou", "iou_strict")]
        yield from ((f"pooled {name}", _rounded(pooled[name])) for name in (*METRICS, "accuracy", *classes))
    yield from (("parameters", ours.parameters), ("seconds", _rounded(ours.seconds)), ("seeds", len(ours.results)))
    yield from (("failures", len(ours.failures)), ("missing", ours.missing))


def _cell(text: str) -> str:
    return text.replace("|", "/")


def _count(number: float | None) -> str:
    return ABSENT if number is None else f"{number:,.0f}"


def _printed(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ABSENT
    return f"{mean:.2f}" if spread is None else f"{mean:.1f} ± {spread:.1f}"


def _rounded(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 4)
