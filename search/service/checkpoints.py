"""Where the checkpoint of a trial lies: a file on this host, and a copy in the artifact store for all others.

Both are named after the study's row, which is the same however a host reaches the database, and after the trial's first
attempt, so that each retry goes on where the one before was cut off.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from search.service.checkpoint_file import epoch_of, remove_checkpoint
from storage.artifacts import ArtifactStore, load_file, not_found, save_file
from storage.errors import ArtifactError
from storage.requeue import origin, unreturned
from storage.store import Store
from storage.studies import find_study

FOLDER = "checkpoints"  # in a host's home
KEPT_PRUNED = 3  # the best pruned trials whose checkpoints stay in the artifact store
UPLOAD_S = 120.0  # least time between two uploads of one training
AGAIN_S = 20.0  # until a failed one is tried again
TROUBLE = (ArtifactError, OSError)  # what a store that is away, full or broken may raise
SETTLED = timedelta(minutes=2)  # a trial that ended just now may still be clearing up after itself
FETCH_TRIES = 4  # with pauses of 0.5, 1 and 2 s


def stem_of(store: Store, study: str) -> str:
    """What the names of all checkpoints of a study begin with. Raises StudyError for an unknown study."""
    _, row = find_study(store, study)
    return hashlib.sha256(f"{row.study}|{row.created.isoformat()}".encode()).hexdigest()[:16]


def local_path(home: Path, stem: str, first: int) -> Path:
    """The file of the trial whose first attempt has this number."""
    return (home / FOLDER / f"{stem}-{first}.safetensors").absolute()


def artifact_of(stem: str, first: int) -> str:
    """The artifact of the trial whose first attempt has this number."""
    return f"checkpoint-{stem}-{first}.safetensors"


class Checkpoint:
    """The checkpoint of one trial on this host, while it trains here.

    path: the file, written by the child. say: takes sentences for the person.
    """

    def __init__(self, artifacts: ArtifactStore, home: Path, stem: str, first: int, say: Callable[[str], None]) -> None:
        self.path = local_path(home, stem, first)
        self.artifact = artifact_of(stem, first)
        self._artifacts = artifacts
        self._say = say
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._due = time.monotonic() + UPLOAD_S
        self._uploaded: int | None = None
        self._dropped = False
        self._told = False
        self.path.parent.mkdir(parents=True, exist_ok=True)

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
                    self._say(f"checkpoint {self.artifact} cannot be read, going on with what is here: {error}")
                else:
                    time.sleep(0.5 * 2**attempt)
        return epoch_of(self.path) is not None

    def saved(self) -> None:
        """The child has written the file anew: upload it, beside the training, if the last time is long ago."""
        if time.monotonic() >= self._due and not self._busy():
            self._due = time.monotonic() + UPLOAD_S
            self._begin()

    def flush(self, limit: float) -> bool:
        """Upload what is newest, for at most so many seconds; whether it is there now."""
        end = time.monotonic() + limit
        if self._thread is not None:
            self._thread.join(max(0.0, limit))
        newest = epoch_of(self.path)
        if newest is not None and newest != self._uploaded and not self._busy() and time.monotonic() < end:
            self._begin().join(max(0.0, end - time.monotonic()))
        return newest is not None and newest == self._uploaded

    def drop(self, *, artifact: bool = True) -> None:
        """Remove the file, and the artifact too: the trial has ended for good."""
        with suppress(OSError):
            remove_checkpoint(self.path)
        if artifact:
            with self._lock:
                self._dropped = True  # an upload that is still under way removes its work itself
            if not self._busy():
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
                self._say(f"a checkpoint stays on this host until the artifact store takes it: {error}")
            return
        self._uploaded = epoch
        with self._lock:
            dropped = self._dropped
        if dropped:
            _forget(self._artifacts, self.artifact)

    def _take_newer(self) -> None:
        fetched = self.path.with_name(f".{self.path.name}.fetched.part")
        try:
            self._artifacts.open_reader(self.artifact).close()
        except not_found():
            return
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
    best = _best_pruned(trials)
    if trial.number not in [t.number for t in best[:KEPT_PRUNED]] or not checkpoint.flush(limit):
        checkpoint.drop()
        return
    checkpoint.drop(artifact=False)
    for surpassed in best[KEPT_PRUNED : KEPT_PRUNED + 1]:
        _forget(checkpoint._artifacts, artifact_of(stem, origin(surpassed)))


def needed(trials: Sequence[FrozenTrial]) -> set[int]:
    """The first attempts of the trials of a study whose checkpoints are needed, or were a moment ago."""
    recent = datetime.now() - SETTLED  # Optuna's times are local
    going_on = [t for t in trials if t.datetime_complete is None or t.datetime_complete > recent]
    return {origin(trial) for trial in (*going_on, *unreturned(trials), *_best_pruned(trials)[:KEPT_PRUNED])}


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


def _best_pruned(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The pruned trials that were trained at all, best first."""
    pruned = [t for t in trials if t.state is TrialState.PRUNED and t.value is not None]
    return sorted(pruned, key=lambda t: (-(t.value or 0.0), t.number))


def _forget(artifacts: ArtifactStore, artifact: str) -> None:
    with suppress(*TROUBLE, not_found()):
        artifacts.remove(artifact)
