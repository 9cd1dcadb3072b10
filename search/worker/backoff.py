"""How long the next start of a worker waits after some that failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LONGEST = 30.0  # seconds


class BackOff:
    """No wait after the first failure in a row, then 1 s, 2, 4 ... 30. One thread waits, any may call `wake`."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._woken = threading.Event()

    def failed(self) -> None:
        """Count a failure, which sets the time of the next start."""
        self._failures += 1
        pause = min(LONGEST, 2.0 ** min(self._failures - 2, 10)) if self._failures > 1 else 0.0
        self._not_before = time.monotonic() + pause

    def succeeded(self) -> None:
        """Start counting anew."""
        self._failures = 0

    def wait(self, cancelled: Callable[[], bool]) -> bool:
        """Wait until the next start is due; False once cancelled, which is checked at each `wake`."""
        self._woken.clear()
        while not cancelled():
            left = self._not_before - time.monotonic()
            if left <= 0:
                return True
            self._woken.wait(left)
            self._woken.clear()
        return False

    def wake(self) -> None:
        """Have the waiting thread check whether it is cancelled."""
        self._woken.set()
