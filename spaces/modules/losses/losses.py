"""The recipe's loss over every level of a network that has outputs (deep supervision, reports A and C).

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spaces.facts import DataFacts
from spaces.modules.losses.level_loss import LevelLoss, Targets, build_level_loss
from spaces.modules.losses.targets import IGNORED
from spaces.modules.networks.model import Outputs
from spaces.recipe.loss import Loss


class SupervisedLoss(nn.Module):
    """The sum of the levels' losses, each times its share.

    high: the loss at the network's output; inter, low: at the heads below it, None where there are none.
    weights: (K,), of each class; a buffer, so that reweight survives a checkpoint.
    excluded: labels of the classes excluded from the mean.
    regions: whether the weights also weigh the terms that compare regions; else all classes of a weight count alike.
    uncounted: labels of pixels that do not count.
    """

    weights: Tensor
    foreground: Tensor

    def __init__(
        self,
        *,
        high: LevelLoss,
        inter: LevelLoss | None,
        low: LevelLoss | None,
        weights: Tensor,
        regions: bool,
        excluded: tuple[int, ...],
        uncounted: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.regions = regions
        self.high, self.inter, self.low = high, inter, low
        self.uncounted = uncounted
        self.register_buffer("weights", weights.to(torch.float32))
        foreground = torch.tensor([label not in excluded for label in range(len(weights))], dtype=torch.float32)
        self.register_buffer("foreground", foreground, persistent=False)

    def forward(self, outputs: Outputs | Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar, of a network's outputs against labels target (B, H, W) int64.

        outputs: logits (B, K, H, W) of the network's end, weighed by the terms of high alone; or those of every level,
        each at full size. Then several logits at one level count as their mean, and a level's share is its
        level_weight over the sum over the levels that are on and have outputs. Half precision is raised to float32.
        """
        if isinstance(outputs, Tensor):
            outputs = Outputs(high=outputs)
        dtype = torch.promote_types(outputs.high.dtype, torch.float32)
        weights = self.weights.to(dtype)
        regions = weights if self.regions else (weights > 0).to(dtype)
        foreground = self.foreground.to(dtype)
        labels = self._labels(target)
        targets = Targets(labels=labels, weights=weights, region_weights=regions, foreground=foreground)
        levels = ((self.high, (outputs.high,)), (self.inter, outputs.inter), (self.low, outputs.low))
        active = [(level, logits) for level, logits in levels if level is not None and logits]
        total = sum(level.level_weight for level, _ in active)
        values = [
            level.level_weight / total * torch.stack([level(each.to(dtype), targets) for each in logits]).mean()
            for level, logits in active
        ]
        return torch.stack(values).sum()

    def reweight(self, weights: Tensor) -> None:
        """Replace the class weights (K,) in place. Raises ValueError when they are not one per class."""
        if weights.shape != self.weights.shape:
            raise ValueError(
                f"weights have shape {tuple(weights.shape)}, expected one for each of {len(self.weights)} classes"
            )
        self.weights.copy_(weights)

    def _labels(self, target: Tensor) -> Tensor:
        """Target with every label that does not count replaced by IGNORED."""
        for label in self.uncounted:
            target = torch.where(target == label, IGNORED, target)
        return target


def build_loss(
    loss: Loss, weights: Tensor, facts: DataFacts, ignore_label: int | None, *, regions: bool = False
) -> SupervisedLoss:
    """The recipe's loss, from the logits of every level and labels (B, H, W) int64 to a scalar.

    weights: per class (K,), see class_weights. regions: see `SupervisedLoss`. Pixels with ignore_label never count,
    and with loss.ignore_excluded neither do those of the excluded classes.
    Raises ValueError when weights are not one per class.
    """
    if weights.shape != (facts.classes,):
        raise ValueError(f"weights have shape {tuple(weights.shape)}, expected one for each of {facts.classes} classes")
    ignored = () if ignore_label is None else (ignore_label,)
    return SupervisedLoss(
        high=build_level_loss(loss),
        inter=None if loss.inter is None else build_level_loss(loss.inter),
        low=None if loss.low is None else build_level_loss(loss.low),
        weights=weights,
        regions=regions,
        excluded=facts.excluded_labels,
        uncounted=ignored + (facts.excluded_labels if loss.ignore_excluded else ()),
    )
