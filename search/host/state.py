"""What a host and its slots tell each other: what is trained, what a person should know, when to leave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

SILENCE_S = 600.0  # a child that says nothing for so long hangs,
SILENCE_EPOCHS = 20.0  # unless epochs are slow here: so many of the slowest

INTERRUPTED = "the host was stopped during the training"
_HELD = {"pause": "the study was paused during the training", "stop": "the study was stopped during the training"}


def _nobody(sentence: str) -> None:
    """Take a sentence that nobody wants to hear."""


@dataclass
class HostState:
    """Written by slots and by the host's duties, read by all.

    stop: the host leaves. command: what a person has told all hosts of the study, honoured between two epochs.
    running: slot -> trial, epoch, epochs, score. trained: the numbers of all that were ever among them.
    worker: the host's id. weights: held while kept weights are counted.
    lost: numbers of trials that another host has taken back. killers: trial -> what ends its child at once.
    say: shows a sentence to the person. epoch_limit: seconds that an epoch may take, None to go by the slowest.
    upload_by: when leaving, the moment (of `time.monotonic`) at which uploads are given up.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    command: Literal["run", "pause", "stop"] = "run"
    running: dict[str, tuple[int, int, int, float]] = field(default_factory=dict)
    trained: set[int] = field(default_factory=set)
    worker: str = ""
    weights: threading.Lock = field(default_factory=threading.Lock)
    lost: frozenset[int] = frozenset()
    killers: dict[int, Callable[[], None]] = field(default_factory=dict)
    say: Callable[[str], None] = _nobody
    epoch_limit: float | None = None
    slowest: float = 0.0
    upload_by: float | None = None

    def show(self, slot: str, trial: int, epoch: int, epochs: int, value: float) -> None:
        """Say that the slot's trial has finished this epoch."""
        self.running[slot] = (trial, epoch, epochs, value)
        self.trained.add(trial)

    def clear(self, slot: str) -> None:
        """Say that the slot trains nothing."""
        self.running.pop(slot, None)

    def lose(self, trials: Iterable[int]) -> None:
        """Say which of our trials others have taken back: their children end, and with them what waits for them."""
        self.lost = frozenset(trials)
        for trial, kill in list(self.killers.items()):
            if trial in self.lost:
                kill()

    def took(self, seconds: float) -> None:
        """Say how long an epoch has taken."""
        self.slowest = max(self.slowest, seconds)

    @property
    def silence(self) -> float:
        """Seconds after which a child that says nothing counts as hung."""
        return self.epoch_limit or max(SILENCE_S, SILENCE_EPOCHS * self.slowest)

    @property
    def held(self) -> str:
        """Why no training goes on beyond its epoch; empty while it may."""
        return INTERRUPTED if self.stop.is_set() else _HELD.get(self.command, "")

    def upload_time(self, most: float) -> float:
        """Seconds that an upload may take now, at most so many."""
        return most if self.upload_by is None else max(0.0, min(most, self.upload_by - time.monotonic()))
