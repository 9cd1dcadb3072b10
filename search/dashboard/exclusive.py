"""Expensive computations: one at a time per process, with a bounded cache of results."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager

from search.errors import SearchError

RETRY_AFTER_S = 5


class Busy(SearchError):
    """Another expensive computation is running: retry in a few seconds."""

    def __init__(self) -> None:
        super().__init__("another plot is being drawn at the moment: ask again in a few seconds")
        self.retry_after_s = RETRY_AFTER_S


class Exclusive:
    """Runs one computation at a time and caches results, least recently used first out.

    waiting: how many threads may wait for their turn, so that the others stay free. wait_s: for how long they wait.
    most_bytes: of all cached results.
    """

    def __init__(self, *, waiting: int = 2, wait_s: float = 2.0, most_bytes: int = 64 << 20) -> None:
        self._places = threading.BoundedSemaphore(waiting + 1)
        self._turn = threading.Lock()
        self._wait_s = wait_s
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The cached result for the key, computed by `make` if there is none. Raises Busy."""
        found = self._find(key)
        if found is not None:
            return found
        with self.turn():
            found = self._find(key)  # computed by another thread meanwhile
            if found is None:
                found = make()
                self._keep(key, found)
            return found

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the turn. Raises Busy when too many wait already, or the turn did not come within `wait_s`."""
        if not self._places.acquire(blocking=False):
            raise Busy
        try:
            if not self._turn.acquire(timeout=self._wait_s):
                raise Busy
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _find(self, key: Hashable) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Hashable, made: bytes) -> None:
        with self._lock:
            self._kept[key] = made
            while sum(map(len, self._kept.values())) > self._most_bytes:
                self._kept.popitem(last=False)
