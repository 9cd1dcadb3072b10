"""Upsampling: how a decoder doubles the image.

Shapes: B images of a batch, C channels, H and W pixels of the lower feature map.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Upsampling(nn.Module, ABC):
    """From (B, inputs, H, W) to (B, outputs, 2H, 2W)."""

    @abstractmethod
    def forward(self, maps: Tensor, fine: Tensor) -> Tensor:
        """Double maps (B, inputs, H, W); fine (B, outputs, 2H, 2W) is the encoder's map that was max-pooled."""


class Interpolated(Upsampling):
    """A 1x1 convolution, then interpolation: the two commute, and this order costs a quarter of the other one."""

    def __init__(self, inputs: int, outputs: int, mode: str) -> None:
        """Interpolate by that mode of torch: nearest or bilinear."""
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 1)
        self.interpolate = nn.Upsample(scale_factor=2, mode=mode, align_corners=False if mode == "bilinear" else None)

    def forward(self, maps: Tensor, fine: Tensor) -> Tensor:
        """Double maps (B, inputs, H, W); fine is not read."""
        out: Tensor = self.interpolate(self.convolution(maps))
        return out


class Squares(nn.ConvTranspose2d):
    """A transposed convolution whose kernel is its stride, so that each pixel becomes a square of its own.

    That is a 1x1 convolution to all pixels of the square, which are laid out then. While it learns on a CPU it is
    computed so: the same but for rounding, and the way back takes a third of the time (measured, bfloat16 with AMX).
    """

    def __init__(self, inputs: int, outputs: int, factor: int) -> None:
        """Map (B, inputs, H, W) to (B, outputs, factor * H, factor * W)."""
        super().__init__(inputs, outputs, kernel_size=factor, stride=factor)
        self._factor = factor

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Spread maps (B, inputs, H, W); output_size is not read, it has only one."""
        if not self.training or maps.device.type != "cpu" or self.bias is None:
            return super().forward(maps)
        side, (batch, channels, height, width) = self._factor, maps.shape
        outputs = self.weight.shape[1]
        weight = self.weight.permute(2, 3, 1, 0).reshape(side * side * outputs, channels, 1, 1)
        squares = functional.conv2d(maps, weight, self.bias.repeat(side * side)).permute(0, 2, 3, 1)
        squares = squares.reshape(batch, height, width, side, side, outputs).permute(0, 1, 3, 2, 4, 5)
        return squares.reshape(batch, side * height, side * width, outputs).permute(0, 3, 1, 2)


class Transposed(Upsampling):
    """A transposed convolution whose kernel and stride are 2 (arXiv 1505.04597)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Map (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        super().__init__()
        self.convolution = Squares(inputs, outputs, 2)

    def forward(self, maps: Tensor, fine: Tensor) -> Tensor:
        """Double maps (B, inputs, H, W); fine is not read."""
        out: Tensor = self.convolution(maps)
        return out


def max_unpool(maps: Tensor, fine: Tensor) -> Tensor:
    """Put each pixel of maps (B, C, H, W) where fine (B, C, 2H, 2W) has the maximum of its 2x2 window, 0 elsewhere.

    The first maximum in reading order counts, as in torch's max_pool2d. The same numbers as torch's max_unpool2d with
    the indices of that pooling, but made of operations that ONNX has.
    """
    windows = torch.unflatten(functional.pixel_unshuffle(fine, 2), 1, (maps.shape[1], 4))
    corner = torch.arange(4, device=maps.device)[:, None, None]
    chosen = windows.argmax(dim=2, keepdim=True) == corner
    return functional.pixel_shuffle((maps.unsqueeze(2) * chosen).flatten(1, 2), 2)


class MaxUnpool(Upsampling):
    """A 1x1 convolution, then unpooling to where the encoder's maxima were (report E; SegNet, arXiv 1511.00561)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Map (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 1)

    def forward(self, maps: Tensor, fine: Tensor) -> Tensor:
        """Double maps (B, inputs, H, W); fine (B, outputs, 2H, 2W) says where they go."""
        return max_unpool(self.convolution(maps), fine)


_upsamplings: dict[str, Callable[[int, int], Upsampling]] = {
    "nearest": lambda inputs, outputs: Interpolated(inputs, outputs, "nearest"),
    "bilinear": lambda inputs, outputs: Interpolated(inputs, outputs, "bilinear"),
    "transposed": Transposed,
    "max_unpool": MaxUnpool,
}


def build_upsampling(kind: str, inputs: int, outputs: int) -> Upsampling:
    """The upsampling of that name, from (B, inputs, H, W) to (B, outputs, 2H, 2W)."""
    return _upsamplings[kind](inputs, outputs)
