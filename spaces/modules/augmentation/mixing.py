"""Pixels of another training image that holds the rarest class, put into this one together with their labels.

Shapes: B images, R donors, C channels, H and W pixels. images (B, C, H, W) float, masks (B, H, W).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from spaces.modules.augmentation.random import shares
from spaces.recipe.data_options import Mixing


@dataclass(frozen=True, kw_only=True, eq=False)
class Donors:
    """The training images that hold the rarest class, on the device of the batches.

    images: (R, C, H, W), R at least 1, any type, in the data's own scale.
    masks: (R, H, W), each with at least one pixel of label.
    label: the rarest class.
    """

    images: Tensor
    masks: Tensor
    label: int


def draw_donors(donors: Donors, count: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """One donor per image, drawn evenly: images (B, C, H, W) float32 and masks (B, H, W)."""
    index = torch.randint(len(donors.masks), (count,), generator=generator, device=generator.device)
    return donors.images.index_select(0, index).float(), donors.masks.index_select(0, index)


def draw_pixels(masks: Tensor, label: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Row and column (B, 1, 1) of a pixel of that label, drawn evenly from those of each mask."""
    width = masks.shape[-1]
    counted = (masks == label).flatten(1).cumsum(dim=1, dtype=torch.int32)
    which = (shares(len(masks), generator).flatten(1) * counted[:, -1:]).int() + 1  # from 1 to their number
    place = torch.searchsorted(counted, which)[:, :, None]
    return place // width, place % width


def box(height: int, width: int, centre: tuple[Tensor, Tensor], area: Tensor) -> Tensor:
    """Rectangles (B, H, W), True inside: of the image's proportions, area (B, 1, 1) of it, cut at its border.

    centre: row and column (B, 1, 1), always inside.
    """
    row, column = centre
    rows = torch.arange(height, device=area.device).view(1, -1, 1)
    columns = torch.arange(width, device=area.device).view(1, 1, -1)
    half = area.sqrt() / 2
    return ((rows - row).abs() <= half * height) & ((columns - column).abs() <= half * width)


def choose_pixels(section: Mixing, masks: Tensor, label: int, generator: Generator) -> Tensor:
    """Which pixels of the donors' masks (B, H, W) are put into the batch: bool (B, H, W).

    copy_paste (arXiv 2012.07177): all of the label. cutmix (arXiv 1905.04899): a rectangle around a random pixel
    of the label, its share of the area drawn evenly from 0 .. 1 (the paper's Beta(1, 1)).
    """
    count, height, width = masks.shape
    receives = shares(count, generator)[:, 0] < section.probability
    if section.method == "copy_paste":
        return receives & (masks == label)
    centre = draw_pixels(masks, label, generator)
    return receives & box(height, width, centre, shares(count, generator)[:, 0])


def put(images: Tensor, masks: Tensor, donor: tuple[Tensor, Tensor], chosen: Tensor) -> tuple[Tensor, Tensor]:
    """Replace the chosen (B, H, W) pixels of images and masks by those of the donors, at the same place."""
    donor_images, donor_masks = donor
    return torch.where(chosen[:, None], donor_images, images), torch.where(chosen, donor_masks.to(masks.dtype), masks)
