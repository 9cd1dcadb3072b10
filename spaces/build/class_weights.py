"""How much each class counts in the loss, from a recipe's scheme and the data's class shares."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.recipe import ClassWeights


def _check_names(section: ClassWeights, facts: DataFacts) -> None:
    unknown = [name for name in section.factors if name not in facts.class_names]
    if unknown:
        raise SpaceError(f"class_weights.factors names {unknown}, but the classes are {list(facts.class_names)}")
    missing = [name for name in facts.class_names if name not in section.factors]
    if section.scheme == "explicit" and missing:
        raise SpaceError(f"class_weights.scheme explicit needs a factor for every class: add {missing} to factors")


def _base(section: ClassWeights, shares: Sequence[float]) -> list[float]:
    """The weights before any factor: (1 / share) ** smoothing, or ones."""
    if section.scheme != "inverse_frequency":
        return [1.0] * len(shares)
    # A class that does not occur has no frequency: it weighs as much as the rarest one that does.
    rarest = min((share for share in shares if share > 0), default=1.0)
    return [(1.0 / max(share, rarest)) ** section.smoothing for share in shares]


def class_weights(section: ClassWeights, facts: DataFacts, shares: Sequence[float]) -> Tensor:
    """Weights (K,) float32, in label order, with mean 1 over the classes that are not excluded.

    shares: share of each class among the labelled pixels, 0 .. 1, in label order. The scheme's weight
    is multiplied by the class's factor (1 unless named), all are scaled together to that mean, and the
    excluded classes are then multiplied by section.background (reports B and E).
    Raises SpaceError for factors of unknown classes, for scheme explicit without a factor for every class,
    and when every class that counts has weight zero.
    """
    _check_names(section, facts)
    if len(shares) != facts.classes:
        raise ValueError(f"got {len(shares)} class shares for {facts.classes} classes: give one per class")
    factors = [section.factors.get(name, 1.0) for name in facts.class_names]
    weights = torch.tensor(_base(section, shares), dtype=torch.float64) * torch.tensor(factors, dtype=torch.float64)
    excluded = torch.tensor([name in facts.excluded for name in facts.class_names])
    mean = weights[~excluded].mean()
    if mean == 0:
        raise SpaceError("class_weights gives every class of the mean the weight 0: leave one factor above 0")
    weights = weights / mean
    return torch.where(excluded, weights * section.background, weights).float()
