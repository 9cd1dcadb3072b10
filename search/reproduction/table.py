"""A report's table as it is printed and as we trained it, and whether our numbers order the rows as the report does.

The printed numbers are in `tables.yaml`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import combinations
from statistics import fmean, mean
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import yaml
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from search.reproduction.plan import Setting, Task
    from search.reproduction.training import Result
    from search.training.metrics import Scores
    from spaces.facts import DataFacts

Metric = Literal["miou", "miou_strict"]
Scalar = bool | int | float | str
CLASSES = ("background", "soil", "bedrock", "sand", "big rock")
"""The columns of `PaperRow.iou`, in label order."""
METRICS: Mapping[Metric, str] = {"miou": "lenient", "miou_strict": "strict"}
Verdict = Literal["agrees", "disagrees", "undecided"]


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One row of a report's table, scores in per cent and None where nothing is printed.

    title: as printed. preset: the recipe of this row. track: only rows of one track are comparable.
    metric: the one of `search.training.metrics` that the report used in this row.
    miou_spread, accuracy_spread: what stands after "±". iou: per class in label order; () when no class is printed.
    """

    title: str
    preset: str
    track: str
    metric: Metric
    miou: float | None = None
    miou_spread: float | None = None
    accuracy: float | None = None
    accuracy_spread: float | None = None
    iou: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """A table of a report. caption: what it is. remarks: what a reader must know to compare, each a sentence."""

    name: str
    caption: str
    rows: tuple[PaperRow, ...]
    remarks: tuple[str, ...]

    @property
    def tracks(self) -> tuple[str, ...]:
        """The names of the tracks, in the order of the rows."""
        return tuple(dict.fromkeys(row.track for row in self.rows))


_DOCUMENT = yaml.safe_load((resources.files("search.reproduction") / "tables.yaml").read_text("utf-8"))
TABLES = {table.name: table for table in TypeAdapter(tuple[PaperTable, ...]).validate_python(_DOCUMENT["tables"])}
SEARCH_PRESET: str = _DOCUMENT["search"]["preset"]
SEARCH_AXES: dict[str, list[Scalar]] = _DOCUMENT["search"]["axes"]
SEARCH_BEST: dict[str, Scalar] = _DOCUMENT["search"]["best"]


class Range(NamedTuple):
    """A mean with the lowest and the highest value it is made of; all three are equal for one value, NaN for none."""

    mean: float
    low: float
    high: float

    def overlaps(self, other: Range) -> bool:
        """Whether the two have a value in common: then their difference is within the spread."""
        return self.low <= other.high and other.low <= self.high


Entry = tuple[str, Range, Range]  # a row's title, the report's number and ours: by the same metric and in per cent


class Pair(NamedTuple):
    """Two rows. paper, ours: the second one's mean minus the first one's, in points of per cent."""

    first: str
    second: str
    paper: float
    ours: float
    verdict: Verdict


class Agreement(NamedTuple):
    """How far the orderings of one track agree.

    pairs: every two rows, in the order of the table. tau: Kendall's tau-b between the means, -1 to 1; NaN with
    fewer than two different values on a side.
    """

    track: str
    pairs: tuple[Pair, ...]
    tau: float


@dataclass(frozen=True, kw_only=True)
class Ours:
    """One row of a report's table, trained by us.

    results: those that ended well, one per seed. pooled: of the summed confusion matrices of all folds; None unless
    each of them ended well. failures: one sentence per training that failed. missing: trainings not done yet.
    """

    row: PaperRow
    results: tuple[Result, ...]
    pooled: Scores | None
    failures: tuple[str, ...]
    missing: int

    def reached(self, name: str) -> Range:
        """Mean and range over the seeds of one of the `measures`, at each training's best epoch."""
        return range_of([measures(r.best, r.task.dataset.facts)[name] for r in self.results])

    @property
    def parameters(self) -> int | None:
        """Trainable numbers of the network."""
        return self.results[0].parameters if self.results else None

    @property
    def seconds(self) -> float | None:
        """Mean duration of a training."""
        return fmean(result.seconds for result in self.results) if self.results else None


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A report's table beside ours."""

    table: PaperTable
    setting: Setting
    rows: tuple[Ours, ...]

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """For each track of comparable rows how far the orderings agree; rows without a result are left out."""
        printed_in = [row.track for row in self.table.rows if row.miou is not None]
        return tuple(compare(track, self._entries(track)) for track in self.table.tracks if printed_in.count(track) > 1)

    def _entries(self, track: str) -> list[Entry]:
        rows = [(ours, ours.row) for ours in self.rows if ours.row.track == track]
        found = [(row.title, printed(row.miou, row.miou_spread), ours.reached(row.metric)) for ours, row in rows]
        return [entry for entry in found if not math.isnan(entry[1].mean + entry[2].mean)]


def measures(scores: Scores | None, facts: DataFacts) -> dict[str, float]:
    """All scores in per cent: miou, miou_strict, accuracy, "iou CLASS", "iou_strict CLASS"; NaN where undefined."""
    named = {name: getattr(scores, name, math.nan) for name in (*METRICS, "accuracy")}
    for kind in ("iou", "iou_strict"):
        shares = getattr(scores, kind, (math.nan,) * facts.classes)
        named |= {f"{kind} {name}": share for name, share in zip(facts.class_names, shares, strict=True)}
    return {name: 100 * share for name, share in named.items()}


def row_results(row: PaperRow, tasks: Sequence[Task], results: Mapping[str, Result]) -> Ours:
    """What the results of a row's tasks come to."""
    there = [results[task.name] for task in tasks if task.name in results]
    well = [result for result in there if result.best]
    folds = [result for result in well if result.task.fold]
    complete = bool(folds) and len(folds) == sum(task.fold > 0 for task in tasks)
    return Ours(
        row=row,
        results=tuple(result for result in well if not result.task.fold),
        pooled=pool([f.best.confusion for f in folds if f.best], tasks[0].dataset.facts) if complete else None,
        failures=tuple(f"{result.task.name}: {result.failure}" for result in there if result.failure),
        missing=len(tasks) - len(there),
    )


def range_of(values: Iterable[float]) -> Range:
    """Mean, lowest and highest of the values that are numbers."""
    known = [value for value in values if not math.isnan(value)] or [math.nan]
    return Range(mean(known), min(known), max(known))


def printed(number: float | None, spread: float | None = None) -> Range:
    """What a report prints, as a range: mean ± spread."""
    middle, bar = math.nan if number is None else number, spread or 0.0
    return Range(middle, middle - bar, middle + bar)


def pool(matrices: Iterable[Sequence[Sequence[int]]], facts: DataFacts) -> Scores:
    """The scores of several parts taken together: their confusion matrices (K, K) are summed first."""
    from search.training.metrics import scores

    return scores(np.sum([np.asarray(matrix, dtype=np.int64) for matrix in matrices], axis=0), facts)


def compare(track: str, entries: Sequence[Entry]) -> Agreement:
    """Compare every two rows of a track.

    A pair is undecided when the ranges of its rows overlap, in the report or in ours: the difference is then within
    the spread. Kendall's tau counts every pair by its means, undecided or not.
    """
    from scipy.stats import kendalltau

    paper, ours = [paper.mean for _, paper, _ in entries], [ours.mean for _, _, ours in entries]
    ordered = len(set(paper)) > 1 and len(set(ours)) > 1
    tau = float(kendalltau(paper, ours).statistic) if ordered else math.nan
    return Agreement(track, tuple(_pair(first, second) for first, second in combinations(entries, 2)), tau)


def _pair(first: Entry, second: Entry) -> Pair:
    paper, ours = ((after.mean - before.mean) for before, after in zip(first[1:], second[1:], strict=True))
    undecided = any(before.overlaps(after) for before, after in zip(first[1:], second[1:], strict=True))
    verdict: Verdict = "undecided" if undecided else "agrees" if paper * ours > 0 else "disagrees"
    return Pair(first[0], second[0], paper, ours, verdict)
