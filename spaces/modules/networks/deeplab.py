"""DeepLabV3+ (arXiv 1802.02611) on an encoder of our blocks: an atrous pyramid, one skip, a short decoder.

Shapes: B images, C channels, K classes, H and W pixels; h and w pixels at the stride of the deepest maps.
"""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head, Style, build_active, build_block, build_squeeze
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.recipe.architecture import DeepLab

_rates: dict[str, tuple[int, int, int]] = {"small": (1, 2, 4), "paper": (6, 12, 18)}
"""Dilation of the three atrous convolutions at stride 16: the paper's, and those that fit maps of 4x8, of images of
64x128 pixels; of wider ones all but the middle tap would see nothing but the border's zeros."""

RATES_STRIDE = 16
"""The stride that the rates are meant for; at half of it they are doubled (arXiv 1706.05587, section 3.3)."""

LOW_CHANNELS = 48
"""Most channels that the low-level maps are reduced to (section 4.1), so that they do not outweigh the pyramid's."""

LOW_LEVEL = 2
"""The level at stride 4, whose maps the decoder sees again."""


def dilate(block: nn.Module, rate: int) -> nn.Module:
    """Spread every kernel in the block over rate times its side, H and W kept (arXiv 1706.05587, section 3.1).

    Changes the block in place. 1x1 convolutions and the pooling of an inception block stay as they are.
    """
    for module in block.modules():
        if isinstance(module, nn.Conv2d) and max(module.kernel_size) > 1:
            module.dilation = (rate, rate)
            module.padding = (rate * (module.kernel_size[0] // 2), rate * (module.kernel_size[1] // 2))
    return block


class AtrousPyramid(nn.Module):
    """1x1, three 3x3 convolutions of growing dilation and the image's mean side by side, then 1x1 over all of them."""

    def __init__(self, inputs: int, outputs: int, style: Style, *, rates: tuple[int, ...]) -> None:
        """Map (B, inputs, h, w) to (B, outputs, h, w); rates in pixels of these maps."""
        super().__init__()
        self.pointwise = build_active(inputs, outputs, style, kernel=1)
        self.atrous = nn.ModuleList(build_active(inputs, outputs, style, kernel=3, dilation=rate) for rate in rates)
        self.image = build_active(inputs, outputs, style, kernel=1)
        self.merge = build_active((2 + len(rates)) * outputs, outputs, style, kernel=1)
        self.squeeze = build_squeeze(outputs, style)
        self.dropout = nn.Dropout2d(style.dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w)."""
        near = self.pointwise(maps)
        image = self.image(maps.mean(dim=(2, 3), keepdim=True)).expand_as(near)
        paths = side_by_side(near, *(path(maps) for path in self.atrous), image)
        out: Tensor = self.dropout(self.squeeze(self.merge(paths)))
        return out


def _enlarge(maps: Tensor, factor: int) -> Tensor:
    """Bilinear, by a whole factor."""
    return functional.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)


class DeepLabModel(SegmentationModel):
    """The encoder, the atrous pyramid, the decoder, heads.

    The encoder has depth + 1 levels. Each halves the image until the output stride is reached; each later one is
    dilated twice as much as the one before instead. A pyramid of fewer levels has stride 2 ** depth.
    The decoder sees the level at stride 4 again, or at stride 2 where the pyramid itself has stride 4. Its two
    convolutions have the recipe's kernel; those of the pyramid are 1x1 and 3x3 as in the paper.
    The style of the place "bottleneck" (dropout, squeeze-and-excitation) is the pyramid's. Of the paper's encoder
    (Xception) and of its separable convolutions nothing is left: the blocks are the recipe's.
    Heads: low on the encoder's deepest maps, inter on the pyramid's output, both at the output stride.
    """

    def __init__(self, model: DeepLab, heads: Heads, *, channels: int, classes: int) -> None:
        """Map (B, channels, H, W) to logits (B, classes, H, W); H and W divide by the stride."""
        super().__init__()
        widths, filters = level_widths(model), model.decoder_filters
        self.halvings = min(model.depth, int(math.log2(model.output_stride)))
        self.low_level = LOW_LEVEL if self.halvings > LOW_LEVEL else self.halvings - 1
        self.multiple = stride = 2**self.halvings
        encoder, decoder = style_at(model, "encoder"), style_at(model, "decoder")
        steps = zip(level_kinds(model.block, len(widths)), pairwise((channels, *widths)), strict=True)
        self.levels = nn.ModuleList(
            dilate(build_block(kind, a, b, encoder), 2 ** max(0, level - self.halvings))
            for level, (kind, (a, b)) in enumerate(steps)
        )
        rates = tuple(rate * RATES_STRIDE // stride for rate in _rates[model.rates])
        self.pyramid = AtrousPyramid(widths[-1], filters, style_at(model, "bottleneck"), rates=rates)
        reduced = min(LOW_CHANNELS, filters, widths[self.low_level])
        self.reduce = build_active(widths[self.low_level], reduced, decoder, kernel=1)
        self.dropout = nn.Dropout2d(decoder.dropout)
        self.decoder = build_block("plain", reduced + filters, filters, decoder.undropped)
        self.high = Head(filters, classes)
        self.inter = nn.ModuleList(Head(filters, classes) for _ in range(heads.inter))
        self.low = nn.ModuleList(Head(widths[-1], classes) for _ in range(heads.low))

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to logits: high (B, K, H, W), inter and low (B, K, h, w)."""
        levels: list[Tensor] = []
        for level, block in enumerate(self.levels):
            levels.append(block(functional.max_pool2d(maps, 2) if 0 < level <= self.halvings else maps))
            maps = levels[-1]
        context = self.pyramid(maps)
        fine = self.reduce(levels[self.low_level])
        both = side_by_side(fine, _enlarge(context, 2 ** (self.halvings - self.low_level)))
        high = _enlarge(self.high(self.decoder(self.dropout(both))), 2**self.low_level)
        return Outputs(high, tuple(head(context) for head in self.inter), tuple(head(maps) for head in self.low))


def build_deeplab(model: DeepLab, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The DeepLabV3+ that the model section describes, for the data's channels and classes."""
    return DeepLabModel(model, heads, channels=facts.channels, classes=facts.classes)
