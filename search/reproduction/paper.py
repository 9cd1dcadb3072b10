"""The reports' tables as frozen values; the numbers themselves are in `tables.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Literal

import yaml
from pydantic import TypeAdapter

Metric = Literal["miou", "miou_strict"]
Scalar = bool | int | float | str
CLASSES = ("background", "soil", "bedrock", "sand", "big rock")
"""The columns of `PaperRow.iou`, in label order."""


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One row of a report's table, scores in per cent and None where nothing is printed.

    title: as printed. preset: the recipe of this row. track: only rows of one track are comparable.
    metric: the one of `search.training.metrics` that the report used in this row.
    miou_spread, accuracy_spread: what stands after "±". iou: per class in label order; () when no class is printed.
    """

    title: str
    preset: str
    track: str
    metric: Metric
    miou: float | None = None
    miou_spread: float | None = None
    accuracy: float | None = None
    accuracy_spread: float | None = None
    iou: tuple[float | None, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PaperTable:
    """A table of a report. caption: what it is. remarks: what a reader must know to compare, each a sentence."""

    name: str
    caption: str
    rows: tuple[PaperRow, ...]
    remarks: tuple[str, ...]

    @property
    def tracks(self) -> tuple[str, ...]:
        """The names of the tracks, in the order of the rows."""
        return tuple(dict.fromkeys(row.track for row in self.rows))


_DOCUMENT = yaml.safe_load((resources.files("search.reproduction") / "tables.yaml").read_text("utf-8"))
TABLES = {table.name: table for table in TypeAdapter(tuple[PaperTable, ...]).validate_python(_DOCUMENT["tables"])}
SEARCH_PRESET: str = _DOCUMENT["search"]["preset"]
SEARCH_AXES: dict[str, list[Scalar]] = _DOCUMENT["search"]["axes"]
SEARCH_BEST: dict[str, Scalar] = _DOCUMENT["search"]["best"]
