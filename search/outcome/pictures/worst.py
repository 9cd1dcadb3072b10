"""The worst images of a trial as files from which a page draws: photographs, label maps, and a table of scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.label_maps import LABELS, LONGEST, draw_label_maps
from search.outcome.pictures.panel import visible
from storage.atomic_write import replacing, write_bytes

if TYPE_CHECKING:
    from spaces.facts import DataFacts

WORST_LABELS, WORST_PHOTOS, WORST_TABLE = "61_worst_labels.png", "62_worst_images.jpg", "63_worst.json"
LAYERS = (LABELS, WORST_LABELS, WORST_PHOTOS, WORST_TABLE)
"""Files that the board draws from, and nobody looks at as they are."""
QUALITY = 85  # of the photographs


def draw_worst(
    folder: Path,
    *,
    epoch: int,
    samples: Sequence[int],
    iou: NDArray[np.float64],
    images: Sequence[NDArray[Any]],
    truth: Sequence[NDArray[np.uint8]],
    labels: Sequence[NDArray[np.uint8]],
    facts: DataFacts,
    ignore_label: int | None,
) -> tuple[Path, ...]:
    """Write S images: their photographs below each other, their labels at the epoch, and their IoU per class (S, K).

    samples: what each is called: its number in the data set.
    """
    names, photos, table = (folder / name for name in (WORST_LABELS, WORST_PHOTOS, WORST_TABLE))
    draw_label_maps(names, truth=truth, moments={epoch: labels}, facts=facts, ignore_label=ignore_label)
    _draw_photos(photos, [_small(visible(image)) for image in images])
    scores = [[None if np.isnan(value) else round(float(value), 4) for value in row] for row in iou]
    write_bytes(table, json.dumps({"samples": list(map(int, samples)), "iou": scores}).encode())
    return names, photos, table


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """By every n-th pixel, as the label maps."""
    step = -(-max(picture.shape[:2]) // LONGEST)
    return picture[::step, ::step]


def _draw_photos(path: Path, pictures: Sequence[NDArray[np.uint8]]) -> None:
    from PIL import Image

    sheet = np.zeros((sum(len(p) for p in pictures), max(p.shape[1] for p in pictures), 3), np.uint8)
    top = 0
    for picture in pictures:
        sheet[top : top + len(picture), : picture.shape[1]] = picture
        top += len(picture)
    with replacing(path) as file:
        Image.fromarray(sheet).save(file, format="JPEG", quality=QUALITY)
