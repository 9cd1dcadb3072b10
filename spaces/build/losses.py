"""Losses over logits: pure functions first, then the weighted sum that a recipe asks for.

Shapes: B images, K classes, H and W pixels. logits (B, K, H, W) float, target (B, H, W) int64 with
labels 0 .. K-1, or IGNORED where a pixel does not count; weights (K,) at or above zero. Every
function returns a scalar, pooled over the whole batch, and 0 with zero gradients when nothing counts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.recipe import Loss

IGNORED = -100
"""Target of a pixel that does not count; torch's own default for ignore_index."""

_SMALLEST_MISS = 1e-8
"""Floor of 1 - p in the focal loss: at 0 the slope of (1 - p) ** gamma is infinite for gamma < 1."""


def _pixel_weights(target: Tensor, weights: Tensor) -> Tensor:
    """The weight of each pixel's class (B, H, W), 0 where it does not count."""
    return torch.where(target == IGNORED, 0.0, weights[target.clamp_min(0)])


def _over_mass(total: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Divide a weighted sum over pixels by the sum of their weights; 0 stays 0 when there are none."""
    mass = _pixel_weights(target, weights).sum()
    return total / torch.where(mass > 0, mass, 1.0)


def cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross entropy: sum_i w[t_i] * -log p_i[t_i] / sum_i w[t_i] over the pixels i that count.

    The value of torch's weighted mean (report E, table 2, divides by the number of pixels instead).
    """
    total = functional.cross_entropy(logits, target, weight=weights, ignore_index=IGNORED, reduction="sum")
    return _over_mass(total, target, weights)


def focal(logits: Tensor, target: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Focal loss (arXiv 1708.02002): sum_i w[t_i] * (1 - p_i[t_i]) ** gamma * -log p_i[t_i] / sum_i w[t_i].

    gamma 0 is the cross entropy; the class weights stand for the paper's alpha.
    """
    log_p = functional.log_softmax(logits, dim=1).gather(1, target.clamp_min(0)[:, None])[:, 0]
    miss = (-torch.expm1(log_p)).clamp_min(_SMALLEST_MISS)
    total = -(_pixel_weights(target, weights) * miss**gamma * log_p).sum()
    return _over_mass(total, target, weights)


def dice(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Soft Dice loss: sum_k w_k * (1 - 2 * sum_i p_ik * y_ik / (sum_i p_ik + sum_i y_ik)) / sum_k w_k.

    p is the softmax, y the one-hot truth, i runs over the pixels of the batch that count and k over
    the classes that occur among them, so that an absent class neither helps nor costs and nothing
    needs smoothing. The denominator is the plain sum (report E, table 2), not V-Net's sum of squares.
    """
    counted = (target != IGNORED)[:, None]
    truth = torch.zeros_like(logits).scatter(1, target.clamp_min(0)[:, None], 1.0) * counted
    p = functional.softmax(logits, dim=1) * counted
    pixels = (0, 2, 3)
    hits, size = (p * truth).sum(pixels), truth.sum(pixels)
    present = size > 0
    similarity = 2 * hits / torch.where(present, p.sum(pixels) + size, 1.0)
    share = weights * present
    mass = share.sum()
    return (share * (1 - similarity)).sum() / torch.where(mass > 0, mass, 1.0)


class WeightedSum(nn.Module):
    """The sum of loss terms over the same logits, each times its share."""

    weights: Tensor

    def __init__(
        self,
        terms: tuple[tuple[float, Callable[[Tensor, Tensor, Tensor], Tensor]], ...],
        *,
        weights: Tensor,
        uncounted: tuple[int, ...],
    ) -> None:
        """Sum share * term(logits, target, weights) over terms; labels in uncounted are left out."""
        super().__init__()
        self.terms = terms
        self.uncounted = uncounted
        self.register_buffer("weights", weights.to(torch.float32))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar, of logits (B, K, H, W) against labels target (B, H, W) int64."""
        for label in self.uncounted:
            target = torch.where(target == label, IGNORED, target)
        weights = self.weights.to(logits.dtype)
        return torch.stack([share * term(logits, target, weights) for share, term in self.terms]).sum()


def build_loss(loss: Loss, weights: Tensor, facts: DataFacts, ignore_label: int | None) -> WeightedSum:
    """The recipe's loss, from logits (B, K, H, W) and labels (B, H, W) int64 to a scalar.

    weights: per class (K,), see class_weights. The terms' shares are divided by their sum. Pixels with
    ignore_label never count, and with loss.ignore_excluded neither do those of the excluded classes.
    Raises ValueError when weights are not one per class.
    """
    if weights.shape != (facts.classes,):
        raise ValueError(f"weights have shape {tuple(weights.shape)}, expected one for each of {facts.classes} classes")
    terms: list[tuple[float, Callable[[Tensor, Tensor, Tensor], Tensor]]] = []
    if loss.cross_entropy is not None:
        terms.append((loss.cross_entropy.weight, cross_entropy))
    if loss.dice is not None:
        terms.append((loss.dice.weight, dice))
    if loss.focal is not None:
        gamma = loss.focal.gamma
        terms.append((loss.focal.weight, lambda logits, target, w: focal(logits, target, w, gamma)))
    total = sum(weight for weight, _ in terms)
    ignored = () if ignore_label is None else (ignore_label,)
    uncounted = ignored + (facts.excluded_labels if loss.ignore_excluded else ())
    return WeightedSum(tuple((w / total, term) for w, term in terms), weights=weights, uncounted=uncounted)
