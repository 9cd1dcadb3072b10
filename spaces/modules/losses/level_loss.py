"""The loss of one level of a network: its terms by name, and their weighted sum.

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from spaces.modules.losses.boundary import boundary, signed_distances
from spaces.modules.losses.lovasz import lovasz
from spaces.modules.losses.overlap import dice, tversky
from spaces.modules.losses.terms import bce, cross_entropy, focal, mae
from spaces.recipe.loss import Dice, Focal, Level, Tversky


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What the logits of one batch are compared with.

    labels: (B, H, W) int64, IGNORED where a pixel does not count.
    weights: (K,), of each class's pixels. region_weights: (K,), of each class in the terms that compare regions.
    """

    labels: Tensor
    weights: Tensor
    region_weights: Tensor
    foreground: Tensor

    @cached_property
    def distances(self) -> Tensor:
        """The boundary term's distance maps (B, K, H, W), made on the first use and kept for all levels."""
        return signed_distances(self.labels, len(self.weights)).to(self.weights.dtype)


LossTerm = Callable[[Tensor, Targets], Tensor]
"""A term, ready: logits (B, K, H, W) and the targets in, a scalar out."""


@dataclass(frozen=True, kw_only=True)
class LevelLoss:
    """The loss of one level: the sum of terms over the same logits, each times its share.

    terms: (share, term) pairs; a term maps logits (B, K, H, W) and the targets to a scalar. The shares sum to 1.
    level_weight: the level's share in the whole loss, before division by the sum over the levels.
    """

    terms: tuple[tuple[float, LossTerm], ...]
    level_weight: float

    def __call__(self, logits: Tensor, targets: Targets) -> Tensor:
        """The level's loss, a scalar. Raises ValueError for logits that are not (B, K, H, W) of the targets."""
        images, *size = targets.labels.shape
        if logits.shape != (images, len(targets.weights), *size):
            raise ValueError(
                f"logits have shape {tuple(logits.shape)}, expected {(images, len(targets.weights), *size)}:"
                " upsample every level's logits to the size of the masks"
            )
        return torch.stack([share * term(logits, targets) for share, term in self.terms]).sum()


def _of_pixels(term: Callable[[Tensor, Tensor, Tensor], Tensor]) -> LossTerm:
    """A term that is a mean over pixels, each of which weighs as much as its class."""
    return lambda logits, targets: term(logits, targets.labels, targets.weights)


def _of_regions(term: Callable[[Tensor, Tensor, Tensor], Tensor]) -> LossTerm:
    """A term that is a mean over classes, however many pixels each has."""
    return lambda logits, targets: term(logits, targets.labels, targets.region_weights)


def _build_dice(section: Dice) -> LossTerm:
    def term(logits: Tensor, targets: Targets) -> Tensor:
        weights = targets.region_weights if section.excluded else targets.region_weights * targets.foreground
        return dice(logits, targets.labels, weights, average=section.average)

    return term


def _build_focal(section: Focal) -> LossTerm:
    return _of_pixels(partial(focal, gamma=section.gamma))


def _build_tversky(section: Tversky) -> LossTerm:
    return _of_regions(
        partial(tversky, false_positives=section.false_positives, false_negatives=section.false_negatives)
    )


def _boundary_term(logits: Tensor, targets: Targets) -> Tensor:
    return boundary(logits, targets.labels, targets.region_weights, targets.distances)


_BUILDERS: dict[str, Callable[[Any], LossTerm]] = {
    "cross_entropy": lambda _: _of_pixels(cross_entropy),
    "bce": lambda _: _of_pixels(bce),
    "dice": _build_dice,
    "focal": _build_focal,
    "boundary": lambda _: _boundary_term,
    "lovasz": lambda _: _of_regions(lovasz),
    "tversky": _build_tversky,
    "mae": lambda _: _of_pixels(mae),
}
"""How each term is built from its section of the recipe, by the name of its field there."""


def build_level_loss(level: Level) -> LevelLoss:
    """The level's terms that are on; their weights divided by the sum."""
    sections = [(name, getattr(level, name)) for name in level.needs_one]
    terms = [(section.weight, _BUILDERS[name](section)) for name, section in sections if section is not None]
    total = sum(weight for weight, _ in terms)
    return LevelLoss(terms=tuple((weight / total, term) for weight, term in terms), level_weight=level.level_weight)
