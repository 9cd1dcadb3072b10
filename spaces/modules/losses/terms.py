"""Losses that look at one pixel at a time, over logits: pure functions.

Shapes: B images, K classes, H and W pixels. logits (B, K, H, W) float, target (B, H, W) int64 with
labels 0 .. K-1 or IGNORED, weights (K,) at or above zero (see targets). Every function returns a scalar:
the mean over the pixels of the batch that count, each weighing as much as its class,
sum_i w[t_i] * loss_i / sum_i w[t_i]. It is 0 with zero gradients when nothing counts. The reports and
papers divide by the number of pixels instead; with equal weights that is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.targets import IGNORED, mean_over_pixels, one_hot, pixel_weights

_SMALLEST_MISS = 1e-8
"""Floor of 1 - p in the focal loss: at 0 the slope of (1 - p) ** gamma is infinite for gamma < 1."""


def _log_p(logits: Tensor, target: Tensor) -> Tensor:
    """The log-probability of each pixel's own class (B, H, W); of class 0 where it does not count."""
    return functional.log_softmax(logits, dim=1).gather(1, target.clamp_min(0)[:, None])[:, 0]


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy (report E, table 2): -log p_i[t_i]. The value of torch's weighted mean."""
    total = functional.cross_entropy(logits, target, weight=weights, ignore_index=IGNORED, reduction="sum")
    mass = pixel_weights(target, weights).sum()
    return total / torch.where(mass > 0, mass, 1.0)


def bce(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Binary cross entropy of each class against the rest, summed over the classes (report E, table 2).

    -sum_k (y_ik * log s_ik + (1 - y_ik) * log(1 - s_ik)) with s the sigmoid of each logit, y the one-hot
    onehot. A pixel weighs as much as its true class, in the terms of the other classes too.
    """
    onehot = one_hot(target, logits.shape[1]).to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, onehot, reduction="none")
    return mean_over_pixels(each.sum(1), target, weights)


def focal(logits: Tensor, target: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Focal loss (arXiv 1708.02002, eq. 5; report B, eq. 3): (1 - p_i[t_i]) ** gamma * -log p_i[t_i].

    gamma 0 is the cross entropy; the class weights stand for the paper's alpha.
    """
    log_p = _log_p(logits, target)
    miss = (-torch.expm1(log_p)).clamp_min(_SMALLEST_MISS)
    return mean_over_pixels(-(miss**gamma) * log_p, target, weights)


def mae(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Mean absolute error between probabilities and one-hot target (report D): sum_k |p_ik - y_ik| / K, 0 .. 2 / K.

    The probabilities sum to 1, so the sum over the classes is 2 * (1 - p_i[t_i]).
    """
    miss = -torch.expm1(_log_p(logits, target))
    return mean_over_pixels(miss * (2 / logits.shape[1]), target, weights)
