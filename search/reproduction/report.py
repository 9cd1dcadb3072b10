"""A reproduced table as text: Markdown for people, from `templates`, and CSV for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from search.reproduction.paper import CLASSES, PaperRow
from search.reproduction.table import METRICS, Ours, Range, Reproduction, measures

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
    environment.filters |= _FILTERS
    environment.globals["rule"] = lambda numbers: "| --- |" + " ---: |" * numbers
    return environment.get_template(template).render({**values, **more}).rstrip() + "\n"


def as_csv(done: Reproduction) -> str:
    """One line per row of the table; per cent with four decimals, an empty cell where there is nothing."""
    rows = pd.DataFrame([_cells(done, ours) for ours in done.rows], dtype=object)  # whole numbers stay whole
    return rows.to_csv(index=False, lineterminator="\n")


def spelled(found: Range) -> str:
    """``51.2`` or ``51.2 (50.1 to 52.3)``."""
    if math.isnan(found.mean):
        return ABSENT
    return f"{found.mean:.1f}" + (f" ({found.low:.1f} to {found.high:.1f})" if found.low < found.high else "")


def percent(share: float | None) -> str:
    """A share of 1 in per cent with one decimal."""
    return ABSENT if share is None or math.isnan(share) else f"{100 * share:.1f}"


def paper_iou(done: Reproduction, row: PaperRow, label: int) -> float | None:
    """What the paper prints for a class; only where the data has the reports' five classes."""
    return row.iou[label] if row.iou and done.setting.dataset.facts.classes == len(CLASSES) else None


def _cells(done: Reproduction, ours: Ours) -> dict[str, object]:
    row, facts = ours.row, done.setting.dataset.facts
    cells: dict[str, object] = {"table": done.table.name, "row": row.title, "preset": row.preset}
    cells |= {"track": row.track, "metric": row.metric}
    cells |= {f"paper_{name}": getattr(row, name) for name in ("miou", "miou_spread", "accuracy", "accuracy_spread")}
    cells |= {f"paper_iou {name}": paper_iou(done, row, label) for label, name in enumerate(facts.class_names)}
    found = [(n, ours.reached(n)) for n in measures(None, facts) if n not in {f"iou {name}" for name in facts.excluded}]
    cells |= {f"{n} {part}": round(value, 4) for n, reached in found for part, value in reached._asdict().items()}
    if done.setting.budget.folds:
        pooled = measures(ours.pooled, facts)
        classes = [f"{kind} {name}" for name in facts.class_names for kind in ("iou", "iou_strict")]
        cells |= {f"pooled {name}": round(pooled[name], 4) for name in (*METRICS, "accuracy", *classes)}
    cells |= {"parameters": ours.parameters, "seconds": ours.seconds and round(ours.seconds, 4)}
    return cells | {"seeds": len(ours.results), "failures": len(ours.failures), "missing": ours.missing}


def _printed(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ABSENT
    return f"{mean:.2f}" if spread is None else f"{mean:.1f} ± {spread:.1f}"


_FILTERS: dict[str, Callable[..., str]] = {
    "bold": lambda text, wanted: f"**{text}**" if wanted and text != ABSENT else text,
    "cell": lambda text: text.replace("|", "/"),
    "count": lambda number: ABSENT if number is None else f"{number:,.0f}",
    "percent": percent,
    "printed": _printed,
    "spelled": spelled,
}
