"""Where the checkpoint of a trial lies: a file on this host, and a copy in the artifact store for all others.

`search.studies.checkpoints` says what both are called.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from optuna.trial import FrozenTrial

from search.host.uploads import TROUBLE
from search.studies.checkpoints import FOLDER, KEPT_PRUNED, artifact_of, local_path, needed
from search.worker.checkpoint_file import epoch_of, remove_checkpoint
from storage.artifacts.artifact_store import ArtifactStore, exists, load_file, not_found, save_file
from storage.atomic_write import private_folder
from storage.trials.queries import best_pruned
from storage.trials.retries import first_attempt

UPLOAD_S = 120.0  # least time between two uploads of one training
AGAIN_S = 20.0  # until a failed one is tried again
FETCH_TRIES = 4  # with pauses of 0.5, 1 and 2 s

_logger = logging.getLogger(__name__)


class Checkpoint:
    """The checkpoint of one trial on this host, while it trains here.

    path: the file, written by the worker process.
    """

    def __init__(self, artifacts: ArtifactStore, home: Path, stem: str, first: int) -> None:
        self.path = local_path(home, stem, first)
        self.artifact = artifact_of(stem, first)
        self._artifacts = artifacts
        self._thread: threading.Thread | None = None
        self._due = time.monotonic() + UPLOAD_S
        self._uploaded: int | None = None
        self._dropped = False
        self._told = False
        private_folder(self.path.parent)

    def fetch(self) -> bool:
        """Bring the newest checkpoint to `path`: the file that is there, or the artifact; False when there is none.

        An artifact store that stays silent is tried for a few seconds; what lies here has to do then.
        """
        for attempt in range(FETCH_TRIES):
            try:
                self._take_newer()
                break
            except TROUBLE as error:
                if attempt == FETCH_TRIES - 1:
                    _logger.warning("checkpoint %s cannot be read, so the one here must do: %s", self.artifact, error)
                else:
                    time.sleep(0.5 * 2**attempt)
        return epoch_of(self.path) is not None

    def saved(self) -> None:
        """The worker has written the file anew: upload it, beside the training, if the last time is long ago."""
        if time.monotonic() >= self._due and not self._busy():
            self._due = time.monotonic() + UPLOAD_S
            self._begin()

    def flush(self, limit: float) -> bool:
        """Upload what is newest, for at most so many seconds; whether it is there now."""
        end = time.monotonic() + limit
        if self._thread is not None:
            self._thread.join(limit)
        newest = epoch_of(self.path)
        if newest is not None and newest != self._uploaded and not self._busy() and time.monotonic() < end:
            self._begin().join(max(0.0, end - time.monotonic()))
        return newest is not None and newest == self._uploaded

    def drop(self, *, artifact: bool = True) -> None:
        """Remove the file, and the artifact too: the trial has ended for good."""
        with suppress(OSError):
            remove_checkpoint(self.path)
        if artifact:
            self._dropped = True  # an upload that is still under way removes its work itself
            _forget(self._artifacts, self.artifact)

    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _begin(self) -> threading.Thread:
        self._thread = threading.Thread(target=self._upload, daemon=True)
        self._thread.start()
        return self._thread

    def _upload(self) -> None:
        epoch = epoch_of(self.path)
        try:
            save_file(self._artifacts, self.artifact, self.path)
        except TROUBLE as error:
            self._due = time.monotonic() + AGAIN_S
            if not self._told:
                self._told = True
                _logger.warning("a checkpoint stays on this host until the artifact store takes it: %s", error)
            return
        self._uploaded = epoch
        if self._dropped:
            _forget(self._artifacts, self.artifact)

    def _take_newer(self) -> None:
        if not exists(self._artifacts, self.artifact):
            return
        fetched = self.path.with_name(f".{self.path.name}.fetched.part")
        try:
            load_file(self._artifacts, self.artifact, fetched)
            if (epoch_of(fetched) or 0) > (epoch_of(self.path) or 0):
                fetched.replace(self.path)
            self._uploaded = epoch_of(self.path)
        finally:
            fetched.unlink(missing_ok=True)


def retire(checkpoint: Checkpoint, trial: FrozenTrial, trials: Sequence[FrozenTrial], stem: str, limit: float) -> None:
    """Clear up after a trial that has ended for good; the best pruned ones keep their checkpoints as artifacts.

    trials: all of the study. limit: seconds that an upload may take. At most `KEPT_PRUNED` checkpoints stay behind.
    """
    best = best_pruned(trials)
    if trial.number not in [t.number for t in best[:KEPT_PRUNED]] or not checkpoint.flush(limit):
        checkpoint.drop()
        return
    checkpoint.drop(artifact=False)
    for surpassed in best[KEPT_PRUNED : KEPT_PRUNED + 1]:
        _forget(checkpoint._artifacts, artifact_of(stem, first_attempt(surpassed)))


def sweep_local(home: Path, stem: str, trials: Sequence[FrozenTrial]) -> int:
    """Remove from this host the checkpoints of trials that have ended elsewhere; how many.

    stem: of the study's checkpoints. trials: all of the study; those of trials that ended just now stay for a while.
    """
    wanted = {local_path(home, stem, first) for first in needed(trials)}
    stale = [path for path in (home / FOLDER).absolute().glob(f"{stem}-*.safetensors") if path not in wanted]
    for path in stale:
        with suppress(OSError):
            remove_checkpoint(path)
    return len(stale)


def _forget(artifacts: ArtifactStore, artifact: str) -> None:
    with suppress(*TROUBLE, not_found()):
        artifacts.remove(artifact)
