"""The tables of the five reports as they are printed: the one place where their numbers stand.

All numbers are per cent. A row names the preset that stands for it, the track of rows that it may be compared with,
and which of our two metrics (`search.training.metrics`) is the one that the report used in that row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Metric = Literal["miou", "miou_strict"]
CLASSES = ("background", "soil", "bedrock", "sand", "big rock")
"""What the columns of `PaperRow.iou` are called in the reports, in label order."""


@dataclass(frozen=True, kw_only=True)
class PaperRow:
    """One row of a report's table.

    title: as printed. preset: the recipe that stands for it. track: rows of one track are comparable.
    metric: which of ours its IoU is compared with.
    miou, accuracy: as printed; None where nothing is. miou_spread, accuracy_spread: what stands after "±".
    iou: per class in label order, None where nothing is printed; () when no class is.
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


def _b(title: str, preset: str, track: str, miou: float, accuracy: float) -> PaperRow:
    return PaperRow(title=title, preset=preset, track=track, metric="miou", miou=miou, accuracy=accuracy)


def _c(title: str, preset: str, track: str, metric: Metric, miou: float) -> PaperRow:
    return PaperRow(title=title, preset=preset, track=track, metric=metric, miou=miou)


def _e(
    title: str, preset: str, accuracy: tuple[float, float], miou: tuple[float, float], iou: tuple[float, ...]
) -> PaperRow:
    return PaperRow(
        title=title,
        preset=preset,
        track="loss functions",
        metric="miou_strict",
        miou=miou[0],
        miou_spread=miou[1],
        accuracy=accuracy[0],
        accuracy_spread=accuracy[1],
        iou=iou,
    )


_B1 = PaperTable(
    name="B1",
    caption="report B, its table of results: one change after another to a U-Net, and to a dual-branch U-Net",
    rows=(
        _b("Baseline", "b1-baseline", "single U-Net", 44.82, 72.97),
        _b("Expanded bottleneck", "b1-expanded", "single U-Net", 47.12, 77.71),
        _b("Data augmentation", "b1-augmentation", "single U-Net", 47.41, 76.50),
        _b("Weighted Dice/Focal loss", "b1-dice-focal", "single U-Net", 51.63, 78.80),
        _b("SE blocks", "b1-squeeze", "single U-Net", 61.70, 76.43),
        _b("Fine/coarse fusion", "b1-fine-coarse", "dual U-Net", 48.02, 76.90),
        _b("Normalization techniques", "b1-normalisation", "dual U-Net", 48.00, 77.06),
        _b("Weighted classes", "b1-weighted", "dual U-Net", 70.24, 68.18),
    ),
    remarks=(
        'Report B measures "mean intersection over union, excluding background pixels": our lenient mIoU.',
        "Its rows build on each other: each adds something to the row before, within single and dual U-Nets.",
    ),
)

_C1 = PaperTable(
    name="C1",
    caption="report C, table 1: loss functions and optimisers on one U-Net",
    rows=(
        _c("Focal loss, AdamW", "c1-focal", "rows 1-3", "miou_strict", 39.51),
        _c("Dice loss, AdamW", "c1-dice", "rows 1-3", "miou_strict", 42.98),
        _c("Cross entropy, AdamW", "c1-ce", "rows 1-3", "miou_strict", 43.89),
        _c("Cross entropy ignoring index 0, SGD", "c1-ignore-sgd", "rows 4-6", "miou", 62.09),
        _c("Background network, AdamW", "c1-background", "rows 4-6", "miou", 63.66),
        _c("Cross entropy ignoring index 0, AdamW", "c1-ignore-adamw", "rows 4-6", "miou", 64.39),
    ),
    remarks=(
        "From row 4 on report C leaves background pixels out of the loss and out of the metric: rows 1-3 are compared"
        " by our strict mIoU, rows 4-6 by the lenient one, and no row of the first three with one of the last three.",
        "Whether its metric of rows 1-3 also averaged over the background's own IoU is not in the text.",
    ),
)

_E3 = PaperTable(
    name="E3",
    caption="report E, table 3: loss functions, all weighted by inverse pixel frequency",
    rows=(
        _e("BCE", "e3-bce", (74.3, 0.6), (51.2, 1.1), (39.25, 71.07, 59.22, 65.24, 17.39)),
        _e("CCE", "e3-cce", (76.8, 0.5), (51.1, 1.1), (39.98, 75.35, 62.34, 70.29, 12.26)),
        _e("Dice", "e3-dice", (68.4, 1.1), (42.4, 0.4), (28.97, 64.17, 49.23, 59.40, 3.26)),
        _e("Focal", "e3-focal", (74.6, 1.0), (49.3, 0.1), (40.94, 74.36, 60.15, 67.68, 9.08)),
    ),
    remarks=(
        "Report E's formula takes the mean over the classes without the background and counts all pixels: our strict"
        " mIoU, and strict IoU per class.",
        "Its printed means are not those of its printed classes: for BCE these give 53.2 without background and 50.4"
        " with it, 51.2 is printed.",
    ),
)

_A4 = PaperTable(
    name="A4",
    caption="report A, table 4: IoU per class of the final WNet on validation",
    rows=(
        PaperRow(
            title="Simplified WNet (final)",
            preset="report-a-wnet",
            track="final system",
            metric="miou_strict",
            miou=50.19,
            iou=(None, 71.38, 54.77, 67.50, 7.09),
        ),
    ),
    remarks=(
        "Report A does not name its validation metric; 50.19 against 62.77 on the competition's lenient test metric"
        " speaks for the strict one (our reading).",
    ),
)

TABLES: Mapping[str, PaperTable] = {table.name: table for table in (_B1, _C1, _E3, _A4)}

D_BEST: Mapping[str, int | float | str] = {
    "filters": 16,  # 16, 32, 64, 128
    "activation": "relu",
    "kernel": 3,
    "depth": 4,
    "dropout": 0.2,
}
"""Report D, section 7: the best parameters that its random, grid and Bayesian search found, by our names."""
