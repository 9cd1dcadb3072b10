"""What one observer has seen of heartbeats, by a clock that is never set: its own monotonic one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any


class Sightings:
    """Remembers since when each heartbeat has stood at its value; safe to share among threads.

    A jump of the database's clock makes every heartbeat look old at once. An observer that looks again and again is
    not deceived: the heartbeat of a host that lives changes between two looks.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: dict[str, tuple[Any, float]] = {}

    def look(self, heartbeats: Mapping[str, Any]) -> dict[str, float]:
        """For how many seconds each heartbeat has been seen unchanged; those that are not named are forgotten."""
        now = self._clock()
        with self._lock:
            before = self._since
            self._since = {
                name: before[name] if name in before and before[name][0] == value else (value, now)
                for name, value in heartbeats.items()
            }
            return {name: now - since for name, (_, since) in self._since.items()}
