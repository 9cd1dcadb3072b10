"""Where a trial's picture of the validation images is, and where in it each cell lies."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from search.dashboard.poll.trial_json import artifacts
from search.outcome.pictures.figures import PANEL, PANEL_IMAGES
from search.outcome.pictures.panel import COLUMNS, Grid, lay_out
from search.studies.study import Study
from storage.artifacts.artifact_id import is_artifact_id
from storage.artifacts.artifact_store import ArtifactStore, not_found
from storage.database.optuna_schema import trial_id_of
from storage.errors import StorageError

MOST_SIZES = 1000  # of pictures, remembered
_HEADER = 24  # bytes of a PNG up to its size
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: image, truth, prediction and error of the same samples in every trial of a study.

    url: on this server. width, height: pixels. grid: where its cells are; None for a picture of another layout, which
    can only be shown whole. samples: how many there are.
    """

    url: str
    width: int
    height: int
    grid: Grid | None
    samples: int

    def corner(self, sample: int, column: str) -> tuple[int, int]:
        """Left and top of a cell in pixels; the picture must have a grid."""
        assert self.grid is not None
        return self.grid.corner(sample, COLUMNS.index(column))


class Panels:
    """Finds the pictures; of each the size is read once. Safe for many threads."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._sizes: OrderedDict[str, tuple[int, int] | None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, study_id: int, trial: FrozenTrial, study: Study) -> Panel | None:
        """The trial's picture; None when it has none, or none that can be read."""
        named = (str(file["artifact_id"]) for file in artifacts(trial.system_attrs) if file.get("filename") == PANEL)
        file = next((name for name in named if is_artifact_id(name)), None)
        size = None if file is None else self._size(file)
        if size is None:
            return None
        samples = min(PANEL_IMAGES, len(study.split.validation))
        facts = study.facts
        grid = lay_out(samples, len(COLUMNS), facts.height, facts.width, legend=2) if samples else None
        return Panel(
            url=f"/artifacts/{study_id}/{trial_id_of(trial)}/{file}",
            width=size[0],
            height=size[1],
            grid=grid if grid is not None and (grid.width, grid.height) == size else None,
            samples=samples,
        )

    def _size(self, artifact_id: str) -> tuple[int, int] | None:
        with self._lock:
            if artifact_id in self._sizes:
                return self._sizes[artifact_id]
        try:
            size = _read_size(self._store, artifact_id)
        except (StorageError, OSError):
            return None  # the store may answer the next time
        with self._lock:
            self._sizes[artifact_id] = size
            if len(self._sizes) > MOST_SIZES:
                self._sizes.popitem(last=False)
        return size


def _read_size(store: ArtifactStore, artifact_id: str) -> tuple[int, int] | None:
    """Width and height of a PNG; None when there is none of that id, or something else."""
    try:
        with store.open_reader(artifact_id) as reader:
            head = reader.read(_HEADER)
    except not_found():
        return None
    if len(head) < _HEADER or not head.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)
