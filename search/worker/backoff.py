"""How long the next attempt waits after some that failed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

LONGEST = 30.0  # seconds


class BackOff:
    """No wait after the first failure in a row, then 1 s, 2, 4 ... 30. One thread waits, any may call `rouse`."""

    def __init__(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._roused = threading.Event()

    def failed(self) -> None:
        """Count a failure; the next wait lasts until its time from now is over."""
        self._failures += 1
        pause = min(LONGEST, 2.0 ** min(self._failures - 2, 10)) if self._failures > 1 else 0.0
        self._not_before = time.monotonic() + pause

    def succeeded(self) -> None:
        """End the row of failures."""
        self._failures = 0

    def wait(self, enough: Callable[[], bool]) -> bool:
        """Wait until the next attempt may begin; False as soon as enough says so, which it is asked at each `rouse`."""
        self._roused.clear()
        while not enough():
            left = self._not_before - time.monotonic()
            if left <= 0:
                return True
            self._roused.wait(left)
            self._roused.clear()
        return False

    def rouse(self) -> None:
        """Have the one who waits ask whether it is enough."""
        self._roused.set()
