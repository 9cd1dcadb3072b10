"""The parts that networks are made of: normalisation, activation, blocks, upsampling, initial weights.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.01
"""Slope of leaky ReLU below zero, torch's default."""

HEAD_SCALE = 0.1
"""First weights of the logits over He's: a lower loss after three epochs, for two seeds of two (measured)."""

MOST_GROUPS = 8
"""Most groups of a group normalisation: the narrow levels here have 8 to 64 channels, and 32 groups
(arXiv 1803.08494) would leave one or two channels in each."""


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation (arXiv 1502.03167) that also trains on a single value per channel.

    One image at 1x1 has no variance, and torch refuses it: the running statistics serve instead.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W) per channel."""
        if self.training and maps.shape[0] * maps.shape[2] * maps.shape[3] == 1:
            return functional.batch_norm(
                maps, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=self.eps
            )
        return super().forward(maps)


class InstanceNorm(nn.InstanceNorm2d):
    """Instance normalisation (arXiv 1607.08022) with scale and shift, and without them only at 1x1.

    A 1x1 map minus its own mean is zero whatever it held: such maps are scaled and shifted only.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Normalise maps (B, C, H, W) per image and channel."""
        if maps.shape[2] * maps.shape[3] == 1:
            return maps * self.weight[:, None, None] + self.bias[:, None, None]
        return super().forward(maps)


def group_count(channels: int) -> int:
    """The largest divisor of channels up to MOST_GROUPS that leaves two channels or more in a group.

    A group of one channel would have no variance at 1x1. A prime number of channels makes one group.
    """
    fitting = [n for n in range(1, MOST_GROUPS + 1) if channels % n == 0 and channels // n >= 2]
    return max(fitting, default=1)


_norms: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": BatchNorm,
    "instance": lambda channels: InstanceNorm(channels, affine=True),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(group_count(channels), channels),
}

_activations: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(LEAK, inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": nn.GELU,
    "silu": lambda: nn.SiLU(inplace=True),
}


def build_norm(kind: str, channels: int) -> nn.Module:
    """A normalisation over maps (B, channels, H, W); "layer" is over channels and pixels together."""
    return _norms[kind](channels)


def build_activation(kind: str) -> nn.Module:
    """The non-linearity of that name, in place where torch allows it."""
    return _activations[kind]()


def build_convolution(inputs: int, outputs: int, *, kernel: int, norm: str) -> nn.Sequential:
    """A convolution that keeps H and W, then a normalisation; a bias only where no shift follows."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=norm == "none")
    return nn.Sequential(convolution, build_norm(norm, outputs))


class Plain(nn.Module):
    """Two convolutions, each followed by norm and activation (arXiv 1505.04597), then dropout."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, norm: str, activation: str, dropout: float) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W); dropout is the share of channels dropped."""
        super().__init__()
        self.first = build_convolution(inputs, outputs, kernel=kernel, norm=norm)
        self.second = build_convolution(outputs, outputs, kernel=kernel, norm=norm)
        self.activation = build_activation(activation)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        maps = self.activation(self.first(maps))
        out: Tensor = self.dropout(self.activation(self.second(maps)))
        return out


class Residual(Plain):
    """The plain block with a shortcut added before its last activation (arXiv 1512.03385).

    The shortcut is a normalised 1x1 convolution where the number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, *, kernel: int, norm: str, activation: str, dropout: float) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W); dropout is the share of channels dropped."""
        super().__init__(inputs, outputs, kernel=kernel, norm=norm, activation=activation, dropout=dropout)
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else build_convolution(inputs, outputs, kernel=1, norm=norm)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        inner = self.second(self.activation(self.first(maps)))
        out: Tensor = self.dropout(self.activation(inner + self.shortcut(maps)))
        return out


_blocks: dict[str, type[Plain]] = {"plain": Plain, "residual": Residual}


def build_block(
    kind: str, inputs: int, outputs: int, *, kernel: int, norm: str, activation: str, dropout: float
) -> nn.Module:
    """The block of that name, from (B, inputs, H, W) to (B, outputs, H, W)."""
    return _blocks[kind](inputs, outputs, kernel=kernel, norm=norm, activation=activation, dropout=dropout)


def build_upsampling(kind: str, inputs: int, outputs: int) -> nn.Module:
    """From (B, inputs, H, W) to (B, outputs, 2H, 2W).

    For nearest and bilinear the 1x1 convolution comes first: it commutes with the interpolation
    and costs a quarter at the lower resolution.
    """
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, kernel_size=2, stride=2)
    align = False if kind == "bilinear" else None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2, mode=kind, align_corners=align))


class Head(nn.Conv2d):
    """The 1x1 convolution from features to logits; a type of its own because its weights start small."""

    def __init__(self, inputs: int, classes: int) -> None:
        """Map (B, inputs, H, W) to (B, classes, H, W)."""
        super().__init__(inputs, classes, 1)


def initialise(network: nn.Module, activation: str, generator: torch.Generator) -> None:
    """Draw every convolution's weights from the generator (He, arXiv 1502.01852) and zero its bias.

    The gain is that of leaky ReLU for leaky_relu and sqrt(2) for the others: elu, gelu and silu pass
    about half of a centred input, like ReLU. A transposed convolution with kernel = stride sees each
    input once per output and no activation follows, so its variance is 1 / inputs. A head starts with
    HEAD_SCALE of that, so that every class is about as likely as any other at the first step.
    """
    slope = LEAK if activation == "leaky_relu" else 0.0
    for module in network.modules():
        if isinstance(module, nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=1.0 / math.sqrt(module.in_channels), generator=generator)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=slope, generator=generator)
            if isinstance(module, Head):
                module.weight.data.mul_(HEAD_SCALE)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
