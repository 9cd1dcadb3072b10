"""Bottlenecks: what the deepest level of a network does.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.modules.layers.blocks import Inception, Plain, Residual, Style, build_active, build_squeeze
from spaces.modules.layers.concatenation import side_by_side

RATES = (1, 2, 4, 8)
"""Dilations of the parallel convolutions: the deepest maps here are 4x8 to 16x32 pixels."""

BINS = (1, 2, 3, 6)
"""Rows and columns of the pooled maps (arXiv 1612.01105, section 3.2)."""


class Dilated(nn.Module):
    """Parallel convolutions of growing dilation (report A), then 1x1 over all of them, then dropout.

    Each has half of the outputs, so that all have about as many parameters as the plain bottleneck.
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        super().__init__()
        width = max(1, outputs // 2)
        self.paths = nn.ModuleList(
            build_active(inputs, width, style, kernel=style.kernel, dilation=rate) for rate in RATES
        )
        self.merge = build_active(width * len(RATES), outputs, style, kernel=1)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        branches = side_by_side(*(path(maps) for path in self.paths))
        out: Tensor = self.dropout(self.squeeze(self.merge(branches)))
        return out


def pooling_matrix(size: int, bins: int, device: torch.device) -> Tensor:
    """Means (bins, size) float32: row i averages the positions floor(i size/bins) to ceil((i+1) size/bins)."""
    row = torch.arange(bins, device=device)[:, None]
    position = torch.arange(size, device=device)
    inside = (position * bins >= row * size - bins + 1) & (position * bins < (row + 1) * size)
    return inside / inside.sum(dim=1, keepdim=True)


def pool_to(maps: Tensor, bins: int) -> Tensor:
    """Average maps (B, C, H, W) over min(bins, H) rows and min(bins, W) columns of about equal size.

    The same numbers as torch's adaptive_avg_pool2d, which ONNX has only where bins divide H and W.
    """
    height, width = int(maps.shape[2]), int(maps.shape[3])
    rows = pooling_matrix(height, min(bins, height), maps.device).to(maps.dtype)
    columns = pooling_matrix(width, min(bins, width), maps.device).to(maps.dtype)
    return rows @ maps @ columns.T


class Pyramid(nn.Module):
    """Pyramid pooling (arXiv 1612.01105): a convolution, its means at four scales beside it, a convolution.

    Each scale has a quarter of the channels and is brought back to H x W bilinearly; dropout comes last. The paper
    pools maps of a backbone, here the first convolution makes them. A map with fewer rows than bins keeps its rows.
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        super().__init__()
        width = max(1, outputs // len(BINS))
        self.first = build_active(inputs, outputs, style, kernel=style.kernel)
        self.scales = nn.ModuleList(build_active(outputs, width, style, kernel=1) for _ in BINS)
        self.merge = build_active(outputs + width * len(BINS), outputs, style, kernel=style.kernel)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        maps = self.first(maps)
        size = (int(maps.shape[2]), int(maps.shape[3]))
        means = (scale(pool_to(maps, bins)) for scale, bins in zip(self.scales, BINS, strict=True))
        spread = [functional.interpolate(m, size=size, mode="bilinear", align_corners=False) for m in means]
        out: Tensor = self.dropout(self.squeeze(self.merge(side_by_side(maps, *spread))))
        return out


class Dual(nn.Module):
    """Report A's dual bottleneck (our reading): half of the channels from a plain path, half from a dilated one."""

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W), outputs at least 2."""
        super().__init__()
        bare = replace(style, dropout=0.0, squeeze=False)
        self.near = Plain(inputs, outputs // 2, bare)
        self.far = Dilated(inputs, outputs - outputs // 2, bare)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        out: Tensor = self.dropout(self.squeeze(side_by_side(self.near(maps), self.far(maps))))
        return out


def expanded(inputs: int, outputs: int, style: Style) -> nn.Module:
    """Report B's expanded bottleneck (our reading): the plain one with twice the outputs in between."""
    return Plain(inputs, outputs, style, inner=2 * outputs)


def pointwise(inputs: int, outputs: int, style: Style) -> nn.Module:
    """A 1x1 convolution with norm and activation (report A, table 2), then dropout."""
    return nn.Sequential(
        build_active(inputs, outputs, style, kernel=1), build_squeeze(outputs, style), nn.Dropout2d(style.dropout)
    )


_bottlenecks: dict[str, Callable[[int, int, Style], nn.Module]] = {
    "plain": Plain,
    "expanded": expanded,
    "residual": Residual,
    "inception": Inception,
    "dilated": Dilated,
    "pyramid": Pyramid,
    "dual": Dual,
    "pointwise": pointwise,
}


def build_bottleneck(kind: str, inputs: int, outputs: int, style: Style) -> nn.Module:
    """The bottleneck of that name, from (B, inputs, H, W) to (B, outputs, H, W)."""
    return _bottlenecks[kind](inputs, outputs, style)
