"""Attention: weights between 0 and 1 that the network gives to its own channels or pixels.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REDUCTION = 16
"""Channels over those between squeeze and excitation (arXiv 1709.01507, section 3.3)."""

LEAST_SQUEEZED = 8
"""Fewest channels between squeeze and excitation: the paper's networks start at 64 channels, ours at 4."""


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation (arXiv 1709.01507): each channel times sigmoid(W2 relu(W1 mean over pixels))."""

    def __init__(self, channels: int) -> None:
        """Weigh maps of that many channels."""
        super().__init__()
        squeezed = max(LEAST_SQUEEZED, channels // REDUCTION)
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        means = maps.mean(dim=(2, 3), keepdim=True)
        weights: Tensor = self.excite(torch.relu(self.squeeze(means))).sigmoid()
        return maps * weights


class AttentionGate(nn.Module):
    """The additive gate (arXiv 1804.03999, eq. 1-2): fine maps times one weight per pixel.

    The weight is sigmoid(psi(relu(W_fine fine + W_gate gate))), with half the channels inside as in the authors'
    code. There the gate comes from the level below; here it has been upsampled already (our reading), so that
    nothing is interpolated inside.
    """

    def __init__(self, channels: int) -> None:
        """Gate maps of that many channels."""
        super().__init__()
        inner = max(1, channels // 2)
        self.fine = nn.Conv2d(channels, inner, 1, bias=False)  # one bias is enough for the sum
        self.gate = nn.Conv2d(channels, inner, 1)
        self.psi = nn.Conv2d(inner, 1, 1)

    def forward(self, fine: Tensor, gate: Tensor) -> Tensor:
        """Map fine (B, C, H, W), under the gate (B, C, H, W), to the same shape."""
        weights: Tensor = self.psi(torch.relu(self.fine(fine) + self.gate(gate))).sigmoid()
        return fine * weights
