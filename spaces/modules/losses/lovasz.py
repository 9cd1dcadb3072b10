"""Lovász-softmax (arXiv 1705.08790): the intersection over union made convex in the errors, over logits.

Shapes: B images, K classes, H and W pixels, N = B * H * W.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot

BINS = 8192
"""Steps in which errors, 0 to 1, are compared: what lies closer together counts as equal."""


def _slopes(errors: Tensor, onehot: Tensor, counted: Tensor) -> Tensor:
    """How much each error (B, K, H, W) costs: the slope of the Jaccard loss there (the paper's algorithm 1).

    onehot (B, K, H, W), counted (B, 1, H, W): bool. Errors are taken from the largest down. After some of them, the
    intersection has lost those that are of the class and the union has gained the others. The slope is the difference
    of 1 - intersection / union that one more makes, written out: 1 / union for a pixel of the class, intersection /
    (union * (union - 1)) for another. Subtracting neighbouring ratios of a million pixels in float32 would be off by
    2.5 % in the middle (measured).
    The errors are counted in BINS instead of sorted, which takes a quarter of the time. Equal ones may come in any
    order, and those of a bin share what they cost together: the loss moves by less than 1 / BINS.
    """
    classes = errors.shape[1]
    row = 2 * torch.arange(classes, device=errors.device)[:, None, None] + onehot
    place = (errors * (BINS - 0.01)).to(torch.int64).add_(row, alpha=BINS)  # an error of 1 is in the last bin
    cell = place.masked_fill_(~counted, 2 * classes * BINS).flatten()
    zeros = errors.new_zeros(2 * classes * BINS + 1)
    counts = zeros.scatter_add(0, cell, errors.new_ones(()).expand_as(cell))[:-1].view(classes, 2, BINS).flip(-1)
    others, own = counts.unbind(1)
    size = own.sum(1, keepdim=True)
    intersection = size - own.cumsum(1) + own  # before the bin
    union = size + others.cumsum(1)  # after it
    before = (union - others).clamp_min(1)  # 0 only where the class is absent
    after = union.clamp_min(1)
    slopes = torch.stack((intersection / (before * after), 1 / after), dim=1).flip(-1)
    return torch.cat((slopes.flatten(), zeros[:1])).take(cell).view(errors.shape)


def lovasz(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Lovász-softmax: sum_k w_k * loss_k / sum_k w_k over the classes that occur, 0 .. 1, pooled over the batch.

    logits (B, K, H, W) float, target (B, H, W) int64 with labels 0 .. K-1 or IGNORED, weights (K,) at or above zero
    (see targets). loss_k is the Lovász extension of class k's Jaccard loss at the errors |p_ik - y_ik| of the pixels
    that count. 0 with zero gradients when nothing counts.
    """
    onehot = one_hot(target, logits.shape[1])
    p = functional.softmax(logits, dim=1)
    errors = torch.where(onehot, 1 - p, p)
    each = (errors * _slopes(errors.detach(), onehot, (target != IGNORED)[:, None])).sum((0, 2, 3))
    return (class_shares(onehot.sum((0, 2, 3)), weights) * each).sum()
