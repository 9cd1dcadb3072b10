"""The labels of the shown images as one small paletted PNG, from which a page draws layers of its own.

One column of cells for the truth and one for each epoch that is kept, one row for each image. A text within the file
says what is where, so that a reader needs the first bytes only.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.colours import IGNORED, class_colours, rgb
from storage.atomic_write import replacing

if TYPE_CHECKING:
    from spaces.facts import DataFacts

LABELS = "60_labels.png"
LONGEST = 256  # pixels of a cell's longer side: larger images are shown by every n-th pixel
NOTE = "marsearch"  # the key of the text
HEAD = 2048  # bytes within which the text stands
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class LabelSheet:
    """What such a file holds.

    epochs: of the columns behind the truth's, in order. sizes: height and width of each image's cells, which stand
    below each other without a gap; a column is as wide as the widest.
    """

    epochs: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]

    @property
    def column(self) -> int:
        """Width of a column in pixels."""
        return max((width for _, width in self.sizes), default=0)


def draw_label_maps(
    path: Path,
    *,
    truth: Sequence[NDArray[np.uint8]],
    moments: Mapping[int, Sequence[NDArray[np.uint8]]],
    facts: DataFacts,
    ignore_label: int | None,
) -> None:
    """Draw the labels of P images: the truth's, and at each epoch those that the network gives.

    truth: P masks (H, W). moments: P label maps (H, W) by epoch. Ignored pixels stay what they are in the truth.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    epochs = sorted(moments)
    columns = [[_small(labels) for labels in images] for images in (truth, *(moments[epoch] for epoch in epochs))]
    sheet = LabelSheet(epochs=tuple(epochs), sizes=tuple((cell.shape[0], cell.shape[1]) for cell in columns[0]))
    picture = Image.fromarray(_join(columns, sheet), "L").convert("P")
    picture.putpalette(_palette(facts, ignore_label).tobytes())
    note = PngInfo()
    note.add_text(NOTE, json.dumps({"epochs": sheet.epochs, "sizes": sheet.sizes}))
    with replacing(path) as file:
        picture.save(file, format="PNG", pnginfo=note, optimize=True)


def read_sheet(head: bytes) -> LabelSheet | None:
    """What the file says of itself, of its first `HEAD` bytes; None for one that says nothing of the kind."""
    place = len(_SIGNATURE)
    if not head.startswith(_SIGNATURE):
        return None
    while place + 8 <= len(head):
        size, kind = struct.unpack(">I4s", head[place : place + 8])
        body = head[place + 8 : place + 8 + size]
        if kind == b"tEXt" and body.startswith(NOTE.encode() + b"\0"):
            return _sheet(body[len(NOTE) + 1 :])
        place += 12 + size
    return None


def _sheet(text: bytes) -> LabelSheet | None:
    try:
        told: Any = json.loads(text)
        sizes = tuple((int(height), int(width)) for height, width in told["sizes"])
        sheet = LabelSheet(epochs=tuple(int(epoch) for epoch in told["epochs"]), sizes=sizes)
    except (ValueError, TypeError, KeyError):
        return None
    sound = sheet.epochs and sizes and all(0 < side <= LONGEST for size in sizes for side in size)
    return sheet if sound else None


def _small(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    step = -(-max(labels.shape) // LONGEST)
    return labels[::step, ::step]


def _join(columns: Sequence[Sequence[NDArray[np.uint8]]], sheet: LabelSheet) -> NDArray[np.uint8]:
    joined = np.zeros((sum(height for height, _ in sheet.sizes), sheet.column * len(columns)), np.uint8)
    for place, images in enumerate(columns):
        top = 0
        for cell in images:
            height, width = cell.shape
            joined[top : top + height, place * sheet.column : place * sheet.column + width] = cell
            top += height
    return joined


def sheet_colours(facts: DataFacts) -> tuple[str, ...]:
    """One ``#RRGGBB`` per label, the colour of its class, but for a shade of blue where two labels would share it."""
    found: list[str] = []
    for colour in class_colours(facts):
        shade = int(colour[1:], 16)
        while (text := f"#{shade:06X}") in found or text == IGNORED:
            shade ^= len(found) + 1
        found.append(text)
    return tuple(found)


def _palette(facts: DataFacts, ignore_label: int | None) -> NDArray[np.uint8]:
    table = np.full((256, 3), rgb(IGNORED), dtype=np.uint8)
    for label, colour in enumerate(sheet_colours(facts)):
        table[label] = rgb(colour)
    if ignore_label is not None:
        table[ignore_label] = rgb(IGNORED)
    return table
