"""Dual-branch U-Net (report B): two U-Nets side by side, their outputs concatenated into one convolution.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth, or with branches
fine_coarse by 2 ** (depth + 1).
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head, build_active
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.layers.levels import style_at
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.modules.networks.unet import Features, Trunk, build_heads
from spaces.recipe.architecture import DualUNet


class DualUNetModel(SegmentationModel):
    """Two trunks on the same image, a convolution over both of their outputs, a head.

    With branches fine_coarse the second one sees the means of 2x2 pixels, and its output is brought back to the
    image's size bilinearly (our reading of "fine branch for detail, coarse branch for context").
    low: a head on each bottleneck. inter: a head on each branch's own output, of the coarse one at half the size.
    """

    def __init__(self, model: DualUNet, *, channels: int, classes: int, heads: Heads) -> None:
        """Map (B, channels, H, W) to logits of that many classes."""
        super().__init__()
        self._coarse = model.branches == "fine_coarse"
        self.multiple = 2 ** (model.depth + self._coarse)
        self.first = Trunk(model, channels=channels)
        self.second = Trunk(model, channels=channels, norm=None if model.second_norm == "same" else model.second_norm)
        width = self.first.finest
        self.merge = build_active(2 * width, width, style_at(model, "decoder"), kernel=model.kernel)
        self.head = Head(width, classes)
        self.inter = build_heads(heads.inter, classes, width, width)
        self.low = build_heads(heads.low, classes, self.first.deepest, self.second.deepest)

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to the logits of each level."""
        branches: tuple[Features, Features] = (self.first(maps), self.second(self._shrunk(maps)))
        fine, coarse = (branch.finest for branch in branches)
        merged = self.merge(side_by_side(fine, self._grown(coarse)))
        return Outputs(
            high=self.head(merged),
            inter=tuple(head(branch.finest) for head, branch in zip(self.inter, branches, strict=False)),
            low=tuple(head(branch.deepest) for head, branch in zip(self.low, branches, strict=False)),
        )

    def _shrunk(self, maps: Tensor) -> Tensor:
        return functional.avg_pool2d(maps, 2) if self._coarse else maps

    def _grown(self, maps: Tensor) -> Tensor:
        if not self._coarse:
            return maps
        return functional.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)


def build_dual_unet(model: DualUNet, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The dual-branch U-Net that the model section describes, for the data's channels and classes."""
    return DualUNetModel(model, channels=facts.channels, classes=facts.classes, heads=heads)
