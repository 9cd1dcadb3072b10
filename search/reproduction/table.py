"""A report's table trained again: for each row what its trainings reached, and what all of them had in common."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search.reproduction.ordering import Agreement, Entry, Range, compare, range_of
from search.reproduction.paper import Metric, PaperRow, PaperTable

if TYPE_CHECKING:
    from search.reproduction.plan import Budget, DatasetRef, Part, Task
    from search.reproduction.result import Result
    from search.training.metrics import Scores
    from spaces.facts import DataFacts

METRICS: Mapping[Metric, str] = {"miou": "lenient", "miou_strict": "strict"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trainings of a reproduction have in common.

    rarest: the class whose share of tiles a subset keeps. grouped: no group (site) has tiles in both parts.
    """

    dataset: DatasetRef
    budget: Budget
    part: Part
    rarest: str
    grouped: bool


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

    def reached(self, name: str) -> Range | None:
        """Mean and range over the seeds of one of the `measures`, at each training's best epoch; None without any."""
        return range_of([measures(r.best, r.dataset.facts)[name] for r in self.results])

    @property
    def parameters(self) -> int | None:
        """Trainable numbers of the network."""
        return self.results[0].parameters if self.results else None

    @property
    def seconds(self) -> float | None:
        """Mean duration of a training."""
        return sum(result.seconds for result in self.results) / len(self.results) if self.results else None


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

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence per failed training."""
        return tuple(failure for ours in self.rows for failure in ours.failures)

    @property
    def missing(self) -> int:
        """Trainings that are not done yet."""
        return sum(ours.missing for ours in self.rows)

    def _entries(self, track: str) -> list[Entry]:
        found = [(o.row, printed(o.row.miou, o.row.miou_spread), o.reached(o.row.metric)) for o in self.rows]
        return [Entry(title=row.title, paper=p, ours=o) for row, p, o in found if row.track == track and p and o]


def measures(scores: Scores | None, facts: DataFacts) -> dict[str, float]:
    """All scores in per cent: miou, miou_strict, accuracy, "iou CLASS", "iou_strict CLASS"; NaN where undefined."""
    named = {name: getattr(scores, name, math.nan) for name in (*METRICS, "accuracy")}
    for kind in ("iou", "iou_strict"):
        shares = getattr(scores, kind, (math.nan,) * facts.classes)
        named |= {f"{kind} {name}": share for name, share in zip(facts.class_names, shares, strict=True)}
    return {name: 100 * share for name, share in named.items()}


def row_results(row: PaperRow, tasks: Sequence[Task], results: Mapping[str, Result]) -> Ours:
    """What the results of a row's tasks come to."""
    there = [(task, results[task.name]) for task in tasks if task.name in results]
    folds = [result for task, result in there if task.fold and result.best is not None]
    complete = bool(folds) and len(folds) == sum(task.fold > 0 for task in tasks)
    return Ours(
        row=row,
        results=tuple(result for task, result in there if not task.fold and result.best is not None),
        pooled=pool([f.best.confusion for f in folds if f.best], folds[0].dataset.facts) if complete else None,
        failures=tuple(f"{task.name}: {result.failure}" for task, result in there if result.failure),
        missing=len(tasks) - len(there),
    )


def printed(mean: float | None, spread: float | None) -> Range | None:
    """What a report prints, as a range: mean ± spread."""
    return None if mean is None else Range(mean=mean, low=mean - (spread or 0.0), high=mean + (spread or 0.0))


def pool(matrices: Iterable[Sequence[Sequence[int]]], facts: DataFacts) -> Scores:
    """The scores of several parts taken together: their confusion matrices (K, K) are summed first."""
    from search.training.metrics import scores

    return scores(np.sum([np.asarray(matrix, dtype=np.int64) for matrix in matrices], axis=0), facts)
