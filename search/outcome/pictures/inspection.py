"""The pictures of ``data inspect``: how common each class is, what samples are like, and which look contaminated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.canvas import FAINT, INK, blank, percent, plain, save, tidy
from search.outcome.pictures.colours import class_colours, paint
from search.outcome.pictures.panel import class_legend, compose, lay_out, put, visible
from storage.data.canvas import own_part

if TYPE_CHECKING:
    from spaces.facts import DataFacts

OUTLIERS_SHOWN = SAMPLES_SHOWN = 12


def draw_class_shares(path: Path, shares: Sequence[float], facts: DataFacts, *, title: str) -> None:
    """Draw one bar per class, its share of all labelled pixels (0 to 1) written at its end."""
    height = max(260, 110 + 34 * facts.classes)
    figure = blank(900, height)
    figure.suptitle(plain(title, 100), x=0.02, ha="left", fontsize=13, fontweight="bold", color=INK)
    axes = figure.add_axes((0.19, 55 / height, 0.75, (height - 110) / height))
    tidy(axes)
    axes.grid(False, axis="y")
    bars = axes.barh(range(facts.classes), shares, color=class_colours(facts), edgecolor=FAINT, linewidth=0.6)
    axes.bar_label(bars, labels=[percent(share) for share in shares], padding=4, fontsize=10, color=INK)
    names = [
        plain(name, 18) + (" (excluded)" if name in facts.excluded and len(name) < 14 else "")
        for name in facts.class_names
    ]
    axes.set_yticks(range(facts.classes), names, fontsize=10)
    axes.set_ylim(facts.classes - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max(max(shares, default=0.0), 1e-3))
    axes.set_xlabel("share of the labelled pixels", fontsize=10, color=INK)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g}%")
    save(figure, path)


def draw_samples(
    path: Path,
    *,
    images: NDArray[Any],
    masks: NDArray[np.uint8],
    facts: DataFacts,
    ignore_label: int | None,
    title: str,
    sizes: NDArray[np.int32] | None = None,
) -> None:
    """Draw up to `SAMPLES_SHOWN` samples, spread over the whole set, each with its mask and with this over the image.

    images: (N, H, W) or (N, H, W, 3), N at least 1. masks: labels (N, H, W).
    sizes: height and width of each, (N, 2), where they differ.
    """
    chosen = _spread(np.arange(len(images)), SAMPLES_SHOWN)
    _draw(path, chosen, images, masks, facts, ignore_label, title, sizes, columns=("image", "mask", "overlay"))


def draw_outliers(
    path: Path,
    *,
    images: NDArray[Any],
    masks: NDArray[np.uint8],
    found: NDArray[np.bool_],
    facts: DataFacts,
    ignore_label: int | None,
    title: str,
    sizes: NDArray[np.int32] | None = None,
) -> None:
    """Draw up to `OUTLIERS_SHOWN` of the samples found, spread over the whole set, each with its mask.

    images: (N, H, W) or (N, H, W, 3). masks: labels (N, H, W). found: (N,), true for a contaminated sample.
    sizes: height and width of each, (N, 2), where they differ.
    """
    chosen = _spread(np.flatnonzero(found), OUTLIERS_SHOWN)
    if len(chosen) == 0:
        _nothing(path, title)
        return
    _draw(path, chosen, images, masks, facts, ignore_label, title, sizes, columns=("image", "mask"))


def _spread(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of the places, from the first to the last at even steps."""
    steps = np.unique(np.linspace(0, len(places) - 1, min(len(places), most)).round().astype(int))
    chosen: NDArray[np.int64] = places[steps]
    return chosen


def _draw(
    path: Path,
    chosen: NDArray[np.int64],
    images: NDArray[Any],
    masks: NDArray[np.uint8],
    facts: DataFacts,
    ignore_label: int | None,
    title: str,
    sizes: NDArray[np.int32] | None,
    *,
    columns: tuple[str, ...],
) -> None:
    grid = lay_out(len(chosen), len(columns), images.shape[1], images.shape[2], legend=1, blocks=min(2, len(chosen)))
    sheet = np.full((grid.height, grid.width, 3), 255, dtype=np.uint8)
    for place, sample in enumerate(chosen):
        image, mask = (own_part(arrays, sizes, int(sample)) for arrays in (images, masks))
        picture, labels = visible(image), paint(mask, facts, ignore_label)
        cells = {"image": picture, "mask": labels, "overlay": _over(picture, labels, mask == ignore_label)}
        for column, name in enumerate(columns):
            put(sheet, grid, place, column, cells[name], smooth=name == "image")
    figure = compose(sheet, grid, columns, title, captions=[f"sample {sample}" for sample in chosen])
    class_legend(figure, grid, facts, masks[chosen], line=0)
    save(figure, path)


def _over(picture: NDArray[np.uint8], labels: NDArray[np.uint8], void: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The labels' colours half over the picture (H, W, 3); void pixels stay as they are."""
    mixed = ((picture.astype(np.uint16) + labels) // 2).astype(np.uint8)
    mixed[void] = picture[void]
    return mixed


def _nothing(path: Path, title: str) -> None:
    """The picture of a clean set."""
    figure = blank(900, 260)
    figure.suptitle(plain(title, 100), x=0.02, ha="left", fontsize=13, fontweight="bold", color=INK)
    figure.text(0.5, 0.45, "no contaminated sample found", ha="center", fontsize=13, color="#777777")
    save(figure, path)
