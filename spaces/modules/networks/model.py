"""The model: what every family of networks is, from normalised images to logits at one or more levels.

Shapes: B images, C channels, K classes, H and W pixels of the image, h and w pixels of a level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Heads:
    """Which levels have heads of their own for deep supervision; the end always has one.

    low: the deepest level ("first bottleneck"). inter: the levels in between. Each family says which they are.
    """

    low: bool = False
    inter: bool = False


class Outputs(NamedTuple):
    """Logits (B, K, h, w), each at the resolution of its level: the end, those in between, the deepest.

    Levels without heads are empty.
    """

    high: Tensor
    inter: tuple[Tensor, ...] = ()
    low: tuple[Tensor, ...] = ()


class SegmentationModel(nn.Module, ABC):
    """The base class of every family.

    multiple: H and W of the maps that come in are divisible by it.
    Each parameter has a gradient when the loss is a sum over all outputs that have heads.
    """

    multiple: int

    @abstractmethod
    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to the logits of each level; that of the end is (B, K, H, W)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to logits (B, K, H, W)."""
        return self.outputs(maps).high
