"""The images on which the best trial does worst, for each class."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from optuna.trial import FrozenTrial

from search.dashboard.board.panels import file_of, read_head
from search.outcome.pictures.colours import class_colours
from search.outcome.pictures.label_maps import HEAD, read_sheet, sheet_colours
from search.outcome.pictures.worst import WORST_LABELS, WORST_PHOTOS, WORST_TABLE
from search.worker.worst import worst_of
from spaces import DataFacts
from storage.artifacts.artifact_store import ArtifactStore
from storage.database.optuna_schema import trial_id_of
from storage.errors import StorageError

LOOKED_AT = 10  # of the best trials: the files are written for a trial that was the best when it ended
LARGEST = 200_000  # bytes of a table
MOST_KEPT = 32  # tables


class Worst:
    """Finds the files; each table is read once. Safe for many threads."""

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, study_id: int, best: Sequence[FrozenTrial], facts: DataFacts) -> str:
        """What a page needs to draw them, as JSON; "" where no trial has such files."""
        for trial in best[:LOOKED_AT]:
            table = file_of(trial, WORST_TABLE)
            if table is not None:
                return self._told(study_id, trial, table, facts)
        return ""

    def _told(self, study_id: int, trial: FrozenTrial, table: str, facts: DataFacts) -> str:
        with self._lock:
            if table in self._kept:
                return self._kept[table]
        try:
            told = self._read(study_id, trial, table, facts)
        except (StorageError, OSError):
            return ""  # the store may answer the next time
        with self._lock:
            self._kept[table] = told
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return told

    def _read(self, study_id: int, trial: FrozenTrial, table: str, facts: DataFacts) -> str:
        labels, photos = file_of(trial, WORST_LABELS), file_of(trial, WORST_PHOTOS)
        sheet = None if labels is None else read_sheet(read_head(self._store, labels, HEAD))
        known = _table(read_head(self._store, table, LARGEST))
        if sheet is None or photos is None or len(known["iou"]) != len(sheet.sizes):
            return ""
        folder = f"/artifacts/{study_id}/{trial_id_of(trial)}"
        told = {
            "number": trial.number,
            "photos": f"{folder}/{photos}",
            "labels": {"url": f"{folder}/{labels}", "sizes": sheet.sizes, "column": sheet.column},
            "colours": sheet_colours(facts),
            "classes": _classes(known, facts),
        }
        return json.dumps(told, separators=(",", ":")) if told["classes"] else ""


def _classes(known: dict[str, Any], facts: DataFacts) -> list[dict[str, Any]]:
    """Of each class that is scored: its worst images, the worst first."""
    found = []
    for label, (name, colour) in enumerate(zip(facts.class_names, class_colours(facts), strict=True)):
        iou = [float("nan") if row[label] is None else float(row[label]) for row in known["iou"]]
        images = [{"place": at, "sample": known["samples"][at], "iou": round(iou[at], 4)} for at in worst_of(iou)]
        if images:
            found.append({"name": name, "colour": colour, "images": images})
    return found


def _table(text: bytes) -> dict[str, Any]:
    """The scores; none for what is no such table."""
    try:
        known = json.loads(text)
        iou = [[None if value is None else float(value) for value in row] for row in known["iou"]]
        return {"iou": iou, "samples": [int(sample) for sample in known["samples"]]}
    except (ValueError, TypeError, KeyError):
        return {"iou": [], "samples": []}
