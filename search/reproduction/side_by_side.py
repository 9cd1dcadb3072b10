"""A reproduced table as text: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from search.reproduction.ordering import Agreement, Range
from search.reproduction.paper import CLASSES, Metric
from search.reproduction.table import Measure, Ours, Reproduction, Setting, printed

ABSENT = "-"
_METRIC = {"miou": "lenient", "miou_strict": "strict"}
_IOU = {"miou": "iou", "miou_strict": "iou_strict"}
_METRICS: tuple[Metric, ...] = ("miou", "miou_strict")
_MEASURES: tuple[Measure, ...] = ("miou", "miou_strict", "accuracy")


def as_markdown(done: Reproduction) -> str:
    """The whole comparison as Markdown: setting, means, IoU per class, pooled folds, ordering, failures."""
    blocks = [
        [f"# Table {done.table.name} beside ours", "", f"Paper: {done.table.caption}. All scores are per cent."],
        setting_lines(done.setting),
        [f"- {remark}" for remark in done.table.remarks],
        [f"![the paper's numbers beside ours]({done.table.name}.png)"],
        ["## Scores", "", *_means(done)],
        ["## IoU per class", "", *_classes(done, "miou"), "", *_classes(done, "miou_strict")],
        ["## Pooled over the folds", "", *_pooled(done)] if done.setting.folds else [],
        ["## Does the ordering agree?", "", *_orderings(done)] if done.agreements else [],
        ["## Not finished", "", *_unfinished(done)] if done.failures or done.missing else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def as_csv(done: Reproduction) -> str:
    """One line per row of the table; per cent with four decimals, an empty cell where there is nothing."""
    text = io.StringIO()
    rows = [dict(_cells(done, ours)) for ours in done.rows]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def setting_lines(setting: Setting) -> list[str]:
    """What all trainings had in common, a list item each."""
    sites = "no site is in both parts" if setting.grouped else "the data has no sites"
    seeds = f"seeds 0 to {setting.seeds - 1}" if setting.seeds > 1 else "seed 0"
    epochs = f"{setting.epochs} epochs" if setting.epochs > 1 else "1 epoch"
    spread = "Scores are means over the seeds, in brackets the lowest and the highest"
    spread = spread if setting.seeds > 1 else "With one seed no spread is known"
    lines = [
        f"Data: `{setting.data}` (digest {setting.digest[:12]}), {setting.train:,} tiles to train and"
        f" {setting.validation:,} to validate; {sites}.",
        *_subset(setting),
        f"Budget: {epochs} for every row without early stop, {seeds} (of weights, batches and"
        f" augmentation; the split is the same). {spread}.",
        *([f"Width: {setting.width:g} of every preset's filters."] if setting.width != 1 else []),
        "The epoch with the best lenient mIoU on validation counts, as in the reports.",
        "Lenient: true-background pixels are dropped, then the mean over the other classes. Strict: the same classes"
        " over all pixels. Accuracy: over all pixels.",
        "Their data is not ours: what can agree is the ordering and the size of effects among comparable rows.",
    ]
    return [f"- {line}" for line in lines]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table; the first column is text, the others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return [f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |" for cells in (header, rule, *rows)]


def spelled(found: Range | None) -> str:
    """``51.2`` or ``51.2 (50.1 to 52.3)``."""
    if found is None:
        return ABSENT
    spread = f" ({found.low:.1f} to {found.high:.1f})" if found.low < found.high else ""
    return f"{found.mean:.1f}{spread}"


def _subset(setting: Setting) -> list[str]:
    if setting.tiles is None:
        return []
    share = f", with their share of tiles that show {setting.rarest}" if setting.rarest else ""
    return [
        f"Subset: {setting.train:,} of {setting.train_clean:,} and {setting.validation:,} of"
        f" {setting.validation_clean:,} clean tiles, drawn with a fixed seed{share}."
    ]


def _means(done: Reproduction) -> list[str]:
    header = ("row", "paper", "compare", "lenient", "strict", "paper's accuracy", "accuracy", "parameters", "seconds")
    rows = []
    for ours in done.rows:
        row = ours.row
        lenient, strict = (_bold(spelled(ours.reached(m)), m == row.metric) for m in ("miou", "miou_strict"))
        rows.append(
            (
                row.title,
                _as_printed(row.miou, row.miou_spread),
                _METRIC[row.metric],
                lenient,
                strict,
                _as_printed(row.accuracy, row.accuracy_spread),
                spelled(ours.reached("accuracy")),
                ABSENT if ours.parameters is None else f"{ours.parameters:,}",
                ABSENT if ours.seconds is None else f"{ours.seconds:.0f}",
            )
        )
    return markdown_table(header, rows)


def _classes(done: Reproduction, metric: Metric) -> list[str]:
    """IoU per class by one metric; what the paper prints for the row's metric stands in square brackets."""
    labels = _labels(done, metric)
    header = (_METRIC[metric], *(done.facts.class_names[label] for label in labels))
    rows = [(ours.row.title, *(_class_cell(done, ours, metric, label) for label in labels)) for ours in done.rows]
    return markdown_table(header, rows)


def _class_cell(done: Reproduction, ours: Ours, metric: Metric, label: int) -> str:
    paper = _paper_iou(done, ours, label) if metric == ours.row.metric else None
    return spelled(ours.iou(metric, label)) + (f" [{paper:.2f}]" if paper is not None else "")


def _pooled(done: Reproduction) -> list[str]:
    labels = range(done.facts.classes)
    header = ("lenient / strict", "mIoU", *done.facts.class_names)
    rows = []
    for ours in done.rows:
        if ours.pooled is not None:
            p = ours.pooled
            pairs = [(p.miou, p.miou_strict), *((p.iou[k], p.iou_strict[k]) for k in labels)]
            rows.append((ours.row.title, *(f"{_share(one)} / {_share(other)}" for one, other in pairs)))
    head = (
        f"Each row was trained once on each of {done.setting.folds} folds (seed 0; whole sites where the data has"
        " them); the confusion matrices are summed before any IoU is taken."
    )
    return [head, "", *markdown_table(header, rows)] if rows else [head, "", "No row has all of its folds yet."]


def _orderings(done: Reproduction) -> list[str]:
    lines = [
        "A pair is undecided when the ranges of its rows overlap, in the paper or in ours."
        + ("" if done.setting.seeds > 1 else " With one seed every difference of ours counts as one.")
    ]
    for agreement in done.agreements:
        lines += ["", agreement.sentence, "", *_pairs(agreement)] if agreement.pairs else ["", agreement.sentence]
    return lines


def _pairs(agreement: Agreement) -> list[str]:
    rows = [(f"{p.first} → {p.second}", f"{p.paper:+.2f}", f"{p.ours:+.1f}", p.verdict) for p in agreement.pairs]
    return markdown_table(("from → to", "paper", "ours", "ordering"), rows)


def _unfinished(done: Reproduction) -> list[str]:
    lines = [f"- {failure}" for failure in done.failures]
    if done.missing:
        lines.append(f"- {done.missing} trainings are not done yet; the same command continues.")
    return lines


def _cells(done: Reproduction, ours: Ours) -> Iterator[tuple[str, object]]:
    row = ours.row
    yield from (("table", done.table.name), ("row", row.title), ("preset", row.preset), ("track", row.track))
    yield from (("metric", row.metric), ("paper_miou", row.miou), ("paper_miou_spread", row.miou_spread))
    yield from (("paper_accuracy", row.accuracy), ("paper_accuracy_spread", row.accuracy_spread))
    for label, name in enumerate(done.facts.class_names):
        yield f"paper_iou {name}", _paper_iou(done, ours, label)
    for measure in _MEASURES:
        yield from _range_cells(measure, ours.reached(measure))
    for metric in _METRICS:
        for label in _labels(done, metric):
            yield from _range_cells(f"{_IOU[metric]} {done.facts.class_names[label]}", ours.iou(metric, label))
    if done.setting.folds:
        yield from _pooled_cells(done, ours)
    yield from (("parameters", ours.parameters), ("seconds", _rounded(ours.seconds)), ("seeds", len(ours.results)))
    yield from (("failures", len(ours.failures)), ("missing", ours.missing))


def _range_cells(name: str, found: Range | None) -> Iterator[tuple[str, object]]:
    for part in ("mean", "low", "high"):
        yield f"{name} {part}", _rounded(None if found is None else getattr(found, part))


def _pooled_cells(done: Reproduction, ours: Ours) -> Iterator[tuple[str, object]]:
    p = ours.pooled
    for measure in _MEASURES:
        yield f"pooled {measure}", None if p is None else _percent(getattr(p, measure))
    for label, name in enumerate(done.facts.class_names):
        yield f"pooled iou {name}", None if p is None else _percent(p.iou[label])
        yield f"pooled iou_strict {name}", None if p is None else _percent(p.iou_strict[label])


def _labels(done: Reproduction, metric: Metric) -> list[int]:
    left_out = done.facts.excluded_labels if metric == "miou" else ()
    return [label for label in range(done.facts.classes) if label not in left_out]


def _paper_iou(done: Reproduction, ours: Ours, label: int) -> float | None:
    """What the paper prints for a class; only where the data has the reports' five classes."""
    same = done.facts.classes == len(CLASSES) and ours.row.iou
    return ours.row.iou[label] if same else None


def _as_printed(mean: float | None, spread: float | None) -> str:
    found = printed(mean, spread)
    if found is None:
        return ABSENT
    return f"{found.mean:.1f} ± {spread:.1f}" if spread is not None else f"{found.mean:.2f}"


def _bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted and text != ABSENT else text


def _share(value: float) -> str:
    return ABSENT if value != value else f"{100 * value:.1f}"


def _percent(value: float) -> float | None:
    return None if value != value else _rounded(100 * value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
