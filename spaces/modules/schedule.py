"""The course of a learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from spaces.modules.optimizer import Optimizer
from spaces.recipe import Optimisation

PLATEAU_FACTOR = 0.5
"""Report B: the learning rate is halved ..."""
PLATEAU_FLOOR = 1e-5
"""... but not below this."""
PLATEAU_PATIENCE = 5
"""Epochs without a better score before it is halved: a sixth of the reports' early stop of 30."""

WARM_UP = 0.3
"""Share of the steps in which the one-cycle rate rises (arXiv 1708.07120; torch's default)."""
FIRST = 1 / 25
"""The one-cycle rate at the first step over the highest (torch's default)."""
FINAL = FIRST / 1e4
"""The one-cycle rate at the last step over the highest (torch's default)."""

POLY_POWER = 0.9
"""Exponent of the polynomial schedule (nnU-Net, arXiv 1809.10486; DeepLab, arXiv 1606.00915)."""


def constant(step: int, total: int) -> float:
    """The share 1 of the highest rate, at every step."""
    return 1.0


def cosine(step: int, total: int) -> float:
    """Share of the highest rate at a step 0 .. total-1: half a cosine from 1 towards 0 (arXiv 1608.03983)."""
    return 0.5 * (1 + math.cos(math.pi * step / total))


def one_cycle(step: int, total: int) -> float:
    """Share of the highest rate at a step 0 .. total-1: up by a cosine from FIRST, then down to FINAL.

    The momentum stays as it is. With fewer than four steps there is no way up and the first has the highest rate.
    """
    top = max(0.0, WARM_UP * total - 1)
    if step < top:
        return _ease(FIRST, 1.0, step / top)
    if step == top:
        return 1.0
    return _ease(1.0, FINAL, (step - top) / (total - 1 - top))


def poly(step: int, total: int) -> float:
    """Share of the highest rate at a step 0 .. total-1: ``(1 - step / total) ** 0.9`` (nnU-Net, DeepLab)."""
    return float((1 - step / total) ** POLY_POWER)


def _ease(start: float, end: float, progress: float) -> float:
    """Half a cosine from start (progress 0) to end (progress 1)."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


_courses: dict[str, Callable[[int, int], float]] = {
    "none": constant,
    "plateau": constant,
    "one_cycle": one_cycle,
    "cosine": cosine,
    "poly": poly,
}


ANNEALED = frozenset({"one_cycle", "cosine", "poly"})
"""Courses that end low: cut short near its peak a training has not had the epochs that make it good."""


class Schedule:
    """Sets the optimiser's learning rate: `step` after each of its steps, `observe` after each epoch."""

    def __init__(self, section: Optimisation, optimizer: Optimizer, total_steps: int) -> None:
        """Plan total_steps steps (over all epochs) and set the rate of the first one."""
        self._optimizer = optimizer
        self._highest = section.rate
        self._course = _courses[section.schedule]
        self._total = total_steps
        self._taken = 0
        self._plateau = Plateau() if section.schedule == "plateau" else None
        self._set_rate()

    @property
    def lr(self) -> float:
        """The learning rate of the next step."""
        return self._optimizer.lr

    def step(self) -> None:
        """Move to the rate of the next step; past the planned end the last rate stays."""
        self._taken = min(self._taken + 1, self._total - 1)
        self._set_rate()

    def observe(self, score: float) -> None:
        """Take an epoch's validation score, higher is better; only the plateau schedule listens."""
        if self._plateau is not None and self._plateau.stalled(score):
            self._optimizer.lr = max(PLATEAU_FACTOR * self._optimizer.lr, PLATEAU_FLOOR)

    def state(self) -> dict[str, Any]:
        """How far the course is, as JSON holds it: steps taken, the rate, what the plateau counts."""
        counted = {} if self._plateau is None else vars(self._plateau)
        return {"taken": self._taken, "lr": self._optimizer.lr, "plateau": dict(counted)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned. Raises KeyError, TypeError or ValueError for another schedule's state."""
        counted = dict(state["plateau"])
        if bool(counted) != (self._plateau is not None):
            raise ValueError(f"the state of another schedule: it counts {sorted(counted)}")
        if self._plateau is not None:
            self._plateau = Plateau(best=float(counted["best"]), bad_epochs=int(counted["bad_epochs"]))
        self._optimizer.lr, self._taken = float(state["lr"]), int(state["taken"])

    def _set_rate(self) -> None:
        if self._plateau is None:
            self._optimizer.lr = self._highest * self._course(self._taken, self._total)


@dataclass
class Plateau:
    """What the plateau schedule counts. best: the highest score yet. bad_epochs: since then or the last cut."""

    best: float = -math.inf
    bad_epochs: int = 0

    def stalled(self, score: float) -> bool:
        """Take the score of an epoch (NaN is none better); whether the learning rate is to be lowered now."""
        self.bad_epochs = 0 if score > self.best else self.bad_epochs + 1
        self.best = score if score > self.best else self.best
        if self.bad_epochs <= PLATEAU_PATIENCE:
            return False
        self.bad_epochs = 0
        return True


def build_schedule(section: Optimisation, optimizer: Optimizer, total_steps: int) -> Schedule:
    """The section's course of the learning rate for an optimiser that takes total_steps steps (at least 1)."""
    return Schedule(section, optimizer, total_steps)
