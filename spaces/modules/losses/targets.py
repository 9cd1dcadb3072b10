"""What a loss is judged against: labels, the pixels that count, and how much each class weighs.

Shapes: B images, K classes, H and W pixels. target (B, H, W) int64 with labels 0 .. K-1, or IGNORED
where a pixel does not count; weights (K,) at or above zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = -100
"""Target of a pixel that does not count; torch's own default for ignore_index."""


def one_hot(target: Tensor, classes: int) -> Tensor:
    """Whether a pixel counts and has label k: (B, K, H, W) bool, False everywhere at pixels that do not count."""
    return target[:, None] == torch.arange(classes, device=target.device)[:, None, None]


def pixel_weights(target: Tensor, weights: Tensor) -> Tensor:
    """The weight of each pixel's class (B, H, W), 0 where it does not count."""
    return torch.where(target == IGNORED, 0.0, weights[target.clamp_min(0)])


def mean_over_pixels(values: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """sum_i w[t_i] * values_i / sum_i w[t_i] over the pixels i that count, values (B, H, W) finite; 0 without any."""
    shares = pixel_weights(target, weights)
    mass = shares.sum()
    return (shares * values).sum() / torch.where(mass > 0, mass, 1.0)


def class_shares(counts: Tensor, weights: Tensor) -> Tensor:
    """Weights (K,) divided by their sum over the classes that occur; 0 for the others, and for all when none weighs.

    counts (K,): pixels of each class that count. An absent class thus neither helps nor costs.
    """
    present = torch.where(counts > 0, weights, 0.0)
    mass = present.sum()
    return present / torch.where(mass > 0, mass, 1.0)
