"""Where a trial's pictures of the validation images are, and where in them each cell lies."""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from search.dashboard.poll.trial_json import artifacts
from search.outcome.pictures.figures import PANEL, PANEL_IMAGES
from search.outcome.pictures.label_maps import HEAD, LABELS, LabelSheet, read_sheet
from search.outcome.pictures.panel import COLUMNS, Grid, lay_out
from search.studies.study import StudyDefinition
from storage.artifacts.artifact_id import is_artifact_id
from storage.artifacts.artifact_store import ArtifactStore, not_found
from storage.database.optuna_schema import trial_id_of
from storage.errors import StorageError

MOST_FILES = 1000  # of which the first bytes are remembered
_HEADER = 24  # bytes of a PNG up to its size
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """A trial's label maps. url: on this server. sheet: what is where. counted: place in `sheet.epochs` of the best."""

    url: str
    sheet: LabelSheet
    counted: int


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture: image, truth, prediction and error of the same samples in every trial of a study.

    url: on this server. width, height: pixels. grid: where its cells are; None for a picture of another layout, which
    can only be shown whole. samples: how many there are. labels: None for a trial that has no label maps.
    """

    url: str
    width: int
    height: int
    grid: Grid | None
    samples: int
    labels: Labels | None

    def corner(self, sample: int, column: str) -> tuple[int, int]:
        """Left and top of a cell in pixels; the picture must have a grid."""
        assert self.grid is not None
        return self.grid.corner(sample, COLUMNS.index(column))


class Panels:
    """Finds the pictures; the first bytes of each file are read once. Safe for many threads."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._heads: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, study_id: int, trial: FrozenTrial, study: StudyDefinition) -> Panel | None:
        """The trial's picture; None when it has none, or none that can be read."""
        file = file_of(trial, PANEL)
        size = None if file is None else _size(self._head(file))
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
            labels=self._labels(study_id, trial, samples),
        )

    def _labels(self, study_id: int, trial: FrozenTrial, samples: int) -> Labels | None:
        file = file_of(trial, LABELS)
        sheet = None if file is None else read_sheet(self._head(file))
        if sheet is None or len(sheet.sizes) != samples:
            return None
        best = trial.user_attrs.get("best_epoch")
        counted = sheet.epochs.index(best) if best in sheet.epochs else len(sheet.epochs) - 1
        return Labels(url=f"/artifacts/{study_id}/{trial_id_of(trial)}/{file}", sheet=sheet, counted=counted)

    def _head(self, artifact_id: str) -> bytes:
        with self._lock:
            if artifact_id in self._heads:
                return self._heads[artifact_id]
        try:
            head = read_head(self._store, artifact_id, HEAD)
        except (StorageError, OSError):
            return b""  # the store may answer the next time
        with self._lock:
            self._heads[artifact_id] = head
            if len(self._heads) > MOST_FILES:
                self._heads.popitem(last=False)
        return head


def file_of(trial: FrozenTrial, name: str) -> str | None:
    """The id of the trial's file of that name."""
    named = (str(file["artifact_id"]) for file in artifacts(trial.system_attrs) if file.get("filename") == name)
    return next((found for found in named if is_artifact_id(found)), None)


def read_head(store: ArtifactStore, artifact_id: str, size: int) -> bytes:
    """The first bytes of a file; none when there is no file of that id."""
    try:
        with store.open_reader(artifact_id) as reader:
            return reader.read(size)
    except not_found():
        return b""


def _size(head: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG; None for something else."""
    if len(head) < _HEADER or not head.startswith(_SIGNATURE):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)
