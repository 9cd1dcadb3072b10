"""All that a training on crops needs beside what every training has, worked out once and resident on the device.

Shapes: N images, F fixed crops, C channels, H and W pixels, S the side of a crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search.training.arrays import TrainingData
from search.training.pieces.canvas import Canvas, Size, build_canvas, means_of_small, own_sizes
from search.training.pieces.crops import Crops, build_crops, crops_at, crops_of
from search.training.pieces.windows import Batch, plan_windows, window_of
from spaces.modules.augmentation.mixing import Donors
from spaces.recipe import Recipe

MEASURED = 128
"""Crops on which batch normalisation's statistics are measured at most, as many as whole images are (fit.py)."""
DONORS = 256
"""Crops that may give pixels to others; they stay on the device."""
_FIXED = 0x5EED  # of the random places of crops that no epoch changes


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """Crops to learn from, and windows to be judged by.

    measured: image (F,) and first pixel (F, 2) of the crops on which statistics are measured.
    validation, sizes, windows: the validation part, its images' own sizes, and the windows over them.
    """

    crops: Crops
    measured: tuple[Tensor, Tensor]
    validation: Canvas
    sizes: tuple[Size, ...]
    windows: tuple[Batch, ...]


def build_pieces(
    recipe: Recipe, data: TrainingData, images: Tensor, validation: Tensor, *, side: int, rarest: int | None
) -> Pieces:
    """The pieces of a training on crops of that side, from its images and validation images on the device."""
    sizes = own_sizes(data.train_images, data.train_sizes)
    judged = own_sizes(data.validation_images, data.validation_sizes)
    window = (side, side)
    canvas = build_canvas(images, sizes, means_of_small(data.train_images, sizes, window))
    crops = build_crops(
        canvas,
        data.train_masks,
        sizes,
        data.facts,
        side=side,
        rarest=rarest,
        ignore_label=data.ignore_label,
        seed=recipe.seed,
    )
    batch_size = recipe.optimisation.batch_size
    return Pieces(
        crops=crops,
        measured=_measured(sizes, side, min(MEASURED, sum(crops_of(sizes, side))), images.device),
        validation=build_canvas(validation, judged, means_of_small(data.validation_images, judged, window)),
        sizes=judged,
        windows=plan_windows(judged, window_of(recipe, data.facts), batch_size, images.device),
    )


def build_crop_donors(pieces: Pieces, data: TrainingData, images: Tensor, masks: Tensor, rarest: int) -> Donors | None:
    """Crops that hold a pixel of the rarest class, for `Mixing`; None where no image does."""
    sizes, random = own_sizes(data.train_images, data.train_sizes), np.random.default_rng(_FIXED)
    holders = np.flatnonzero((data.train_masks == rarest).any(axis=(1, 2)))
    if not len(holders):
        return None
    source = np.sort(random.permutation(np.tile(holders, -(-DONORS // len(holders))))[:DONORS])
    pixels = np.stack([_pixel(data.train_masks[number], rarest, random) for number in source])
    corner = _corners([sizes[number] for number in source], pieces.crops.side, random, pixels)
    rows, corners = (torch.from_numpy(numbers).to(images.device) for numbers in (source, corner))
    crops, labels = crops_at(pieces.crops, masks, rows, rows, corners, torch.contiguous_format)
    return Donors(images=crops.to(images.dtype), masks=labels, label=rarest)


def _measured(sizes: Sequence[Size], side: int, count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """So many crops evenly spread over the images' pixels, anywhere in their image."""
    areas = np.cumsum([height * width for height, width in sizes], dtype=np.float64)
    source = np.searchsorted(areas, (np.arange(count) + 0.5) / count * areas[-1])
    corner = _corners([sizes[number] for number in source], side, np.random.default_rng(_FIXED), None)
    return torch.from_numpy(source).to(device), torch.from_numpy(corner).to(device)


def _corners(
    sizes: Sequence[Size], side: int, random: np.random.Generator, pixels: NDArray[np.int64] | None
) -> NDArray[np.int64]:
    """First pixels (F, 2) of crops within images of these sizes, anywhere or so that they hold these pixels."""
    room = np.array(sizes, dtype=np.int64) - side
    least, most = np.minimum(room, 0), np.maximum(room, 0)
    wanted = random.integers(least, most + 1) if pixels is None else pixels - random.integers(side, size=room.shape)
    corners: NDArray[np.int64] = np.clip(wanted, least, most)
    return corners


def _pixel(mask: NDArray[np.uint8], label: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Row and column of a random pixel of the label."""
    places = np.flatnonzero(mask == label)
    return np.array(np.unravel_index(places[random.integers(len(places))], mask.shape))
