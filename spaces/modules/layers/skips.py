"""Skips: how an encoder's maps and those that come up from below meet.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from spaces.modules.layers.attention import AttentionGate
from spaces.modules.layers.concatenation import side_by_side


class Skip(nn.Module, ABC):
    """The meeting of two maps of the same shape; channels: how many come out."""

    channels: int

    @abstractmethod
    def forward(self, fine: Tensor, up: Tensor) -> Tensor:
        """Merge the encoder's fine and the decoder's up, both (B, C, H, W), to (B, channels, H, W)."""


class Concat(Skip):
    """Side by side (arXiv 1505.04597)."""

    def __init__(self, channels: int) -> None:
        """Merge two maps of that many channels to twice as many."""
        super().__init__()
        self.channels = 2 * channels

    def forward(self, fine: Tensor, up: Tensor) -> Tensor:
        """Merge two (B, C, H, W) to (B, 2C, H, W)."""
        return side_by_side(fine, up)


class WeightedSum(Skip):
    """Learnable weighted addition (report E): one scalar for each of the two, both 1 at first.

    No softmax and no division by their sum: the norm in the decoder's block, where there is one, undoes the scale.
    """

    def __init__(self, channels: int) -> None:
        """Merge two maps of that many channels to as many."""
        super().__init__()
        self.channels = channels
        self.weights = nn.Parameter(torch.ones(2))

    def forward(self, fine: Tensor, up: Tensor) -> Tensor:
        """Merge two (B, C, H, W) to (B, C, H, W)."""
        return self.weights[0] * fine + self.weights[1] * up


class GatedConcat(Skip):
    """The encoder's maps under an attention gate (arXiv 1804.03999), then side by side."""

    def __init__(self, channels: int) -> None:
        """Merge two maps of that many channels to twice as many."""
        super().__init__()
        self.channels = 2 * channels
        self.attention = AttentionGate(channels)

    def forward(self, fine: Tensor, up: Tensor) -> Tensor:
        """Merge two (B, C, H, W) to (B, 2C, H, W)."""
        return side_by_side(self.attention(fine, up), up)


_skips: dict[str, Callable[[int], Skip]] = {
    "concat": Concat,
    "weighted_sum": WeightedSum,
    "attention_gate": GatedConcat,
}


def build_skip(kind: str, channels: int) -> Skip:
    """The skip of that name between two maps of that many channels each."""
    return _skips[kind](channels)
