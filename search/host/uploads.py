"""Files that the artifact store does not take wait on this host, in the folder `outbox` of its home.

A result must not be lost because a disk is full or a bucket unreachable: the trial is told all the same, and its files
follow. Beside each file lies a note, which says where it belongs; weights become known to the study when they arrive.
"""

from __future__ import annotations

import io
import json
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from storage.artifacts.artifact_store import save_file
from storage.atomic_write import private_folder, write_bytes
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import note_weights

FOLDER = "outbox"
NOTE = ".note.json"
TRY_S = 5.0  # how long a file is tried before it goes into the folder
TROUBLE = (ArtifactError, OSError)  # what a store that is away, full or broken may raise

_logger = logging.getLogger(__name__)


class Outbox:
    """The artifact store as a host writes to it: Optuna's artifact protocol, but what fails is kept and sent later.

    leaving: whether the host has no time for second tries.
    """

    def __init__(self, store: Store, home: Path, leaving: Callable[[], bool] = lambda: False) -> None:
        self.folder = (home / FOLDER).absolute()
        self._store = store
        self._leaving = leaving
        url = store.artifacts_url
        self._place = url if "://" in url else str(Path(url).absolute())
        self._down = False
        self._delivering = threading.Lock()

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """As the artifact store's."""
        return self._store.artifacts.open_reader(artifact_id)

    def remove(self, artifact_id: str) -> None:
        """As the artifact store's; a file that waits is forgotten, too."""
        self._forget(artifact_id)
        self._store.artifacts.remove(artifact_id)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Send the bytes, or keep them until the store takes them. Raises ArtifactError when there is no room here."""
        self._send(artifact_id, content_body.read(), {})

    def send_weights(self, artifact_id: str, path: Path, trial_id: int, study: str) -> bool:
        """Send the weights of an attempt; False when they wait, and the attempt is to be told of them later.

        Raises ArtifactError when they cannot even wait here.
        """
        return self._send(artifact_id, path.read_bytes(), {"trial_id": trial_id, "study": study})

    def waiting(self) -> tuple[str, ...]:
        """The ids of the files that wait for this artifact store."""
        notes = sorted(self.folder.glob(f"*{NOTE}")) if self.folder.is_dir() else []
        return tuple(n.name.removesuffix(NOTE) for n in notes if self._note(n).get("artifacts") == self._place)

    def deliver(self) -> int:
        """Send what waits, and tell each attempt of its weights; how many files were sent. Trouble ends it quietly."""
        with self._delivering:
            waiting, sent = self.waiting(), 0
            for artifact_id in waiting:
                try:
                    self._deliver(artifact_id)
                except TROUBLE:
                    break  # the store is still away
                sent += 1
            self._down = self._down and sent < len(waiting)
        if sent:
            _logger.info("the artifact store takes files again: %d of %d that waited are there", sent, len(waiting))
        return sent

    def _send(self, artifact_id: str, content: bytes, note: dict[str, Any]) -> bool:
        end = time.monotonic() + (0.0 if self._down or self._leaving() else TRY_S)
        pause = 0.2
        while True:
            try:
                self._store.artifacts.write(artifact_id, io.BytesIO(content))
                return True
            except TROUBLE as error:
                if time.monotonic() + pause > end:
                    self._keep(artifact_id, content, note, error)
                    return False
            time.sleep(pause)
            pause *= 2

    def _keep(self, artifact_id: str, content: bytes, note: dict[str, Any], why: Exception) -> None:
        try:
            private_folder(self.folder)
            write_bytes(self.folder / artifact_id, content, private=True)
            text = json.dumps(note | {"artifacts": self._place}).encode()
            write_bytes(self.folder / f"{artifact_id}{NOTE}", text, private=True)
        except OSError as error:
            raise ArtifactError(f"{artifact_id} fits neither into the artifact store nor here: {why}; {error}") from why
        if not self._down:
            _logger.warning("%s: its files wait in %s and are sent as soon as it takes them", why, self.folder)
        self._down = True

    def _deliver(self, artifact_id: str) -> None:
        path, note = self.folder / artifact_id, self._note(self.folder / f"{artifact_id}{NOTE}")
        if path.is_file():
            save_file(self._store.artifacts, artifact_id, path)
            if "trial_id" in note and not note_weights(self._store, note["trial_id"], artifact_id):
                self._store.artifacts.remove(artifact_id)  # reclaimed or deleted meanwhile: nobody wants them
        self._forget(artifact_id)

    def _forget(self, artifact_id: str) -> None:
        for name in (artifact_id, f"{artifact_id}{NOTE}"):  # the note last: it is what makes a file wait
            (self.folder / name).unlink(missing_ok=True)

    def _note(self, path: Path) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            note = json.loads(path.read_text("utf-8"))
            return note if isinstance(note, dict) else {}
        return {}
