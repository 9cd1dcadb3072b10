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
        self._cache: OrderedDict[Hashable, tuple[Hashable, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: Hashable, version: Hashable, make: Callable[[], bytes]) -> bytes:
        """The cached result of that name and version, computed by `make` if there is none.

        While other computations run, a result of an older version is returned. Raises Busy if there is none either.
        """
        known, found = self._find(name)
        if found is not None and known == version:
            return found
        try:
            with self.turn():
                known, newer = self._find(name)
                if newer is None or known != version:  # not computed by another thread meanwhile
                    newer = make()
                    self._keep(name, version, newer)
                return newer
        except Busy:
            if found is None:
                raise
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

    def _find(self, name: Hashable) -> tuple[Hashable, bytes | None]:
        """The version and the result that are cached under the name."""
        with self._lock:
            if name not in self._cache:
                return None, None
            self._cache.move_to_end(name)
            return self._cache[name]

    def _keep(self, name: Hashable, version: Hashable, result: bytes) -> None:
        with self._lock:
            self._cache[name] = (version, result)
            self._cache.move_to_end(name)
            while sum(len(kept) for _, kept in self._cache.values()) > self._most_bytes:
                self._cache.popitem(last=False)
