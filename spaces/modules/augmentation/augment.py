"""What is done at random to a batch of training images and their masks, on the device that holds them.

Shapes: B images, C channels, K classes, H and W pixels. images (B, C, H, W) in the data's own scale, masks (B, H, W).
Every random number comes from the generator that is passed, so a seed fixes the result. Nothing here waits for
the device: no step looks at a number that the device has computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
from torch import Generator, Tensor

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.augmentation.geometry import warp
from spaces.modules.augmentation.intensity import change_intensity
from spaces.modules.augmentation.mixing import Donors, choose_pixels, draw_donors, put
from spaces.modules.augmentation.random import shares
from spaces.recipe.data_options import Augment, Mixing

Batch = tuple[Tensor, Tensor]
Step = Callable[[Tensor, Tensor, Generator], Batch]


def flip(images: Tensor, masks: Tensor, generator: Generator, *, axis: int) -> Batch:
    """Mirror about half of the images and their masks along axis (-1: left and right, -2: top and bottom)."""
    chosen = shares(len(images), generator) < 0.5
    return (
        torch.where(chosen, images.flip(axis), images),
        torch.where(chosen[:, 0], masks.flip(axis), masks),
    )


def flip_as_asked(augment: Augment, images: Tensor, masks: Tensor, generator: Generator) -> Batch:
    """The section's flips, one after the other."""
    for asked, axis in ((augment.flip_horizontal, -1), (augment.flip_vertical, -2)):
        if asked:
            images, masks = flip(images, masks, generator, axis=axis)
    return images, masks


def mix(
    augment: Augment, section: Mixing, donors: Donors, images: Tensor, masks: Tensor, generator: Generator
) -> Batch:
    """Put pixels of donors into some of the images. Donors are flipped like any image, and otherwise as they are."""
    donor = flip_as_asked(augment, *draw_donors(donors, len(images), generator), generator)
    return put(images, masks, donor, choose_pixels(section, donor[1], donors.label, generator))


def strengths(masks: Tensor, factors: Tensor) -> Tensor:
    """The largest factor among the classes of each mask, (B, 1, 1, 1); 1 for a mask without any.

    factors: (256,) by label, -1 where a label is no class.
    """
    found = factors[masks.flatten(1).int()].amax(dim=1)
    return torch.where(found < 0, 1.0, found).view(-1, 1, 1, 1)


def build_augment(augment: Augment, facts: DataFacts, *, std: Sequence[float], donors: Donors | None = None) -> Step:
    """A function (images, masks, generator) -> (images, masks) that does what the section asks for, in float32.

    Flips, then geometry, then mixing, for images and masks; then blur, contrast and brightness, and noise, for
    images alone. A class factor multiplies the limits of all but flips and mixing, by what the mask holds at first.
    std: the data's standard deviation per channel, the unit of augment.noise and augment.brightness.
    donors: images that hold the rarest class; without any, nothing is mixed.
    Raises ValueError when std does not fit the channels, SpaceError for a factor of an unknown class.
    """
    if len(std) != facts.channels:
        raise ValueError(f"std has {len(std)} numbers for images of {facts.channels} channels: give one per channel")
    by_label = _factors(augment.class_factors, facts)
    strongest = max(1.0, *by_label)

    @cache
    def resident(device: torch.device) -> tuple[Tensor, Tensor]:
        deviation = torch.tensor(std, dtype=torch.float32, device=device).view(1, -1, 1, 1)
        return deviation, torch.tensor(by_label, dtype=torch.float32, device=device)

    def apply(images: Tensor, masks: Tensor, generator: Generator) -> Batch:
        deviation, factors = resident(images.device)
        images = images.float()
        strength = strengths(masks, factors) if augment.class_factors else factors.new_ones(len(masks), 1, 1, 1)
        images, masks = flip_as_asked(augment, images, masks, generator)
        if augment.geometry is not None:
            images, masks = warp(images, masks, augment.geometry, strength, generator, strongest=strongest)
        if augment.mixing is not None and donors is not None:
            images, masks = mix(augment, augment.mixing, donors, images, masks, generator)
        return change_intensity(images, augment, deviation, strength, generator), masks

    return apply


def _factors(factors: Mapping[str, float], facts: DataFacts) -> list[float]:
    """The factor of each of 256 labels; -1 where a label is no class."""
    unknown = [name for name in factors if name not in facts.class_names]
    if unknown:
        raise SpaceError(f"augment.class_factors names {unknown}, but the classes are {list(facts.class_names)}")
    return [*(factors.get(name, 1.0) for name in facts.class_names), *[-1.0] * (256 - facts.classes)]
