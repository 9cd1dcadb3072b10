"""How a host leaves: on a signal, in order, within the ten seconds that `docker stop` waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Seconds from the moment at which a host begins to leave.

    stop: for workers to end their batch and write a checkpoint, then they are killed. upload: until uploads are given
    up. hand_back: until trials must be settled; those that are not by then are reclaimed by others. harder: for all of
    that, once the host is asked a second time. last: for a last look and for signing off. cluster: for hosts on other
    nodes to do all of that, and for their nodes to report it.
    """

    stop: float = 5.0
    upload: float = 6.0
    hand_back: float = 7.0
    harder: float = 1.0
    last: float = 0.5
    cluster: float = 12.0


BUDGET = Budget()


class Shutdown:
    """Whether the host leaves, and by when what must be done. Any thread may begin it, look at it and wait for it."""

    def __init__(self, budget: Budget = BUDGET) -> None:
        self.budget = budget
        self._begun = threading.Event()
        self._stop_by = self._upload_by = self._hand_back_by = float("inf")

    @property
    def begun(self) -> bool:
        """Whether the host leaves."""
        return self._begun.is_set()

    def begin(self) -> None:
        """Let the host leave; again changes nothing."""
        if not self.begun:
            now = time.monotonic()
            self._stop_by = now + self.budget.stop
            self._upload_by = now + self.budget.upload
            self._hand_back_by = now + self.budget.hand_back
            self._begun.set()

    def harden(self) -> None:
        """Leave much sooner: the host was asked again; a third time changes nothing."""
        self._hand_back_by = min(self._hand_back_by, time.monotonic() + self.budget.harder)
        self._upload_by = min(self._upload_by, self._hand_back_by - 0.5)
        self._stop_by = 0.0

    def wait(self, seconds: float) -> bool:
        """Wait, but not longer than until the host leaves; whether it does."""
        return self._begun.wait(seconds)

    @property
    def kills(self) -> bool:
        """Whether workers have had their time."""
        return time.monotonic() >= self._stop_by

    @property
    def over(self) -> bool:
        """Whether no trial can be settled any more."""
        return time.monotonic() >= self._hand_back_by

    def upload_seconds(self, most: float) -> float:
        """Seconds that an upload may take now, at most so many."""
        return max(0.0, min(most, self._upload_by - time.monotonic()))

    def last_seconds(self, most: float = 60.0) -> float:
        """Seconds for a last step: `most` for a host whose study is finished, a moment for one that leaves."""
        return self.budget.last if self.begun else most


@dataclass
class Signals:
    """How often the process was asked to leave, and by which signal last.

    A handler that only counts meets no lock that its own thread holds.
    """

    count: int = 0
    last: int | None = None


@contextmanager
def counted_signals(stop: threading.Event | None = None, signals: Signals | None = None) -> Iterator[Signals]:
    """Let SIGINT, SIGTERM and SIGHUP only count, and set the flag; outside the main thread nothing is set.

    A SIGHUP that is ignored, as under `nohup`, stays so: such a host is to outlive its terminal.

    Without a flag or a count of the caller's they go on being counted after the block, once one has come: the process
    is leaving, and an impatient second Ctrl-C must not break off its last steps.
    """
    goes_on = stop is not None or signals is not None
    signals = signals or Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signals.count += 1
        signals.last = number
        if stop is not None:
            stop.set()

    hangup = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, *hangup)}
    try:
        yield signals
    finally:
        for number, handler in before.items() if goes_on or not signals.count else ():
            signal.signal(number, handler)
