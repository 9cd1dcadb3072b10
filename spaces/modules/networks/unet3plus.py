"""UNet 3+ (arXiv 2004.08790): each decoder level sees every scale, brought to one width and to its own size.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head, Style, build_active, build_block, build_squeeze
from spaces.modules.layers.bottlenecks import build_bottleneck
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.layers.upsampling import Squares
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.recipe.architecture import UNet3Plus


def build_scale(inputs: int, outputs: int, style: Style, *, rise: int, upsampling: str) -> nn.Module:
    """From a source that lies rise levels deeper (finer if below 0) to (B, outputs, H, W) of the level.

    Finer ones are max-pooled, deeper ones interpolated, then a convolution follows (figure 2 of the paper). With
    upsampling "transposed" (report E) the convolution comes first and a transposed one, whose kernel and stride are
    2 ** rise, then brings its few channels up (our reading: no norm and no activation after it).
    """
    convolution = build_active(inputs, outputs, style, kernel=style.kernel)
    if rise == 0:
        return convolution
    if rise < 0:
        return nn.Sequential(nn.MaxPool2d(2**-rise), convolution)
    factor = 2**rise
    if upsampling == "transposed":
        return nn.Sequential(convolution, Squares(outputs, outputs, factor))
    align = False if upsampling == "bilinear" else None
    return nn.Sequential(nn.Upsample(scale_factor=factor, mode=upsampling, align_corners=align), convolution)


def build_fusion(kind: str, channels: int, style: Style) -> nn.Module:
    """What turns the scales side by side, (B, channels, H, W), into a decoder level of the same shape.

    Plain is the paper's eq. 1: one convolution with norm and activation. The other kinds are the recipe's blocks
    (report E: residual).
    """
    if kind != "plain":
        return build_block(kind, channels, channels, style)
    convolution = build_active(channels, channels, style, kernel=style.kernel)
    return convolution.extend((build_squeeze(channels, style), nn.Dropout2d(style.dropout)))


class Node(nn.Module):
    """A decoder level: all scales at this level's size, side by side, then the fusion."""

    def __init__(self, scales: list[nn.Module], fusion: nn.Module) -> None:
        """One scale per source, the finest first."""
        super().__init__()
        self.scales = nn.ModuleList(scales)
        self.fusion = fusion

    def forward(self, sources: list[Tensor]) -> Tensor:
        """Map one map per scale to (B, C, H, W) of this level."""
        fitted = [scale(source) for scale, source in zip(self.scales, sources, strict=True)]
        out: Tensor = self.fusion(side_by_side(*fitted))
        return out


class UNet3PlusModel(SegmentationModel):
    """The encoder, the bottleneck, a decoder of full-scale nodes, heads.

    Each scale is brought to the width of the finest level, so that a decoder level has depth + 1 times as many
    channels (the paper: 5 * 64 = 320). The level l sees the encoder's levels 0 .. l, the decoder's l+1 .. depth-1 and
    the bottleneck. Its fusion is of the kind of the encoder's level l.
    Heads: low on the bottleneck, inter on the decoder's levels from depth-1 up to 1, high on level 0, each at its own
    size. They are 1x1 convolutions here and 3x3 in the paper. The paper's classification branch (does the organ occur
    in this image?) has no counterpart where every image holds several classes.
    """

    def __init__(self, model: UNet3Plus, heads: Heads, *, channels: int, classes: int) -> None:
        """Map (B, channels, H, W) to logits (B, classes, H, W); H and W divide by 2 ** model.depth."""
        super().__init__()
        self.multiple = 2**model.depth
        widths = level_widths(model)
        kinds = level_kinds(model.block, model.depth)
        encoder, decoder = style_at(model, "encoder"), style_at(model, "decoder")
        steps = zip(kinds, pairwise((channels, *widths[:-1])), strict=True)
        self.encoder = nn.ModuleList(build_block(kind, a, b, encoder) for kind, (a, b) in steps)
        self.bottleneck = build_bottleneck(model.bottleneck, widths[-2], widths[-1], style_at(model, "bottleneck"))
        fused = (model.depth + 1) * widths[0]

        def node(level: int) -> Node:
            inputs = (*widths[: level + 1], *(fused,) * (model.depth - 1 - level), widths[-1])
            scales = [
                build_scale(n, widths[0], decoder, rise=source - level, upsampling=model.full_scale_upsampling)
                for source, n in enumerate(inputs)
            ]
            return Node(scales, build_fusion(kinds[level], fused, decoder if level else decoder.undropped))

        self.decoder = nn.ModuleList(node(level) for level in range(model.depth))
        self.high = Head(fused, classes)
        self.inter = nn.ModuleList(Head(fused, classes) for _ in range(heads.inter * (model.depth - 1)))
        self.low = nn.ModuleList(Head(widths[-1], classes) for _ in range(heads.low))

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to logits: low at the bottleneck's size, inter from deep to fine."""
        sources: list[Tensor] = []
        for block in self.encoder:
            sources.append(block(maps))
            maps = functional.max_pool2d(sources[-1], 2)
        sources.append(self.bottleneck(maps))
        for level in reversed(range(len(self.decoder))):  # a decoder's level takes the place of the encoder's
            sources[level] = self.decoder[level](sources)
        inter = tuple(head(maps) for head, maps in zip(self.inter, sources[-2:0:-1], strict=False))
        return Outputs(self.high(sources[0]), inter, tuple(head(sources[-1]) for head in self.low))


def build_unet3plus(model: UNet3Plus, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The UNet 3+ that the model section describes, for the data's channels and classes."""
    return UNet3PlusModel(model, heads, channels=facts.channels, classes=facts.classes)
