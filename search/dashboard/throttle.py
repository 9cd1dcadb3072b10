"""Rate limit for wrong passwords: a growing delay per client and overall, enforced by refusal, so no thread blocks."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

FREE = 5  # wrong passwords of a client before it has to wait
LONGEST_S = 60.0
FREE_OF_ALL = 100  # wrong passwords of all strangers together before the next one has to wait
LONGEST_OF_ALL_S = 1.0
FORGET_S = 600.0  # so long after its last wrong password a client starts anew
MOST_CLIENTS = 10_000  # remembered
ALL = ""  # the client that stands for all strangers


@dataclass
class _Record:
    """Wrong passwords of a client. until, last: by the clock. logins: the latest, since a repeated one is no guess."""

    wrong: int = 0
    until: float = 0.0
    last: float = 0.0
    logins: deque[int] = field(default_factory=lambda: deque(maxlen=8))


class Throttle:
    """Counts wrong passwords by client and overall. Safe for many threads, bounded in memory."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict({ALL: _Record()})
        self._lock = threading.Lock()

    def wait_s(self, client: str, *, stranger: bool) -> float:
        """For how long the client's next password is not looked at; 0 for no time.

        stranger: has never logged in; only strangers share the overall delay.
        """
        with self._lock:
            now = self._clock()
            keys = (client, ALL) if stranger else (client,)
            return max(0.0, *(self._records[key].until - now for key in keys if key in self._records), 0.0)

    def wrong(self, client: str, login: str, *, stranger: bool) -> bool:
        """Note a wrong password; False when the client has sent the same one just before, as browsers do."""
        with self._lock:
            now, mine = self._clock(), self._of(client)
            if hash(login) in mine.logins:
                return False
            mine.logins.append(hash(login))
            _add(mine, now, FREE, LONGEST_S)
            if stranger:
                _add(self._records[ALL], now, FREE_OF_ALL, LONGEST_OF_ALL_S)
            return True

    def __len__(self) -> int:
        return len(self._records)

    def _of(self, client: str) -> _Record:
        record = self._records.setdefault(client, _Record())
        self._records.move_to_end(client)
        self._records.move_to_end(ALL)
        if len(self._records) > MOST_CLIENTS:
            self._records.popitem(last=False)
        return record


def client_of(address: str) -> str:
    """What counts as one client: an address, or the network of one in IPv6, where a machine has many."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address or "unknown"
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address


def _add(record: _Record, now: float, free: int, longest_s: float) -> None:
    if now - record.last > FORGET_S:
        record.wrong = 0
    record.wrong, record.last = record.wrong + 1, now
    if record.wrong > free:
        record.until = now + min(longest_s, 2.0 ** min(record.wrong - free - 1, 30))
