"""The thread of a worker that writes checkpoints, beside the training so that it never waits for the disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from storage.atomic_write import replacing_path

if TYPE_CHECKING:
    from search.training.checkpoint import Snapshot

log = logging.getLogger(__name__)


class CheckpointWriter:
    """Holds the newest snapshot of one training, and writes it to one file when it is due.

    While a disk is slow, newer snapshots replace the one that waits. A write that fails is reported once until one
    succeeds again, and the next snapshot that is due is tried again. Use it as a context: after that nothing is
    written any more.
    """

    def __init__(
        self,
        path: Path,
        seconds: float,
        *,
        saved: Callable[[int], None],
        failed: Callable[[str], None],
        newest: Snapshot | None = None,
        written: int = 0,
    ) -> None:
        """Begin; the first snapshot is due after so many seconds, as is every other after the one before.

        saved: called with each epoch whose checkpoint is on the disk. failed: called with the reason, in a sentence.
        newest: the snapshot that the training continues from. written: the epoch whose snapshot is at path already.
        """
        self._path = path
        self._seconds = seconds
        self._saved = saved
        self._failed = failed
        self._newest = newest
        self._written = written
        self._waiting: Snapshot | None = None
        self._writing: Snapshot | None = None
        self._failing = False
        self._closed = False
        self._handed_over = time.monotonic()
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="checkpoint writer", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, snapshot: Snapshot) -> None:
        """Hold the snapshot; if one is due, hand it to the thread. Does not wait."""
        with self._change:
            self._newest = snapshot
            if time.monotonic() - self._handed_over >= self._seconds:
                self._hand_over(snapshot)

    def write_newest(self) -> None:
        """Write the newest snapshot unless it is on the disk already, and wait until that is done or has failed."""
        with self._change:
            newest = self._newest
            if newest is not None and newest.epoch != self._written and newest is not self._writing:
                self._hand_over(newest)
            self._change.wait_for(lambda: self._waiting is None and self._writing is None)

    def close(self) -> None:
        """Wait for what is being written and drop what waits."""
        with self._change:
            self._closed, self._waiting = True, None
            self._change.notify_all()
        self._thread.join()

    def _hand_over(self, snapshot: Snapshot) -> None:
        self._waiting, self._handed_over = snapshot, time.monotonic()
        self._change.notify_all()

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or self._waiting is not None)
                if self._waiting is None:
                    return
                snapshot, self._waiting = self._waiting, None
                self._writing = snapshot
            written = self._write(snapshot)
            with self._change:
                self._written = snapshot.epoch if written else self._written
                self._writing = None
                self._change.notify_all()

    def _write(self, snapshot: Snapshot) -> bool:
        """Write the snapshot and report the outcome; whether it is on the disk."""
        from search.training.checkpoint import write_snapshot

        try:
            with replacing_path(self._path) as part:
                write_snapshot(part, snapshot)
        except Exception as error:  # the training goes on without its checkpoint
            log.exception("the checkpoint of epoch %d cannot be written", snapshot.epoch)
            if not self._failing:
                self._failed(f"the checkpoint of epoch {snapshot.epoch} cannot be written: {error}")
            self._failing = True
            return False
        self._failing = False
        self._saved(snapshot.epoch)
        return True
