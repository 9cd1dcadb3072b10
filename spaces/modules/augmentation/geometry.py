"""Zoom, rotation, elastic deformation and grid distortion: one random map per image, and one resampling.

Shapes: B images, C channels, H and W pixels. images (B, C, H, W) float, masks (B, H, W).
A map is two tensors that broadcast to (B, H, W), x and y: where in the image each pixel of the result is taken
from, in pixels, (0, 0) the centre of the first one. Pixels are square, so nothing is sheared in a wide image.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional

from spaces.modules.augmentation.random import either_way, shares, some
from spaces.recipe.data_options import Geometry

Map = tuple[Tensor, Tensor]

CELLS = 5
"""Cells of the grid distortion along each side (Albumentations' default)."""

THINNEST = 0.1
"""What is left at least of a cell's width, so that the map of a grid distortion always rises."""

SMOOTHNESS = 2.5
"""Least spacing of an elastic deformation over its largest shift: it never folds (measured; at 1.5, 1 to 4 % do)."""

FURTHEST = 0.2
"""Largest shift of an elastic deformation, as a share of the shorter side: beyond, small images fold (measured)."""


def resample(images: Tensor, masks: Tensor, places: Map) -> tuple[Tensor, Tensor]:
    """Images (bilinear) and masks (nearest) taken from places; labels up to 2**24 are exact.

    What lies outside is mirrored at the border, in both: the mask says what is seen there.
    """
    count, height, width = masks.shape
    across, down = (2 * places[0] + 1) / width - 1, (2 * places[1] + 1) / height - 1
    grid = torch.stack((across.expand(count, height, width), down.expand(count, height, width)), dim=-1)

    def taken(maps: Tensor, mode: str) -> Tensor:
        return functional.grid_sample(maps, grid, mode=mode, padding_mode="reflection", align_corners=False)

    labels = taken(masks[:, None].to(grid.dtype), "nearest")
    return taken(images, "bilinear"), labels[:, 0].to(masks.dtype)


def positions(height: int, width: int, device: torch.device) -> Map:
    """The map that changes nothing: x (1, 1, W) and y (1, H, 1)."""
    columns, rows = (torch.arange(size, device=device, dtype=torch.float32) for size in (width, height))
    return columns.view(1, 1, -1), rows.view(1, -1, 1)


def stretch(size: int, change: Tensor) -> Tensor:
    """The shift (B, size) of each pixel of a side whose equal cells become 1 + change (B, cells) times as wide.

    Piecewise linear. Where the changes sum to 0 the ends stay in place; where all are above -1 it never folds.
    """
    cells = change.shape[-1]
    place = (torch.arange(size, device=change.device, dtype=change.dtype) + 0.5) * (cells / size)
    passed = (place - torch.arange(cells, device=change.device)[:, None]).clamp(0, 1)  # of each cell, (cells, size)
    return change @ passed * (size / cells)


def balanced(changes: Tensor) -> Tensor:
    """Changes (B, cells) in -1 .. 1, moved so that they sum to 0, and scaled back where one leaves -1 .. 1."""
    moved = changes - changes.mean(dim=-1, keepdim=True)
    return moved / moved.abs().amax(dim=-1, keepdim=True).clamp_min(1)


def turned(places: Map, centre: tuple[float, float], scale: Tensor, angle: Tensor) -> Map:
    """Places seen from a camera that is scale (B, 1, 1) times as close and turned by angle (B, 1, 1), in radians."""
    (x, y), (middle_x, middle_y) = places, centre
    right, down = x - middle_x, y - middle_y
    cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
    return middle_x + cosine * right - sine * down, middle_y + sine * right + cosine * down


def spline(size: int, spacing: float, device: torch.device) -> Tensor:
    """Cubic B-splines at each of size pixels, their centres spacing pixels apart: (size, splines), rows sum to 1."""
    place = torch.arange(size, device=device, dtype=torch.float32)[:, None] / spacing
    away = (place - torch.arange(-1, math.floor((size - 1) / spacing) + 3, device=device)).abs()
    return torch.where(away < 1, 2 / 3 - away**2 + away**3 / 2, (2 - away).clamp_min(0) ** 3 / 6)


def smooth_field(count: int, height: int, width: int, spacing: float, generator: Generator) -> Tensor:
    """Random vectors (B, 2, H, W) that change little over spacing pixels; the longest of an image has length 1."""
    rows, columns = (spline(size, spacing, generator.device) for size in (height, width))
    knots = torch.randn(count, 2, rows.shape[1], columns.shape[1], generator=generator, device=generator.device)
    field = rows @ knots @ columns.T
    return field / field.square().sum(dim=1, keepdim=True).amax(dim=(-2, -1), keepdim=True).sqrt().clamp_min(1e-6)


def draw_map(
    section: Geometry, height: int, width: int, strength: Tensor, generator: Generator, *, strongest: float = 1.0
) -> Map:
    """A random map per image, as the section allows; strength (B, 1, 1, 1) multiplies each of its limits.

    The scale is drawn evenly on a logarithmic axis, the angle and the cells' changes evenly to both sides, the
    largest shift of the elastic deformation evenly from 0 to its limit. No cell gets thinner than a tenth, and no
    shift longer than a fifth of the shorter side. strongest: the largest number that strength can hold.
    """
    count, limit = len(strength), strength[:, 0]
    x, y = positions(height, width, strength.device)
    if section.grid_distortion > 0:
        x, y = _distorted((x, y), section.grid_distortion * limit[:, 0], generator)
    if section.zoom > 0 or section.rotation > 0:
        scale = ((1 + section.zoom * limit).log() * either_way(count, generator)[:, 0]).exp()
        angle = math.radians(section.rotation) * limit * either_way(count, generator)[:, 0]
        x, y = turned((x, y), ((width - 1) / 2, (height - 1) / 2), scale, angle)
    if section.elastic > 0:
        shift = _elastic(section.elastic, height, width, strength, generator, strongest)
        x, y = x + shift[:, 0], y + shift[:, 1]
    return x, y


def _distorted(places: Map, limit: Tensor, generator: Generator) -> Map:
    """Places under a grid distortion whose cells change by up to limit (B, 1), as a share."""
    (x, y), most = places, limit.clamp_max(1 - THINNEST)
    changes = torch.rand(2, len(limit), CELLS, generator=generator, device=generator.device) * 2 - 1
    across, down = most * balanced(changes[0]), most * balanced(changes[1])
    return x + stretch(x.shape[-1], across)[:, None, :], y + stretch(y.shape[-2], down)[:, :, None]


def _elastic(limit: float, height: int, width: int, strength: Tensor, generator: Generator, strongest: float) -> Tensor:
    """Shifts (B, 2, H, W) in pixels, along x and y, that vary over a quarter of the shorter side or more."""
    shorter, furthest = min(height, width), FURTHEST * min(height, width)
    spacing = max(shorter / 4, SMOOTHNESS * min(limit * strongest, furthest))
    field = smooth_field(len(strength), height, width, spacing, generator)
    return (limit * strength).clamp_max(furthest) * shares(len(strength), generator) * field


def warp(
    images: Tensor,
    masks: Tensor,
    section: Geometry,
    strength: Tensor,
    generator: Generator,
    *,
    strongest: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Distort some of the images with their masks at random, by a map from `draw_map`; the others stay to the bit."""
    if not any((section.zoom, section.rotation, section.elastic, section.grid_distortion)):
        return images, masks
    height, width = masks.shape[-2:]
    chosen = some(len(images), section.probability, generator)
    places = draw_map(section, height, width, strength, generator, strongest=strongest)
    distorted, labels = resample(images, masks, places)
    return torch.where(chosen, distorted, images), torch.where(chosen[:, 0], labels, masks)
