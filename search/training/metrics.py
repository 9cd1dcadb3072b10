"""Both forms of mean IoU from one pooled confusion matrix.

Lenient (torchmetrics' ``ignore_index``): pixels whose truth is an excluded class are dropped first.
Strict: all pixels count, so that foreground predicted on background costs. Both means are over the
classes that are not excluded; a class absent from truth and prediction is skipped, a class absent
from the truth but predicted counts 0. Pixels with the ignore label never count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spaces.facts import DataFacts

Objective = Literal["miou", "miou_strict"]
"""The score that a training and a study go by."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How well predictions agree with masks; shares in 0 .. 1.

    miou: lenient mean IoU over the classes that are not excluded; NaN when none of them occurs.
    miou_strict: the same with every pixel counted.
    accuracy: share of all counted pixels whose label is right, excluded classes included.
    iou: lenient IoU per class; NaN for excluded classes and for classes in neither truth nor prediction.
    iou_strict: strict IoU per class, excluded classes too; NaN for classes in neither.
    confusion: pixels by (truth, prediction), rows are the truth.
    """

    miou: float
    miou_strict: float
    accuracy: float
    iou: tuple[float, ...]
    iou_strict: tuple[float, ...]
    confusion: tuple[tuple[int, ...], ...]

    @property
    def dice(self) -> tuple[float, ...]:
        """Lenient Dice per class, 2 IoU / (1 + IoU); NaN as the IoU."""
        return tuple(2 * share / (1 + share) for share in self.iou)

    @property
    def dice_strict(self) -> tuple[float, ...]:
        """Strict Dice per class; NaN as the IoU."""
        return tuple(2 * share / (1 + share) for share in self.iou_strict)


@dataclass(frozen=True, kw_only=True)
class Constant:
    """What one class everywhere reaches, for each mean the best class: a result below has learnt nothing.

    miou, miou_strict: 0 to 1, NaN where undefined.
    """

    miou: float
    miou_strict: float

    def __str__(self) -> str:
        return f"best constant answer {both(self.miou, self.miou_strict)}"


def both(miou: float, miou_strict: float) -> str:
    """Both means in words; where no class is excluded they are one."""
    lenient, strict = f"{miou:.4f}", f"{miou_strict:.4f}"
    return lenient if lenient == strict else f"{lenient} (strict {strict})"


def beside(constant: float | None) -> str:
    """Words on the best constant answer that stand behind a score; "" where it is not known."""
    return "" if constant is None else f" (best constant answer {constant:.4f})"


def intersection_over_union(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """IoU per class (K,) of a confusion matrix (K, K): hits / (truth + predicted - hits); NaN where that is 0/0."""
    hits = np.diagonal(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    shares = np.full(len(hits), np.nan)
    np.divide(hits, union, out=shares, where=union > 0)
    return shares


def _mean(values: NDArray[np.float64]) -> float:
    present = values[~np.isnan(values)]
    return float(present.mean()) if len(present) else float("nan")


def _highest(values: Iterable[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def mean_of_counted(shares: ArrayLike, facts: DataFacts) -> float:
    """The mean over the classes that are not excluded, NaN left out."""
    return _mean(np.delete(np.asarray(shares, dtype=np.float64), list(facts.excluded_labels)))


def best_constant(pixels: ArrayLike, facts: DataFacts) -> Constant:
    """The best constant answer for truth with so many pixels of each class (K,)."""
    counts = np.asarray(pixels, dtype=np.int64)
    answers = [scores(np.outer(counts, np.eye(facts.classes, dtype=np.int64)[k]), facts) for k in range(facts.classes)]
    return Constant(
        miou=_highest(answer.miou for answer in answers), miou_strict=_highest(answer.miou_strict for answer in answers)
    )


def constant_of(result: Scores, facts: DataFacts) -> Constant:
    """The best constant answer on the pixels that these scores were taken on."""
    return best_constant(np.asarray(result.confusion).sum(axis=1), facts)


def mean_dice(result: Scores, facts: DataFacts) -> float:
    """Mean lenient Dice, over the classes that `Scores.miou` is over."""
    return mean_of_counted(result.dice, facts)


def mean_dice_strict(result: Scores, facts: DataFacts) -> float:
    """Mean strict Dice, over the classes that `Scores.miou_strict` is over."""
    return mean_of_counted(result.dice_strict, facts)


def scores(confusion: ArrayLike, facts: DataFacts) -> Scores:
    """Both mean IoU, IoU per class and accuracy of a confusion matrix (K, K) whose rows are the truth."""
    cells = np.asarray(confusion, dtype=np.int64)
    excluded = list(facts.excluded_labels)
    kept = cells.copy()
    kept[excluded, :] = 0
    lenient, strict = intersection_over_union(kept), intersection_over_union(cells)
    lenient[excluded] = np.nan
    total = int(cells.sum())
    return Scores(
        miou=_mean(lenient),
        miou_strict=mean_of_counted(strict, facts),
        accuracy=int(np.trace(cells)) / total if total else float("nan"),
        iou=tuple(lenient.tolist()),
        iou_strict=tuple(strict.tolist()),
        confusion=tuple(tuple(int(n) for n in row) for row in cells),
    )
