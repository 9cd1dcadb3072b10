"""Losses that compare a class's region with its prediction, over logits: Tversky, and Dice as its even case.

Shapes: B images, K classes, H and W pixels. logits (B, K, H, W) float, target (B, H, W) int64 with
labels 0 .. K-1 or IGNORED, weights (K,) at or above zero (see targets). Every function returns a scalar
0 .. 1, pooled over the pixels i of the batch that count, and 0 with zero gradients when nothing counts.
p is the softmax, y the one-hot target.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, class_shares, one_hot

Average = Literal["per_class", "pooled"]


def tversky(
    logits: Tensor,
    target: Tensor,
    weights: Tensor,
    *,
    false_positives: float,
    false_negatives: float,
    average: Average = "per_class",
) -> Tensor:
    """Tversky loss (arXiv 1706.05721): 1 - hits / (hits + a * claimed wrongly + b * missed).

    false_positives: a, false_negatives: b, both above 0 and at most 1. For class k, hits are sum_i p_ik * y_ik,
    claimed wrongly sum_i p_ik * (1 - y_ik), missed sum_i (1 - p_ik) * y_ik.
    per_class: sum_k w_k * loss_k / sum_k w_k over the classes that occur. A class that is absent, or has weight 0,
    neither helps nor costs, and nothing needs smoothing.
    pooled: one ratio of sums over all K classes, each times w_k. Probability given to an absent class costs as
    claimed wrongly. A class of weight 0 drops out of both sums; when no pixel's class has a weight, the loss is 0.
    """
    a, b = false_positives, false_negatives
    onehot = one_hot(target, logits.shape[1]).to(logits.dtype)
    p = functional.softmax(logits, dim=1) * (target != IGNORED)[:, None]
    pixels = (0, 2, 3)
    hits, claimed, counts = (p * onehot).sum(pixels), p.sum(pixels), onehot.sum(pixels)
    union = (1 - a - b) * hits + a * claimed + b * counts
    if average == "pooled":
        something = (weights * counts).sum() > 0
        return something * (1 - (weights * hits).sum() / torch.where(something, (weights * union).sum(), 1.0))
    similarity = hits / torch.where(counts > 0, union, 1.0)
    return (class_shares(counts, weights) * (1 - similarity)).sum()


def dice(logits: Tensor, target: Tensor, weights: Tensor, average: Average = "per_class") -> Tensor:
    """Soft Dice loss (arXiv 1606.04797): Tversky with both errors at one half.

    per_class: sum_k w_k * (1 - 2 * sum_i p_ik * y_ik / sum_i (p_ik + y_ik)) / sum_k w_k over the classes that occur.
    pooled: 1 - 2 * sum_k w_k * sum_i p_ik * y_ik / sum_k w_k * sum_i (p_ik + y_ik) over all classes (report B, eq. 2;
    with equal weights report E, table 2). The denominator is the plain sum, not V-Net's sum of squares.
    """
    return tversky(logits, target, weights, false_positives=0.5, false_negatives=0.5, average=average)
