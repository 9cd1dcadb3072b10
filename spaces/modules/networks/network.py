"""From a recipe to a network that takes images as they are: any scale, any size from 8x8 up.

Shapes: B images, C channels, K classes, H and W pixels; H' and W' pixels after padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.blocks import initialise
from spaces.modules.networks.background import background_label, background_model, build_background, merge_background
from spaces.modules.networks.deeplab import build_deeplab
from spaces.modules.networks.dual_unet import build_dual_unet
from spaces.modules.networks.marsseg import build_marsseg
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.modules.networks.unet import build_unet
from spaces.modules.networks.unet3plus import build_unet3plus
from spaces.modules.networks.unetpp import build_unetpp
from spaces.modules.networks.wnet import build_wnet
from spaces.recipe import Recipe
from spaces.recipe.architecture import Architecture, DeepLab, DualUNet, MarsSeg, UNet, UNet3Plus, UNetPlusPlus, WNet

families: dict[type[Architecture], Callable[[Any, DataFacts, Heads], SegmentationModel]] = {
    UNet: build_unet,
    WNet: build_wnet,
    DualUNet: build_dual_unet,
    UNetPlusPlus: build_unetpp,
    UNet3Plus: build_unet3plus,
    DeepLab: build_deeplab,
    MarsSeg: build_marsseg,
}
"""The builder of each family's part of the recipe; an adversarial family is built as its generator."""


UNBOUNDED = (-math.inf, math.inf)


class Padding(NamedTuple):
    """How many rows and columns were added on each side of an image of height x width pixels."""

    top: int
    bottom: int
    left: int
    right: int
    height: int
    width: int


class Network(nn.Module):
    """A segmentation network with the normalisation and the padding inside.

    model: from normalised maps (B, C, H', W') to logits (B, K, H', W').
    background: from the same maps to one logit (B, 1, H', W'), or None.
    shrink: model and background work on maps that many times smaller, means of the pixels; logits are brought back.
    multiple: H and W are padded to the next multiple by repeating the border, and cropped afterwards.
    mean, std: buffers (1, C, 1, 1) float32 in the data's own scale; they travel with the weights.
    bounds: buffer (2,) float32, the least and largest value that new images keep; training images are within.
    threshold: buffer, a float32 scalar on the scale of the background's logit; only where background is set.
    offsets: buffer (1, K, 1, 1) float32, added to the logits of `forward`; only where classes are given.
    """

    mean: Tensor
    std: Tensor
    bounds: Tensor
    threshold: Tensor
    offsets: Tensor

    def __init__(
        self,
        model: SegmentationModel,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        bounds: tuple[float, float] = UNBOUNDED,
        background: SegmentationModel | None = None,
        background_label: int | None = None,
        shrink: int = 1,
        offset_classes: int = 0,
    ) -> None:
        """Wrap the model; mean and std have one number per channel, std above zero; a background has a label.

        offset_classes: K where the logits have offsets, otherwise 0.
        """
        super().__init__()
        if len(mean) != len(std) or min(std) <= 0:
            raise ValueError(f"mean and std need one number per channel and std > 0, got {list(mean)} and {list(std)}")
        if (background is None) != (background_label is None):
            raise ValueError("a background network and the label of the background come together")
        self.model = model
        self.background = background
        self.background_label = background_label
        self.shrink = shrink
        multiple = model.multiple if background is None else math.lcm(model.multiple, background.multiple)
        self.multiple = multiple * shrink
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("bounds", torch.tensor(bounds, dtype=torch.float32))
        if background is not None:
            self.register_buffer("threshold", torch.tensor(0.0))
        self.has_offsets = offset_classes > 0
        if self.has_offsets:
            self.register_buffer("offsets", torch.zeros(1, offset_classes, 1, 1))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Weights from before there were bounds have none."""
        state_dict.setdefault(f"{prefix}bounds", torch.tensor(UNBOUNDED))
        super()._load_from_state_dict(state_dict, prefix, *others)

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), float or uint8 in the data's own scale, to logits (B, K, H, W) float32.

        Offsets are added. Where there is a background network, its logit is merged into them, see merge_background.
        """
        maps, padding = self._prepare(images)
        logits = _full_size(self.model(maps), padding)
        background = None if self.background is None else _full_size(self.background(maps), padding)[:, 0]
        return self.decided(logits, background)

    def decided(self, logits: Tensor, background: Tensor | None) -> Tensor:
        """What `forward` makes of logits (B, K, H, W) and of the background network's (B, H, W), where there is one."""
        if self.has_offsets:
            logits = logits + self.offsets
        if background is None or self.background_label is None:
            return logits
        return merge_background(logits, background[:, None], self.threshold, self.background_label)

    def outputs(self, images: Tensor) -> Outputs:
        """Map images (B, C, H, W) to the multi-class logits of each level, all (B, K, H, W) float32.

        Those of coarser levels are interpolated bilinearly. Neither offsets nor the background network play a part.
        """
        maps, padding = self._prepare(images)
        high, inter, low = self.model.outputs(maps)
        return Outputs(
            high=_full_size(high, padding),
            inter=tuple(_full_size(logits, padding) for logits in inter),
            low=tuple(_full_size(logits, padding) for logits in low),
        )

    def background_logit(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W) to the background network's logit (B, H, W) float32, before the threshold.

        Raises ValueError when there is none.
        """
        if self.background is None:
            raise ValueError("the network has no background network: switch the recipe's section `background` on")
        maps, padding = self._prepare(images)
        return _full_size(self.background(maps), padding)[:, 0]

    def demand(self, label: int, threshold: float) -> None:
        """Set what a pixel of a class must have, in `forward`, on the scale of logits.

        threshold: of the background its network's logit, of any other class its lead over the highest other logit.
        """
        if label == self.background_label:
            self.threshold.fill_(threshold)
        else:
            self.offsets[0, label] = -threshold

    def _prepare(self, images: Tensor) -> tuple[Tensor, Padding]:
        if images.shape[1] != self.mean.shape[1]:
            raise ValueError(f"images have {images.shape[1]} channels, the network takes {self.mean.shape[1]}")
        height, width = images.shape[-2:]
        rows, columns = -height % self.multiple, -width % self.multiple
        top, left = rows // 2, columns // 2
        padding = Padding(top, rows - top, left, columns - left, height, width)
        values = images.float()
        if not self.training:
            values = values.clamp(self.bounds[0], self.bounds[1])
        maps = (values - self.mean) / self.std
        # Repeating the border works at every size; reflection needs more pixels than it adds.
        maps = functional.pad(maps, (left, columns - left, top, rows - top), mode="replicate")
        return maps if self.shrink == 1 else functional.avg_pool2d(maps, self.shrink), padding


def _cropped(logits: Tensor, padding: Padding) -> Tensor:
    top, _, left, _, height, width = padding
    return logits[..., top : top + height, left : left + width]


def _full_size(logits: Tensor, padding: Padding) -> Tensor:
    """Interpolate logits of any level to the padded size, in float32, and crop them to the image."""
    top, bottom, left, right, height, width = padding
    size = (top + height + bottom, left + width + right)
    logits = logits.float()
    if logits.shape[-2:] != size:
        logits = functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    return _cropped(logits, padding)


def build_network(
    recipe: Recipe,
    facts: DataFacts,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    bounds: tuple[float, float] = UNBOUNDED,
) -> Network:
    """The recipe's network on the CPU, its weights drawn from the recipe's seed.

    Of an adversarial family this is the generator. Levels that the loss names have heads.
    mean, std: per channel, in the data's own scale, std above zero; facts.channels numbers each.
    bounds: the least and largest value that new images keep, in that scale.
    The global random state is left as it was. Raises ValueError when mean or std do not fit the channels,
    SpaceError when a background network is asked for and no class is left out of the mean.
    """
    if len(mean) != facts.channels:
        raise ValueError(f"mean has {len(mean)} numbers for images of {facts.channels} channels: give one per channel")
    architecture, section = recipe.model.network, recipe.background
    shifted = recipe.optimisation.fit_offset and section is None
    heads = Heads(low=recipe.loss.low is not None, inter=recipe.loss.inter is not None)
    label = None if section is None else background_label(facts)
    with torch.random.fork_rng(devices=[]):  # torch's constructors draw weights that are replaced below
        model = families[type(architecture)](architecture, facts, heads)
        background = None if section is None else build_background(section, facts)
    generator = torch.Generator().manual_seed(recipe.seed)
    initialise(model, architecture.activation, generator)
    if section is not None and background is not None:
        initialise(background, background_model(section).activation, generator)
    return Network(
        model,
        mean=mean,
        std=std,
        bounds=bounds,
        background=background,
        background_label=label,
        shrink=architecture.shrink,
        offset_classes=facts.classes if shifted else 0,
    )


def count_parameters(network: nn.Module) -> int:
    """The number of trainable numbers in the network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
