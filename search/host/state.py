"""What the threads of a host share while it works: whether it stops, what people have said, which trials it trains."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from search.host.shutdown import Shutdown
from search.log import RecentLines
from search.training.epoch import EpochRecord
from storage.studies.ends import Ends
from storage.studies.hosts import MOST_LINES

SILENCE_S = 600.0  # a worker without a message for so long hangs,
SILENCE_PIXELS = 2**24  # of large images in an epoch; of more it is as many times longer,
SILENCE_EPOCHS = 20.0  # unless epochs are slow here: so many of the slowest
VOUCH_S = 180.0  # beyond that time a trial is vouched for after its last step: its last upload may take a while

INTERRUPTED = "the host was stopped during the training"
TIME_OVER = "the study's time was over during the training"
_HELD = {"pause": "the study was paused during the training", "stop": "the study was stopped during the training"}


@dataclass
class Training:
    """One trial that this host holds, from its claim to its settlement.

    worker: the name of its device slot. latest: the newest epoch, None before the first, of so many epochs of the
    recipe.
    kill: ends its worker process at once, None while it has none. lost: the trial was reclaimed by another host.
    """

    trial: int
    worker: str
    latest: EpochRecord | None = None
    epochs: int = 0
    kill: Callable[[], None] | None = None
    lost: bool = False
    progressed: float = field(default_factory=time.monotonic, init=False)

    @property
    def epoch(self) -> int:
        """The number of the newest epoch, 0 before the first."""
        return self.latest.number if self.latest is not None else 0

    def progress(self) -> None:
        """Note that its worker has sent a message: the trial is alive."""
        self.progressed = time.monotonic()


class HostState:
    """Written by the trial loops and the periodic tasks of one host, read by all of its threads.

    command: what a person has told all hosts of the study, honoured between two epochs. ends: what the study may end
    by, as last read. shutdown: whether and how the host leaves. recent: the last lines of its log. trainings: by
    number, the trials that this host holds. trained: the numbers of all it ever held.
    epoch_limit: seconds that an epoch may take, None to go by the slowest.
    """

    def __init__(self, epoch_limit: float | None = None, recent: RecentLines | None = None) -> None:
        self.command: Literal["run", "pause", "stop"] = "run"
        self.ends = Ends()
        self.shutdown = Shutdown()
        self.recent = recent or RecentLines(MOST_LINES)
        self.trainings: dict[int, Training] = {}
        self.trained: set[int] = set()
        self.weights = threading.Lock()  # held while kept weights are counted
        self._epoch_limit = epoch_limit
        self._slowest = 0.0
        self._silence = SILENCE_S

    def expect(self, pixels: int) -> None:
        """Wait longer for the first epoch of images that are large; pixels: of an epoch."""
        self._silence = SILENCE_S * max(1.0, pixels / SILENCE_PIXELS)

    @contextmanager
    def training(self, trial: int, worker: str) -> Iterator[Training]:
        """Hold a trial until the block ends."""
        held = Training(trial=trial, worker=worker)
        self.trainings[trial] = held
        self.trained.add(trial)
        try:
            yield held
        finally:
            del self.trainings[trial]

    def lose(self, trials: Iterable[int]) -> None:
        """Note which of our trials other hosts have reclaimed, and end the workers, which nobody waits for."""
        for number in trials:
            training = self.trainings.get(number)
            if training is not None and not training.lost:
                training.lost = True
                if (kill := training.kill) is not None:
                    kill()

    def vouched(self) -> tuple[int, ...]:
        """The trials that make progress here, in order; one that has made none for too long is left to other hosts."""
        since = time.monotonic() - self.silence_limit - VOUCH_S
        return tuple(sorted(t.trial for t in list(self.trainings.values()) if t.progressed > since))

    def epoch_took(self, seconds: float) -> None:
        """Note how long an epoch has taken."""
        self._slowest = max(self._slowest, seconds)

    @property
    def silence_limit(self) -> float:
        """Seconds after which a worker without a message counts as hung."""
        return self._epoch_limit or max(self._silence, SILENCE_EPOCHS * self._slowest)

    @property
    def held(self) -> str:
        """Why no training goes on beyond its epoch; empty while it may."""
        if self.shutdown.begun:
            return INTERRUPTED
        return TIME_OVER if self.ends.time_over else _HELD.get(self.command, "")
