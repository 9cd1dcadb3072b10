"""How much each class counts in the loss, from a recipe's scheme and the data's class shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe.loss import ClassWeights


def _check_names(section: ClassWeights, facts: DataFacts) -> None:
    unknown = [name for name in section.factors if name not in facts.class_names]
    if unknown:
        raise SpaceError(f"class_weights.factors names {unknown}, but the classes are {list(facts.class_names)}")
    missing = [name for name in facts.class_names if name not in section.factors]
    if section.scheme == "explicit" and missing:
        raise SpaceError(f"class_weights.scheme explicit needs a factor for every class: add {missing} to factors")


def _base(section: ClassWeights, shares: Sequence[float]) -> list[float]:
    """The weights before any factor: (1 / share) ** smoothing, or ones (adaptive: no epoch has been scored yet)."""
    if section.scheme != "inverse_frequency":
        return [1.0] * len(shares)
    # A class that does not occur has no frequency: it weighs as much as the rarest one that does.
    rarest = min((share for share in shares if share > 0), default=1.0)
    return [(1.0 / max(share, rarest)) ** section.smoothing for share in shares]


def _scaled(section: ClassWeights, facts: DataFacts, base: Sequence[float]) -> Tensor:
    """Base weights times the factors, scaled to mean 1 over the classes that count, the excluded ones last."""
    factors = [section.factors.get(name, 1.0) for name in facts.class_names]
    weights = torch.tensor(base, dtype=torch.float64) * torch.tensor(factors, dtype=torch.float64)
    excluded = torch.tensor([name in facts.excluded for name in facts.class_names])
    mean = weights[~excluded].mean()
    if mean == 0:
        raise SpaceError("class_weights gives every class of the mean the weight 0: leave one factor above 0")
    weights = weights / mean
    return torch.where(excluded, weights * section.background, weights).float()


def class_weights(section: ClassWeights, facts: DataFacts, shares: Sequence[float]) -> Tensor:
    """Weights (K,) float32, in label order, with mean 1 over the classes that are not excluded.

    shares: share of each class among the labelled pixels, 0 .. 1, in label order. The scheme's weight
    is multiplied by the class's factor (1 unless named), all are scaled together to that mean, and the
    excluded classes are then multiplied by section.background (reports B and E). With scheme adaptive
    these are the weights of the first epoch, the same as with none.
    Raises SpaceError for factors of unknown classes, for scheme explicit without a factor for every class,
    and when every class that counts has weight zero.
    """
    _check_names(section, facts)
    if len(shares) != facts.classes:
        raise ValueError(f"got {len(shares)} class shares for {facts.classes} classes: give one per class")
    return _scaled(section, facts, _base(section, shares))


def adaptive_weights(section: ClassWeights, facts: DataFacts, iou: Tensor) -> Tensor:
    """Weights (K,) float32 of scheme adaptive: 1 / (IoU_k + iou_offset), after MarsSeg (arXiv 2404.04155).

    iou: (K,) 0 .. 1, of each class on the training part in the epoch before, in label order; NaN for a class without
    a score, which counts as the mean of the others (without any score, all weigh alike). Factors, mean and
    the excluded classes as in class_weights, on the CPU. Raises as class_weights does.
    """
    _check_names(section, facts)
    if iou.shape != (facts.classes,):
        raise ValueError(f"got IoU of shape {tuple(iou.shape)}, expected one for each of {facts.classes} classes")
    reached = iou.detach().cpu().double()
    reached = torch.where(reached.isnan(), reached.nanmean().nan_to_num(), reached)
    return _scaled(section, facts, (1 / (reached + section.iou_offset)).tolist())
