"""What a host does over and over beside its trainings, each duty in a thread of its own.

A database or an artifact store that is away holds up the duty that needs it, and neither the others nor the host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optuna.exceptions import StorageInternalError

from storage.errors import ArtifactError, DatabaseError

JOIN_S = 0.5  # how long all of them may end in peace


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something to do every so many seconds; the first time at once."""

    name: str
    seconds: float
    act: Callable[[], object]


@contextmanager
def duties(wanted: tuple[Duty, ...], fail: Callable[[BaseException], None]) -> Iterator[None]:
    """See to these while the block runs. fail: told of what no patience mends; that duty then ends."""
    over = threading.Event()
    threads = [threading.Thread(target=_see_to, args=(d, over, fail), name=d.name, daemon=True) for d in wanted]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        end = time.monotonic() + JOIN_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def bounded(act: Callable[[], object], seconds: float) -> bool:
    """Do something for at most so many seconds; whether it was done. What it raises is lost."""
    done: list[bool] = []

    def attempt() -> None:
        try:
            act()
            done.append(True)
        except Exception:  # there is nobody to tell, and no time to
            return

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(done)


def _see_to(duty: Duty, over: threading.Event, fail: Callable[[BaseException], None]) -> None:
    while not over.is_set():
        try:
            duty.act()
        except (DatabaseError, ArtifactError, StorageInternalError):
            pass  # away for longer than the storage's own patience: the next round will show
        except Exception as error:
            if not over.is_set():
                fail(error)
            return
        over.wait(duty.seconds)
