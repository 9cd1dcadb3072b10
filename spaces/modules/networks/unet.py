"""U-Net (arXiv 1505.04597): an encoder that halves, a bottleneck, a decoder that doubles, skips between.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head, build_block
from spaces.modules.layers.bottlenecks import build_bottleneck
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.layers.skips import build_skip
from spaces.modules.layers.upsampling import build_upsampling
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.recipe.architecture import UNet, UShape


class Features(NamedTuple):
    """What a U-Net computes at the levels that heads may stand on.

    deepest: the bottleneck's maps, at 1 / 2**depth of the image. halfway: the decoder's maps at its level
    (depth - 1) // 2, counted from the deepest one, 0; at depth 2 at half the image. finest: at the image's size.
    """

    deepest: Tensor
    halfway: Tensor
    finest: Tensor


class Trunk(nn.Module):
    """The encoder, bottleneck and decoder of a U-Net, without heads.

    deepest, halfway, finest: channels of the features of that name.
    """

    def __init__(
        self,
        model: UShape,
        *,
        channels: int,
        norm: str | None = None,
        bottleneck: str | None = None,
        decoder_block: str | None = None,
    ) -> None:
        """Take maps (B, channels, H, W); norm, bottleneck and decoder_block instead of the model's own."""
        super().__init__()
        widths = level_widths(model)
        self._build_downwards(model, (channels, *widths), norm, bottleneck or model.bottleneck)
        decoder = decoder_block or model.decoder_block
        self._build_upwards(model, widths[::-1], norm, model.block if decoder == "same" else decoder)
        self._halfway = (model.depth - 1) // 2
        self.deepest, self.halfway, self.finest = widths[-1], widths[::-1][self._halfway + 1], widths[0]

    def _build_downwards(self, model: UShape, widths: tuple[int, ...], norm: str | None, bottleneck: str) -> None:
        steps = zip(level_kinds(model.block, model.depth), widths[:-2], widths[1:-1], strict=True)
        style = style_at(model, "encoder", norm=norm)
        self.encoder = nn.ModuleList(build_block(kind, a, b, style) for kind, a, b in steps)
        style = style_at(model, "bottleneck", norm=norm)
        self.bottleneck = build_bottleneck(bottleneck, widths[-2], widths[-1], style)

    def _build_upwards(self, model: UShape, widths: tuple[int, ...], norm: str | None, block: str) -> None:
        style = style_at(model, "decoder", norm=norm)
        kinds = level_kinds(model.upsampling, model.depth)
        steps = zip(kinds, widths[:-1], widths[1:], strict=True)
        self.upsampling = nn.ModuleList(build_upsampling(kind, low, high) for kind, low, high in steps)
        skips = [build_skip(model.skip, high) for high in widths[1:]]
        self.skips = nn.ModuleList(skips)
        styles = (*[style] * (model.depth - 1), style.undropped)
        merged = zip(level_kinds(block, model.depth), skips, widths[1:], styles, strict=True)
        self.decoder = nn.ModuleList(build_block(kind, skip.channels, high, own) for kind, skip, high, own in merged)

    def forward(self, maps: Tensor) -> Features:
        """Map (B, channels, H, W) to features; H and W divide by 2 ** depth."""
        fine = []
        for block in self.encoder:
            maps = block(maps)
            fine.append(maps)
            maps = functional.max_pool2d(maps, 2)
        maps = self.bottleneck(maps)
        path = [maps]
        for upsample, skip, block in zip(self.upsampling, self.skips, self.decoder, strict=True):
            above = fine.pop()
            maps = block(skip(above, upsample(maps, above)))
            path.append(maps)
        return Features(deepest=path[0], halfway=path[self._halfway + 1], finest=path[-1])


def build_heads(wanted: bool, classes: int, *channels: int) -> nn.ModuleList:
    """A head for each number of channels, or none."""
    return nn.ModuleList(Head(inputs, classes) for inputs in channels if wanted)


class UNetModel(SegmentationModel):
    """A trunk and its head; low: a head on the bottleneck, inter: one halfway up the decoder."""

    def __init__(self, model: UNet, *, channels: int, classes: int, heads: Heads) -> None:
        """Map (B, channels, H, W) to logits of that many classes; H and W divide by 2 ** model.depth."""
        super().__init__()
        self.multiple = 2**model.depth
        self.trunk = Trunk(model, channels=channels)
        self.head = Head(self.trunk.finest, classes)
        self.inter = build_heads(heads.inter, classes, self.trunk.halfway)
        self.low = build_heads(heads.low, classes, self.trunk.deepest)

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to the logits of each level."""
        features: Features = self.trunk(maps)
        return Outputs(
            high=self.head(features.finest),
            inter=tuple(head(features.halfway) for head in self.inter),
            low=tuple(head(features.deepest) for head in self.low),
        )


def build_unet(model: UNet, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The U-Net that the model section describes, for the data's channels and classes."""
    return UNetModel(model, channels=facts.channels, classes=facts.classes, heads=heads)
