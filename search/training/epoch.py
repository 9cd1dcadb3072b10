"""The record of one epoch: declared here, and carried as it is from the training to the database and the bundle.

A further field needs a default, so that checkpoints from before it are still read. What is measured is set in
`search.training.fit`; a field that is stored beside the curve has a column in `storage/database/schema.py`; one that a
trial shows of the epoch that counts is marked `shown`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

_SHOWN = {"shown": True}


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """What one epoch came to; a number that is undefined is NaN.

    number: 1 for the first.
    train_loss: mean loss of the epoch's steps, on augmented images.
    validation_loss: the loss at the network's output, without heads below it, on the validation part: a mean over it.
    miou, miou_strict: both forms of the mean IoU on the validation part, 0 to 1.
    accuracy: share of the validation pixels whose label is right.
    iou: lenient IoU per class in label order; None for excluded classes and classes that occur nowhere.
    confusion: pixels by (truth, prediction), rows are the truth; () in a record read from the database.
    lr: learning rate of the epoch's last step.
    seconds: wall time of the epoch, validation included.
    memory_mb: the most memory taken so far, in MiB (GPU tensors, or the whole process on a CPU).
    parameters: trainable numbers of the network; 0 when unknown.
    last: no epoch follows, because all are done or patience has run out.
    adversarial_loss, discriminator_loss: of an adversarial family the means over the epoch's steps of what the
    generator pays for not passing for real, and of what the discriminator pays; None for others.
    """

    number: int
    train_loss: float
    validation_loss: float
    miou: float = field(metadata=_SHOWN)
    miou_strict: float = field(metadata=_SHOWN)
    accuracy: float = field(default=math.nan, metadata=_SHOWN)
    iou: tuple[float | None, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    lr: float
    seconds: float
    memory_mb: float
    parameters: int = field(default=0, metadata=_SHOWN)
    last: bool = False
    adversarial_loss: float | None = None
    discriminator_loss: float | None = None

    def point(self) -> dict[str, float | None]:
        """Its point of the learning curve, ready for JSON: the epoch's number and what was measured, NaN as None."""
        measured = {name: value for name, value in vars(self).items() if isinstance(value, float)}
        known = {name: value if math.isfinite(value) else None for name, value in measured.items()}
        return {"number": self.number, **known}

    def summary(self) -> dict[str, float]:
        """The numbers that a trial shows of the epoch that counts: the best one, unless the recipe keeps the last."""
        return {"best_epoch": self.number} | {name: getattr(self, name) for name in SUMMARY}


SUMMARY = tuple(known.name for known in fields(EpochRecord) if known.metadata.get("shown"))
"""The fields that a trial shows of the epoch that counts, in every list and table of trials."""


def counting(kept: str, scores: Sequence[float]) -> int:
    """The place, from 0, of the epoch whose weights and score count for a training, of its epochs' scores until now.

    kept: the recipe's `optimisation.kept`. scores: at least one, NaN where undefined; of equal ones the first counts.
    The training keeps its weights by this rule, and a trial gets its value by it.
    """
    if kept == "last":
        return len(scores) - 1
    return max(range(len(scores)), key=lambda place: -math.inf if math.isnan(scores[place]) else scores[place])


def read_records(history: object) -> tuple[EpochRecord, ...]:
    """The records of epochs 1, 2, ... from the JSON that is kept of them, in which null may stand for NaN.

    Fields that are missing take their defaults, unknown ones are left out: the checkpoint may be of another version.
    Raises ValueError for anything else, such as a gap.
    """
    if not isinstance(history, list | tuple) or not all(isinstance(record, Mapping) for record in history):
        raise ValueError("the records of a training's epochs were expected, each with its fields")
    records = tuple(_record(values) for values in history)
    if [record.number for record in records] != list(range(1, len(records) + 1)):
        raise ValueError("the epochs of a training are not numbered one after the other")
    return records


def _record(values: Mapping[str, Any]) -> EpochRecord:
    known = {field.name: field for field in fields(EpochRecord)}
    optional = {name for name, field in known.items() if field.default is None}
    whole = {n: math.nan if value is None and n not in optional else value for n, value in values.items()}
    try:
        return EpochRecord(**{name: _frozen(value) for name, value in whole.items() if name in known})
    except TypeError as error:
        raise ValueError(f"the record of an epoch has other fields: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
