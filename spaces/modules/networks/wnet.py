"""WNet (report A): two U-Nets in series; the second one sees the image and the first one's class probabilities.

Shapes: B images, C channels, K classes, H and W pixels, both divisible by 2 ** depth.
"""

from __future__ import annotations

from torch import Tensor

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import Head
from spaces.modules.layers.concatenation import side_by_side
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.modules.networks.unet import Features, Trunk, build_heads
from spaces.recipe.architecture import WNet


class WNetModel(SegmentationModel):
    """Two trunks, each with a head at its end; the first head's softmax feeds the second trunk.

    low: a head on the first bottleneck. inter: the logits of the first U-Net, whose head is there in any case.
    """

    def __init__(self, model: WNet, *, channels: int, classes: int, heads: Heads) -> None:
        """Map (B, channels, H, W) to logits of that many classes; H and W divide by 2 ** model.depth."""
        super().__init__()
        self.multiple = 2**model.depth
        self.first = Trunk(model, channels=channels)
        self.first_head = Head(self.first.finest, classes)
        decoder = model.decoder_block if model.second_decoder_block == "same" else model.second_decoder_block
        self.second = Trunk(
            model, channels=channels + classes, bottleneck=model.second_bottleneck, decoder_block=decoder
        )
        self.head = Head(self.second.finest, classes)
        self.low = build_heads(heads.low, classes, self.first.deepest)
        self._shows_inter = heads.inter

    def outputs(self, maps: Tensor) -> Outputs:
        """Map normalised images (B, C, H, W) to the logits of each level."""
        features: Features = self.first(maps)
        guess: Tensor = self.first_head(features.finest)
        second: Features = self.second(side_by_side(maps, guess.softmax(dim=1)))
        return Outputs(
            high=self.head(second.finest),
            inter=(guess,) if self._shows_inter else (),
            low=tuple(head(features.deepest) for head in self.low),
        )


def build_wnet(model: WNet, facts: DataFacts, heads: Heads) -> SegmentationModel:
    """The WNet that the model section describes, for the data's channels and classes."""
    return WNetModel(model, channels=facts.channels, classes=facts.classes, heads=heads)
