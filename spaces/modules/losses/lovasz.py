"""Lovász-softmax (arXiv 1705.08790): the intersection over union made convex in the errors, over logits.

Shapes: B images, K classes, H and W pixels, N = B * H * W.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot


def _slopes(errors: Tensor, onehot: Tensor) -> Tensor:
    """How much each error (K, N) costs: the slope of the Jaccard loss there (the paper's algorithm 1), same shape.

    Errors are taken from the largest down. After j of them, the intersection has lost those that are of the class
    and the union has gained the others. The slope is the difference of 1 - intersection / union between j - 1 and j,
    written out: 1 / union for a pixel of the class, intersection / (union * (union - 1)) for another. Subtracting
    neighbouring ratios of a million pixels in float32 would be off by 2.5 % in the middle (measured), this by 1e-7.
    """
    order = errors.argsort(dim=1, descending=True)
    of_class = onehot.gather(1, order)
    size = onehot.sum(1, keepdim=True)
    intersection = size - of_class.cumsum(1)
    union = size + (~of_class).cumsum(1)
    before = (union - 1).clamp_min(1)  # 0 only where the class is absent, or next to a pixel of the class
    slopes = torch.where(of_class, 1.0, intersection.to(errors.dtype) / before) / union
    return torch.zeros_like(errors).scatter(1, order, slopes)


def lovasz(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Lovász-softmax: sum_k w_k * loss_k / sum_k w_k over the classes that occur, 0 .. 1, pooled over the batch.

    logits (B, K, H, W) float, target (B, H, W) int64 with labels 0 .. K-1 or IGNORED, weights (K,) at or above zero
    (see targets). loss_k is the Lovász extension of class k's Jaccard loss at the errors |p_ik - y_ik| of the pixels
    that count. 0 with zero gradients when nothing counts.
    """
    classes = logits.shape[1]
    onehot = one_hot(target, classes).transpose(0, 1).reshape(classes, -1)
    p = functional.softmax(logits, dim=1).transpose(0, 1).reshape(classes, -1)
    # An error of 0 comes last and costs nothing, so a pixel that does not count is as good as gone.
    errors = torch.where(onehot, 1 - p, p) * (target != IGNORED).reshape(1, -1)
    each = (errors * _slopes(errors.detach(), onehot)).sum(1)
    return (class_shares(onehot.sum(1), weights) * each).sum()
