"""The blocks that networks are made of, from a convolution to a head, and their initial weights.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.modules.layers.attention import SqueezeExcitation
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.norms import BatchNorm, GroupNorm, InstanceNorm, group_count

LEAK = 0.01
"""Slope of leaky ReLU below zero, torch's default."""

HEAD_SCALE = 0.1
"""First weights of the logits over He's: a lower loss after three epochs, for two seeds of two (measured)."""

DENSE_LAYERS = 3
"""Layers of a dense block; with half the outputs as growth it has about as many parameters as the plain block."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How every block at one place of a network looks.

    kernel: pixels, odd. dropout: share of channels dropped, in [0, 1). squeeze: whether blocks weigh their channels.
    """

    kernel: int
    norm: str
    activation: str
    dropout: float
    squeeze: bool

    @property
    def undropped(self) -> Style:
        """The same without dropout, for the block whose maps the head at the network's end reads.

        A channel that is missing there is missing in the logits, and nothing after it makes up for its variance.
        """
        return replace(self, dropout=0.0)


_norms: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: nn.Identity(),
    "batch": BatchNorm,
    "instance": lambda channels: InstanceNorm(channels, affine=True),
    "layer": lambda channels: GroupNorm(1, channels),
    "group": lambda channels: GroupNorm(group_count(channels), channels),
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


def build_convolution(
    inputs: int, outputs: int, *, kernel: int, norm: str, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution that keeps H and W, then a normalisation; a bias only where no shift follows."""
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(
        inputs, outputs, kernel, padding=padding, dilation=dilation, groups=groups, bias=norm == "none"
    )
    return nn.Sequential(convolution, build_norm(norm, outputs))


def build_active(inputs: int, outputs: int, style: Style, *, kernel: int, dilation: int = 1) -> nn.Sequential:
    """A convolution of that kernel that keeps H and W, then the style's norm and activation."""
    convolution = build_convolution(inputs, outputs, kernel=kernel, norm=style.norm, dilation=dilation)
    return convolution.append(build_activation(style.activation))


def build_squeeze(channels: int, style: Style) -> nn.Module:
    """Squeeze-and-excitation where the style has it, else nothing."""
    return SqueezeExcitation(channels) if style.squeeze else nn.Identity()


class Plain(nn.Module):
    """Two convolutions, each followed by norm and activation (arXiv 1505.04597), then dropout."""

    def __init__(self, inputs: int, outputs: int, style: Style, *, inner: int | None = None) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W), with inner channels in between (None: outputs)."""
        super().__init__()
        inner = outputs if inner is None else inner
        self.first = build_convolution(inputs, inner, kernel=style.kernel, norm=style.norm)
        self.second = build_convolution(inner, outputs, kernel=style.kernel, norm=style.norm)
        self.activation = build_activation(style.activation)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        maps = self.activation(self.first(maps))
        out: Tensor = self.dropout(self.squeeze(self.activation(self.second(maps))))
        return out


class Residual(Plain):
    """The plain block with a shortcut added before its last activation (arXiv 1512.03385).

    The shortcut is a normalised 1x1 convolution where the number of channels changes. Squeeze-and-excitation
    weighs what is added to it (arXiv 1709.01507, figure 3).
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        super().__init__(inputs, outputs, style)
        same = inputs == outputs
        self.shortcut = nn.Identity() if same else build_convolution(inputs, outputs, kernel=1, norm=style.norm)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        inner = self.squeeze(self.second(self.activation(self.first(maps))))
        out: Tensor = self.dropout(self.activation(inner + self.shortcut(maps)))
        return out


def branch_widths(outputs: int) -> tuple[int, int, int, int]:
    """Channels of an inception block's branches 1x1, kernel, twice the kernel, pool: they add up to outputs.

    About 1/4, 1/2, 1/8, 1/8, as in GoogLeNet's first inception module (arXiv 1409.4842, table 1, row 3a).
    Raises ValueError below 4 outputs, one for each branch.
    """
    if outputs < 4:
        raise ValueError(f"an inception block has four branches: it needs 4 outputs or more, got {outputs}")
    pointwise, twice, pool = outputs // 4, max(1, outputs // 8), max(1, outputs // 8)
    return pointwise, outputs - pointwise - twice - pool, twice, pool


class Inception(nn.Module):
    """Four branches side by side (arXiv 1409.4842), then dropout.

    1x1; 1x1 and the kernel; 1x1 and twice the kernel, which stands for one of 5x5 (arXiv 1512.00567, figure 5);
    a 3x3 max pooling and 1x1. A branch is reduced to its own width first; all convolutions have norm and activation.
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W), outputs at least 4."""
        super().__init__()
        pointwise, single, twice, pool = branch_widths(outputs)

        def chain(width: int, *kernels: int) -> nn.Sequential:
            sources = (inputs, *(width for _ in kernels[1:]))
            return nn.Sequential(
                *(build_active(a, width, style, kernel=k) for a, k in zip(sources, kernels, strict=True))
            )

        self.pointwise = chain(pointwise, 1)
        self.single = chain(single, 1, style.kernel)
        self.twice = chain(twice, 1, style.kernel, style.kernel)
        self.pool = chain(pool, 1)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        pooled = self.pool(functional.max_pool2d(maps, 3, stride=1, padding=1))
        branches = side_by_side(self.pointwise(maps), self.single(maps), self.twice(maps), pooled)
        out: Tensor = self.dropout(self.squeeze(branches))
        return out


class Dense(nn.Module):
    """DENSE_LAYERS convolutions, each of which sees all maps before it (arXiv 1608.06993), 1x1, then dropout.

    Norm and activation follow a convolution here as in all blocks; the paper has them before it (our reading).
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W); each layer adds outputs / 2 channels."""
        super().__init__()
        growth = max(1, outputs // 2)
        seen = [inputs + layer * growth for layer in range(DENSE_LAYERS + 1)]
        self.layers = nn.ModuleList(build_active(n, growth, style, kernel=style.kernel) for n in seen[:-1])
        self.transition = build_active(seen[-1], outputs, style, kernel=1)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        for layer in self.layers:
            maps = side_by_side(maps, layer(maps))
        out: Tensor = self.dropout(self.squeeze(self.transition(maps)))
        return out


_blocks: dict[str, Callable[[int, int, Style], nn.Module]] = {
    "plain": Plain,
    "residual": Residual,
    "inception": Inception,
    "dense": Dense,
}


def build_block(kind: str, inputs: int, outputs: int, style: Style) -> nn.Module:
    """The block of that name, from (B, inputs, H, W) to (B, outputs, H, W)."""
    return _blocks[kind](inputs, outputs, style)


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
    Norms and the scalars of weighted skips keep the constants they were made with.
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
