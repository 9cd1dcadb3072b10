"""What a host does at intervals beside its trainings, each task in a thread of its own.

A database or an artifact store that is away holds up the task that needs it, and neither the others nor the host.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from optuna.exceptions import StorageInternalError

from storage.database.retry import RetriesExhausted, is_transient
from storage.errors import ArtifactError, DatabaseError

JOIN_S = 0.5  # how long all of them may end in peace
BLOCKED_S = 60.0  # after which a task that has not ended is reported

_logger = logging.getLogger(__name__)


@dataclass
class PeriodicTask:
    """Something to do every so many seconds; the first time at once.

    began: when the run that goes on began, by `time.monotonic`; None between two runs.
    """

    name: str
    seconds: float
    act: Callable[[], object]
    began: float | None = field(default=None, init=False)
    reported: bool = field(default=False, init=False)

    def repeat(self, over: threading.Event, fail: Callable[[BaseException], None]) -> None:
        """Do it until the flag is set, or what will not pass by itself goes wrong."""
        failed = False
        while not over.is_set():
            self.began = time.monotonic()
            try:
                self.act()
                failed = False
            except Exception as error:
                if over.is_set():
                    return
                if not passes(error):
                    fail(error)
                    return
                if not failed:
                    _logger.warning("%s failed and is tried again: %s", self.name, " ".join(str(error).split()))
                failed = True
            self.began, self.reported = None, False
            over.wait(self.seconds)


@contextmanager
def periodic_tasks(tasks: tuple[PeriodicTask, ...], fail: Callable[[BaseException], None]) -> Iterator[None]:
    """Run these while the block runs. fail: is given what will not pass by itself; that task then ends."""
    over = threading.Event()
    threads = [threading.Thread(target=t.repeat, args=(over, fail), name=t.name, daemon=True) for t in tasks]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        end = time.monotonic() + JOIN_S
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))


def report_blocked(tasks: tuple[PeriodicTask, ...], after: float = BLOCKED_S) -> None:
    """Log each task that has been under way for so many seconds, once."""
    for task in tasks:
        began = task.began
        if began is not None and not task.reported and time.monotonic() - began > after:
            task.reported = True
            words = "%s has not ended for %.0f s: do the database and the artifact store answer?"
            _logger.warning(words, task.name, after)


def run_with_timeout(act: Callable[[], object], seconds: float) -> bool:
    """Do something for at most so many seconds; whether it was done. What it raises is logged."""
    done: list[bool] = []

    def attempt() -> None:
        try:
            act()
            done.append(True)
        except Exception as error:
            _logger.debug("a last step failed: %s", error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(done)


def passes(error: BaseException) -> bool:
    """Whether the same may succeed later: the database or the artifact store is away, for however long."""
    if isinstance(error, ArtifactError | RetriesExhausted) or isinstance(error.__cause__, RetriesExhausted):
        return True
    return isinstance(error, DatabaseError | StorageInternalError) and is_transient(error)
