"""A report's table trained again: for each row what its trainings reached, and what all of them had in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from search.reproduction.ordering import Agreement, Entry, Range, compare, range_of
from search.reproduction.paper import Metric, PaperRow, PaperTable

if TYPE_CHECKING:
    from search.reproduction.result import Result
    from search.training.metrics import Scores
    from spaces.facts import DataFacts

Measure = Literal["miou", "miou_strict", "accuracy"]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trainings of a reproduction have in common.

    data: name of the file. digest: of the data set. train, validation: tiles in both parts of the split.
    train_clean, validation_clean: how many clean ones the parts had before a subset was drawn.
    tiles: what was asked of the subset, None for all. rarest: the class whose share of tiles the subset keeps.
    grouped: no group (site) has tiles in both parts. epochs, seeds, folds: the budget; no folds is 0.
    width: share of each preset's filters.
    """

    data: str
    digest: str
    train: int
    validation: int
    train_clean: int
    validation_clean: int
    tiles: int | None
    rarest: str
    grouped: bool
    epochs: int
    seeds: int
    folds: int
    width: float


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

    def reached(self, measure: Measure) -> Range | None:
        """Mean and range over the seeds, in per cent, at each training's best epoch; None before any is done."""
        return range_of([100 * getattr(scores, measure) for scores in self._scores()])

    def iou(self, metric: Metric, label: int) -> Range | None:
        """The same of one class's IoU; None for a class that the metric leaves out."""
        name: Literal["iou", "iou_strict"] = "iou" if metric == "miou" else "iou_strict"
        return range_of([100 * getattr(scores, name)[label] for scores in self._scores()])

    @property
    def parameters(self) -> int | None:
        """Trainable numbers of the network."""
        return self.results[0].parameters if self.results else None

    @property
    def seconds(self) -> float | None:
        """Mean duration of a training."""
        return sum(result.seconds for result in self.results) / len(self.results) if self.results else None

    def _scores(self) -> list[Scores]:
        return [result.best for result in self.results if result.best is not None]


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """A report's table beside ours; facts are those of the data that ours was trained on."""

    table: PaperTable
    setting: Setting
    facts: DataFacts
    rows: tuple[Ours, ...]

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """For each track of comparable rows how far the orderings agree; rows without a result are left out."""
        return tuple(compare(track, self._entries(track)) for track in self.table.tracks if self._comparable(track))

    @property
    def failures(self) -> tuple[str, ...]:
        """One sentence per failed training."""
        return tuple(failure for ours in self.rows for failure in ours.failures)

    @property
    def missing(self) -> int:
        """Trainings that are not done yet."""
        return sum(ours.missing for ours in self.rows)

    def _comparable(self, track: str) -> bool:
        return sum(row.track == track and row.miou is not None for row in self.table.rows) > 1

    def _entries(self, track: str) -> list[Entry]:
        entries = []
        for ours in self.rows:
            reached = ours.reached(ours.row.metric)
            paper = printed(ours.row.miou, ours.row.miou_spread)
            if ours.row.track == track and reached is not None and paper is not None:
                entries.append(Entry(title=ours.row.title, paper=paper, ours=reached))
        return entries


def printed(mean: float | None, spread: float | None) -> Range | None:
    """What a report prints, as a range: mean ± spread."""
    if mean is None:
        return None
    return Range(mean=mean, low=mean - (spread or 0.0), high=mean + (spread or 0.0))


def pool(matrices: Iterable[Sequence[Sequence[int]]], facts: DataFacts) -> Scores:
    """The scores of several parts taken together: their confusion matrices (K, K) are summed first."""
    from search.training.metrics import scores

    return scores(np.sum([np.asarray(matrix, dtype=np.int64) for matrix in matrices], axis=0), facts)
