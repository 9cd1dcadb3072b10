"""The labels of the shown images at a few moments of a training, for people who want to see how it learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MOMENTS = "moments.npz"


def save_moments(out: Path, moments: Mapping[int, Tensor]) -> None:
    """Write the labels, uint8 (P, H, W), by the epoch that they are of, into the folder."""
    epochs = sorted(moments)
    np.savez_compressed(out / MOMENTS, *(moments[epoch].cpu().numpy() for epoch in epochs), epochs=np.array(epochs))


def read_moments(out: Path) -> dict[int, NDArray[np.uint8]]:
    """The labels (P, H, W) by their epochs, in order; none where the worker left none."""
    if not (out / MOMENTS).is_file():
        return {}
    with np.load(out / MOMENTS, allow_pickle=False) as file:
        return {int(epoch): file[f"arr_{place}"] for place, epoch in enumerate(file["epochs"])}
