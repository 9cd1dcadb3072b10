"""One training of `marsearch reproduce`, kept as a JSON file: what it was, what it reached, or why it failed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from search.reproduction.plan import Task
from search.training.epoch import EpochRecord, read_records
from spaces import dump_recipe
from storage.atomic_write import write_bytes

if TYPE_CHECKING:
    from search.training.metrics import Scores


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one training ended.

    epochs: all there were, also before a failure. best_epoch: of the highest lenient mIoU on validation, from 1; 0
    after a failure. failure: one sentence; "" for a training that ran to its end.
    """

    task: Task
    device: str
    epochs: tuple[EpochRecord, ...] = ()
    best_epoch: int = 0
    failure: str = ""

    @cached_property
    def best(self) -> Scores | None:
        """The scores of the best epoch; None after a failure."""
        return self._scores(self.best_epoch)

    @property
    def parameters(self) -> int:
        """Trainable numbers of the network; 0 without an epoch."""
        return self.epochs[-1].parameters if self.epochs else 0

    @property
    def seconds(self) -> float:
        """Time of training and validation; start-up is not counted."""
        return round(sum(epoch.seconds for epoch in self.epochs), 3)

    @property
    def final(self) -> bool:
        """Whether the same training again would end the same: a crash may have been the machine's fault."""
        return not self.failure or self.failure.startswith("Diverged")

    def as_dict(self) -> dict[str, Any]:
        """The document that is kept."""
        known = ("device", "best_epoch", "parameters", "seconds", "failure", "best")
        return {
            "name": self.task.name,
            "digest": self.task.digest,
            "data_digest": self.task.dataset.digest,
            "recipe": dump_recipe(self.task.recipe),
            **{name: getattr(self, name) for name in known},
            "last": self._scores(len(self.epochs) if self.best_epoch else 0),
            "curve": self.epochs,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _scores(self, number: int) -> Scores | None:
        from search.training.metrics import scores

        return scores(self.epochs[number - 1].confusion, self.task.dataset.facts) if number else None


def result_path(folder: Path, task: Task) -> Path:
    """Where the result of a task is kept; trainings of other budgets lie beside it under other digests."""
    return folder / f"{task.name}-{task.digest[:8]}.json"


def write_result(folder: Path, result: Result) -> Path:
    """Write the result whole or not at all, and return its path; NaN becomes null. Raises OSError."""
    path = result_path(folder, result.task)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, to_json(result.as_dict(), indent=1, inf_nan_mode="null") + b"\n")
    return path


def read_result(folder: Path, task: Task) -> Result | None:
    """The result of exactly this training; None when there is none, or when its file is not whole."""
    try:
        kept = json.loads(result_path(folder, task).read_text("utf-8"))
        curve = [{name: math.nan if value is None else value for name, value in e.items()} for e in kept["curve"]]
        known = {name: kept[name] for name in ("device", "best_epoch", "failure")}
        return Result(task=task, epochs=read_records(curve), **known) if kept["digest"] == task.digest else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
