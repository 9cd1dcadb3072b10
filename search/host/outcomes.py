"""How an attempt ended: one frozen value, by which the host settles the trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from search.training.epoch import EpochRecord
from spaces import Recipe


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a training came to. epochs: all of them, in order. best: the number of the best one."""

    recipe: Recipe
    epochs: tuple[EpochRecord, ...]
    best: int

    @property
    def best_epoch(self) -> EpochRecord:
        """The epoch whose weights are kept."""
        return self.epochs[self.best - 1]


@dataclass(frozen=True, kw_only=True)
class Completed:
    """Trained to its end. value: the study's objective at the best epoch."""

    result: Result
    value: float


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """Ended before its time, by the pruner or by a limit of the study. value: its last report, None for none."""

    reason: str
    value: float | None = None


@dataclass(frozen=True, kw_only=True)
class Retry:
    """Broken off, and to be tried again. fault: "own" if the training failed by itself, "host" if its host leaves."""

    reason: str
    fault: Literal["own", "host"]
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Failed for good. own: the training failed by itself, in a way that a retry might have fixed."""

    reason: str
    own: bool = False
    traceback: str = ""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The trial was reclaimed by another host while this one was silent."""


Outcome = Completed | Pruned | Retry | Failed | Lost
