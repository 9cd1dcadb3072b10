"""U-Net (arXiv 1505.04597): an encoder that halves, a bottleneck, a decoder that doubles, skips between.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.build.blocks import Head, build_block, build_upsampling
from spaces.facts import DataFacts
from spaces.recipe import UNet


def level_widths(model: UNet) -> tuple[int, ...]:
    """Channels of each level from the finest down to the bottleneck: depth + 1 numbers, none above model.widest."""
    grown = (round(model.filters * model.growth**level) for level in range(model.depth + 1))
    return tuple(min(model.widest, max(1, channels)) for channels in grown)


class UNetBody(nn.Module):
    """The encoder, bottleneck, decoder and the 1x1 head that turns features into logits."""

    def __init__(self, model: UNet, *, channels: int, classes: int) -> None:
        """Map (B, channels, H, W) to logits (B, classes, H, W); H and W divide by 2 ** model.depth."""
        super().__init__()
        widths = level_widths(model)
        block = partial(
            build_block,
            model.block,
            kernel=model.kernel,
            norm=model.norm,
            activation=model.activation,
            dropout=model.dropout,
        )
        inputs = (channels, *widths[:-2])
        self.encoder = nn.ModuleList(block(a, b) for a, b in zip(inputs, widths[:-1], strict=True))
        self.bottleneck = block(widths[-2], widths[-1])
        upwards = tuple(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.upsampling = nn.ModuleList(build_upsampling(model.upsampling, low, high) for low, high in upwards)
        self.decoder = nn.ModuleList(block(2 * high, high) for _, high in upwards)
        self.head = Head(widths[0], classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) to logits (B, K, H, W)."""
        skips = []
        for block in self.encoder:
            maps = block(maps)
            skips.append(maps)
            maps = functional.max_pool2d(maps, 2)
        maps = self.bottleneck(maps)
        for upsample, block in zip(self.upsampling, self.decoder, strict=True):
            maps = block(torch.cat((skips.pop(), upsample(maps)), dim=1))
        logits: Tensor = self.head(maps)
        return logits


def build_unet(model: UNet, facts: DataFacts) -> nn.Module:
    """The U-Net that the model section describes, for the data's channels and classes."""
    return UNetBody(model, channels=facts.channels, classes=facts.classes)
