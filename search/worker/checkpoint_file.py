"""The file of a checkpoint: written beside a training, which never waits for the disk, looked at, and removed.

Loads no torch: who looks at the file or removes it needs none.
"""

from __future__ import annotations

import glob
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from search.worker.protocol import Message, Note, Saved, Train
from storage.atomic_write import replacing_path

if TYPE_CHECKING:
    from search.training.checkpoint import Snapshot

log = logging.getLogger(__name__)


class CheckpointWriter(AbstractContextManager["CheckpointWriter"]):
    """Holds the newest snapshot of one training, and writes it to one file when it is due.

    While a disk is slow, the newest snapshot is the one that is written next. A write that fails is reported once until
    one succeeds again, and the next snapshot that is due is tried again. Use it as a context: it ends once nothing is
    being written, and nothing is written after that.
    """

    def __init__(self, job: Train, start: Snapshot | None, send: Callable[[Message], None]) -> None:
        """Begin; the first snapshot is due after the job's seconds, as is every other after the one before.

        start: the snapshot that the training continues from. send: told of each epoch whose checkpoint is on the disk,
        and of trouble.
        """
        self._job = job
        self._path = Path(job.checkpoint.path)
        self._newest = start
        self._written = start.epoch if start is not None and job.checkpoint.resume == job.checkpoint.path else 0
        self._send = send
        self._failing = False
        self._handed_over = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "checkpoint writer")
        remove_parts(self._path)  # of a worker that was killed while it wrote

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def take(self, snapshot: Snapshot) -> None:
        """Hold the snapshot; if one is due, have the thread write the newest. Does not wait."""
        self._newest = snapshot
        if time.monotonic() - self._handed_over >= self._job.checkpoint.seconds:
            self._handed_over = time.monotonic()
            self._thread.submit(self._write)

    def write_newest(self) -> None:
        """Write the newest snapshot unless it is on the disk already, and wait until that is done or has failed."""
        self._thread.submit(self._write).result()

    def _write(self) -> None:
        from search.training.checkpoint import write_snapshot

        snapshot = self._newest
        if snapshot is None or snapshot.epoch == self._written:
            return
        try:
            with replacing_path(self._path) as part:
                write_snapshot(part, snapshot)
        except Exception as error:  # the training goes on without its checkpoint
            log.exception("the checkpoint of epoch %d cannot be written", snapshot.epoch)
            if not self._failing:
                words = f"the checkpoint of epoch {snapshot.epoch} cannot be written: {error}"
                self._send(Note(job=self._job.job, text=words))
            self._failing = True
            return
        self._written, self._failing = snapshot.epoch, False
        self._send(Saved(job=self._job.job, epoch=snapshot.epoch))


def epoch_of(path: Path) -> int | None:
    """The epoch after which the checkpoint at path was taken; None where there is no complete one.

    Reads the header only, so it costs the same for any size.
    """
    from safetensors import SafetensorError, safe_open  # here: the small installation has no safetensors

    try:
        with safe_open(path, framework="numpy") as file:
            epoch = int((file.metadata() or {})["epoch"])
        return epoch if epoch > 0 else None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def remove_checkpoint(path: Path) -> None:
    """Remove the checkpoint, if it is there, and what a killed worker left half-written."""
    remove_parts(path)
    path.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what a killed worker left half-written beside the checkpoint at path."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with suppress(OSError):
            part.unlink(missing_ok=True)
