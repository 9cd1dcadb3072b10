"""The confusion matrix of labels on a device; `search.training.metrics` makes scores of it, without torch."""

from __future__ import annotations

import torch
from torch import Tensor


def confusion_matrix(prediction: Tensor, truth: Tensor, classes: int, ignore_label: int | None = None) -> Tensor:
    """Count pixels by (truth, prediction): int64 (K, K) on the device of the labels.

    prediction, truth: integer labels of one shape; truth outside 0 .. K-1 (the ignore label) is left out.
    """
    truth = truth.long()
    counted = (truth >= 0) & (truth < classes)
    if ignore_label is not None:
        counted &= truth != ignore_label
    # What does not count falls into one more cell: no boolean indexing, so no wait for the device.
    cell = torch.where(counted, truth * classes + prediction.long(), classes * classes)
    return count_cells(cell, classes * classes + 1)[:-1].view(classes, classes)


def count_cells(cell: Tensor, cells: int) -> Tensor:
    """How often each of 0 .. cells - 1 occurs: int64 (cells,), without a wait for the device.

    `torch.bincount`, the quickest on a CPU, looks for the largest number first.
    """
    cell = cell.flatten()
    if cell.device.type == "cpu":
        return torch.bincount(cell, minlength=cells)
    return _added_up(cell, cells)


def _added_up(cell: Tensor, cells: int) -> Tensor:
    return torch.zeros(cells, dtype=torch.int64, device=cell.device).scatter_add_(0, cell, torch.ones_like(cell))
