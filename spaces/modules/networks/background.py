"""The background network: a second, binary U-Net whose logit is merged with the multi-class ones (report E, 4.6).

Shapes: B images, K classes, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.networks.model import Heads, SegmentationModel
from spaces.modules.networks.unet import UNetModel
from spaces.recipe import Background
from spaces.recipe.architecture import UNet

TIE = 1e-6
"""Smallest distance on the logit scale between background and the best foreground class: with less of it the
rounding of a softmax could turn a decision."""


def background_label(facts: DataFacts) -> int:
    """The label of the background, which is the first class left out of the mean.

    Raises SpaceError when no class is left out.
    """
    if not facts.excluded:
        raise SpaceError(
            "a background network needs a class that is left out of the mean, the background: name it when the"
            " data is added, or leave the recipe's section `background` off"
        )
    return facts.excluded_labels[0]


def background_model(section: Background) -> UNet:
    """The U-Net of the section: its depth, filters and block, and defaults for the rest."""
    return UNet(depth=section.depth, filters=section.filters, block=section.block)


def build_background(section: Background, facts: DataFacts) -> SegmentationModel:
    """A U-Net with one logit per pixel, above 0 where background is likelier than not: (B, 1, H, W)."""
    return UNetModel(background_model(section), channels=facts.channels, classes=1, heads=Heads())


def merge_background(logits: Tensor, background: Tensor, threshold: Tensor, excluded: int) -> Tensor:
    """Merge the logits (B, K, H, W) of the classes with that of the background (B, 1, H, W) to (B, K, H, W).

    The foreground classes keep their logits, shifted so that the best of them is 0; the class ``excluded`` gets
    background - threshold. So the largest one is background exactly where its logit is above the threshold, a
    scalar, and the best foreground class elsewhere; what the first network thought of the background is dropped.
    The softmax of the result is that of log-softmax f over the foreground with max f + background - threshold.
    """
    label = torch.arange(logits.shape[1], device=logits.device)[:, None, None]
    foreground = logits.masked_fill(label == excluded, -torch.inf)
    margin = background - threshold
    decided = torch.where(background > threshold, margin.clamp_min(TIE), margin.clamp_max(-TIE))
    return torch.where(label == excluded, decided, foreground - foreground.amax(dim=1, keepdim=True))
