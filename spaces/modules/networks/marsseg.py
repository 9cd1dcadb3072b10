"""MarsSeg (arXiv 2404.04155) on an encoder of our blocks: little downsampling, connectors, a decoder.

From the paper: few halvings; shallow maps pass a small atrous pyramid (Mini-ASPP) and polarised self-attention
(arXiv 2107.00782), deep ones a strip pyramid pooling module; a decoder whose levels are supervised merges them.
Our reading: the blocks of the encoder, which levels count as shallow, the rates and the strips, how the decoder
merges. Its loss and its class weights 1 / (IoU + a) belong to other sections of the recipe.

Shapes: B images, C channels, K classes, H and W pixels; h and w pixels at the coarsest level.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import (
    Head,
    Style,
    build_activation,
    build_active,
    build_block,
    build_norm,
    build_squeeze,
)
from spaces.modules.layers.bottlenecks import pooling_matrix
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.recipe.architecture import MarsSeg

MINI_RATES = (1, 2, 3)
"""Dilations of Mini-ASPP's 3x3 convolutions: no pixel of a 7x7 patch is left out between them (our reading)."""

STRIPS = (1, 2, 4)
"""Into how many strips the strip pyramid cuts the image, in both directions (our reading)."""


class MiniAtrousPyramid(nn.Module):
    """1x1 and three 3x3 convolutions of small dilation, each a quarter of the channels, then 1x1 over all of them."""

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        super().__init__()
        width = max(1, outputs // (1 + len(MINI_RATES)))
        self.pointwise = build_active(inputs, width, style, kernel=1)
        self.atrous = nn.ModuleList(build_active(inputs, width, style, kernel=3, dilation=rate) for rate in MINI_RATES)
        self.merge = build_active((1 + len(MINI_RATES)) * width, outputs, style, kernel=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        out: Tensor = self.merge(side_by_side(self.pointwise(maps), *(path(maps) for path in self.atrous)))
        return out


class PolarizedAttention(nn.Module):
    """Polarised self-attention in its parallel form (arXiv 2107.00782, eq. 1, 2, 4): maps * (channel + spatial).

    channel (B, C, 1, 1) = sigmoid(norm(Z(V(maps) softmax_pixels(Q(maps))))), with one query and C / 2 values.
    spatial (B, 1, H, W) = sigmoid(softmax_channels(mean_pixels(Q'(maps))) V'(maps)), with C / 2 of each.
    """

    def __init__(self, channels: int) -> None:
        """Weigh maps of that many channels, 2 or more."""
        super().__init__()
        inner = channels // 2
        self.channel_query = nn.Conv2d(channels, 1, 1, bias=False)  # a softmax over pixels undoes a bias
        self.channel_value = nn.Conv2d(channels, inner, 1)
        self.channel_out = nn.Conv2d(inner, channels, 1)
        self.channel_norm = nn.GroupNorm(1, channels)  # over the channels of a 1x1 map: layer normalisation
        self.spatial_query = nn.Conv2d(channels, inner, 1)
        self.spatial_value = nn.Conv2d(channels, inner, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape, each number times its two weights' sum, in 0 .. 2."""
        return maps * (self._channel(maps) + self._spatial(maps))

    def _channel(self, maps: Tensor) -> Tensor:
        """One weight per channel (B, C, 1, 1)."""
        query = self.channel_query(maps).flatten(2).softmax(dim=2)
        context = (self.channel_value(maps).flatten(2) @ query.transpose(1, 2)).unsqueeze(3)
        weights: Tensor = self.channel_norm(self.channel_out(context)).sigmoid()
        return weights

    def _spatial(self, maps: Tensor) -> Tensor:
        """One weight per pixel (B, 1, H, W)."""
        query = self.spatial_query(maps).mean(dim=(2, 3)).softmax(dim=1).unsqueeze(1)
        weights: Tensor = (query @ self.spatial_value(maps).flatten(2)).sigmoid()
        return weights.view(-1, 1, int(maps.shape[2]), int(maps.shape[3]))


class Strips(nn.Module):
    """Strip pooling (arXiv 2003.13328, section 3.1) over n rows and n columns of strips.

    The image's mean over each strip, a convolution of 3 along the strips, bilinear back to H x W, both directions
    added, activation. The paper's n is 1.
    """

    def __init__(self, inputs: int, outputs: int, style: Style, *, count: int) -> None:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        super().__init__()
        self.count = count
        bias = style.norm == "none"
        lying = nn.Conv2d(inputs, outputs, (1, 3), padding=(0, 1), bias=bias)
        standing = nn.Conv2d(inputs, outputs, (3, 1), padding=(1, 0), bias=bias)
        self.lying = nn.Sequential(lying, build_norm(style.norm, outputs))
        self.standing = nn.Sequential(standing, build_norm(style.norm, outputs))
        self.activation = build_activation(style.activation)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W); a side of fewer than n pixels has a strip for each."""
        height, width = int(maps.shape[2]), int(maps.shape[3])
        rows = pooling_matrix(height, min(self.count, height), maps.device).to(maps.dtype)
        columns = pooling_matrix(width, min(self.count, width), maps.device).to(maps.dtype)
        lying, standing = self.lying(rows @ maps), self.standing(maps @ columns.T)

        def spread(strips: Tensor) -> Tensor:
            return functional.interpolate(strips, size=(height, width), mode="bilinear", align_corners=False)

        out: Tensor = self.activation(spread(lying) + spread(standing))
        return out


class StripPyramid(nn.Module):
    """Strip pyramid pooling: the maps and their strips of several widths side by side, then a convolution.

    Pyramid pooling (arXiv 1612.01105) with strips in place of its squares (our reading).
    """

    def __init__(self, inputs: int, outputs: int, style: Style) -> None:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        super().__init__()
        width = max(1, outputs // len(STRIPS))
        self.first = build_active(inputs, outputs, style, kernel=1)
        self.strips = nn.ModuleList(Strips(outputs, width, style, count=count) for count in STRIPS)
        self.merge = build_active(outputs + len(STRIPS) * width, outputs, style, kernel=style.kernel)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        maps = self.first(maps)
        out: Tensor = self.dropout(
            self.squeeze(self.merge(side_by_side(maps, *(strips(maps) for strips in self.strips))))
        )
        return out


class MarsSegModel(SegmentationModel):
    """The encoder, the connectors, the decoder, heads.

    The encoder has depth + 1 levels, of which the first ``halvings`` (at most depth) are followed by a halving: these
    are the shallow ones, each with a connector of Mini-ASPP and attention. The levels after the last halving are the
    deep ones; side by side they enter the strip pyramid. The decoder goes up from there, one block for each shallow
    level, over the level's connector and the bilinearly doubled maps from below. Its block is of the kind of its level.
    The pyramid has ``decoder_filters`` channels. So has the decoder, but no more than the encoder has at that level:
    at full size wider ones would cost ten times the rest of the network (measured at 8 filters).
    The style of the place "bottleneck" (dropout, squeeze-and-excitation) is the strip pyramid's.
    Heads: low on the encoder's deepest maps, inter on the strip pyramid's output and on the decoder's levels below the
    finest, high on the finest, each at its own size.
    """

    def __init__(self, model: MarsSeg, heads: Heads, *, channels: int, classes: int) -> None:
        """Map (B, channels, H, W) to logits (B, classes, H, W); H and W divide by 2 ** halvings."""
        super().__init__()
        widths = level_widths(model)
        self.halvings = min(model.halvings, model.depth)
        self.multiple = 2**self.halvings
        kinds = level_kinds(model.block, len(widths))
        encoder, decoder = style_at(model, "encoder"), style_at(model, "decoder")
        steps = zip(kinds, pairwise((channels, *widths)), strict=True)
        self.levels = nn.ModuleList(build_block(kind, a, b, encoder) for kind, (a, b) in steps)
        # Channels of the decoder from the finest level down, the pyramid last.
        filters = (*(min(model.decoder_filters, n) for n in widths[: self.halvings]), model.decoder_filters)
        self.connectors = nn.ModuleList(
            nn.Sequential(MiniAtrousPyramid(width, n, decoder), PolarizedAttention(n))
            for width, n in zip(widths, filters[:-1], strict=False)
        )
        self.pyramid = StripPyramid(sum(widths[self.halvings :]), filters[-1], style_at(model, "bottleneck"))
        self.decoder = nn.ModuleList(
            build_block(kind, fine + below, fine, decoder if level else decoder.undropped)
            for level, (kind, (fine, below)) in enumerate(zip(kinds, pairwise(filters), strict=False))
        )
        self.high = Head(filters[0], classes)
        decoded = filters[:0:-1] if heads.inter else ()
        self.inter = nn.ModuleList(Head(n, classes) for n in decoded)
        self.low = nn.ModuleList(Head(widths[-1], classes) for _ in range(heads.low))

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to logits: low (B, K, h, w), inter from coarse to fine."""
        levels: list[Tensor] = []
        for level, block in enumerate(self.levels):
            levels.append(block(functional.max_pool2d(maps, 2) if 0 < level <= self.halvings else maps))
            maps = levels[-1]
        decoded = [self.pyramid(side_by_side(*levels[self.halvings :]))]
        for level in reversed(range(self.halvings)):
            up = functional.interpolate(decoded[-1], scale_factor=2, mode="bilinear", align_corners=False)
            decoded.append(self.decoder[level](side_by_side(self.connectors[level](levels[level]), up)))
        inter = tuple(head(out) for head, out in zip(self.inter, decoded, strict=False))
        return Outputs(self.high(decoded[-1]), inter, tuple(head(maps) for head in self.low))


def build_marsseg(model: MarsSeg, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The MarsSeg that the model section describes, for the data's channels and classes."""
    return MarsSegModel(model, heads, channels=facts.channels, classes=facts.classes)
