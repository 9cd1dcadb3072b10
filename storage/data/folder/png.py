"""Labels and images as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_VOID = (255, 255, 255)  # the colour of labels that no class has


def write_labels(path: Path, labels: NDArray[np.uint8], colours: Sequence[str]) -> None:
    """Write labels (H, W) as a PNG whose numbers are the labels, shown in these colours, ``#RRGGBB`` each.

    Raises OSError.
    """
    from PIL import Image

    shown = [tuple(bytes.fromhex(colour[1:])) for colour in colours]
    shown += [_VOID] * (int(labels.max(initial=0)) + 1 - len(shown))
    picture = Image.frombytes("P", labels.shape[::-1], np.ascontiguousarray(labels).tobytes())
    picture.putpalette([part for colour in shown for part in colour])
    picture.save(path, format="PNG")


def write_image(path: Path, image: NDArray[Any]) -> None:
    """Write an image (H, W) uint8 or uint16, or (H, W, 3) uint8, as a PNG. Raises OSError."""
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(image)).save(path, format="PNG")
