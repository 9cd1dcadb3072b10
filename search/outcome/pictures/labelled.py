"""Labels as PNG files: a palette in class colours, or over the image that they are of."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from search.outcome.pictures.colours import class_colours, paint
from search.outcome.pictures.panel import visible
from storage.data.folder.png import write_image, write_labels

if TYPE_CHECKING:
    from spaces.facts import DataFacts


def write_labelled(
    path: Path, image: NDArray[Any], labels: NDArray[np.uint8], facts: DataFacts, *, overlay: bool
) -> None:
    """Write the labels (H, W) of an image (H, W) or (H, W, 3) as a PNG of its size. Raises OSError.

    overlay: the image with the colours of its labels half transparent over it; else the labels themselves as numbers,
    shown in the classes' colours.
    """
    if overlay:
        below = _shown(image).astype(np.uint16)
        write_image(path, ((below + paint(labels, facts, None)) // 2).astype(np.uint8))
    else:
        write_labels(path, labels, class_colours(facts))


def _shown(image: NDArray[Any]) -> NDArray[np.uint8]:
    """The image as bytes (H, W, 3): as it is, or spread over them where it has other numbers."""
    if image.dtype != np.uint8:
        return visible(image)
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
