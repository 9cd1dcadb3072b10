"""Random crops of a training's images; a third of them hold a pixel of a class that counts, as nnU-Net draws them.

Shapes: N images, M masks, B crops, K classes, P positions, C channels, H and W pixels of the canvas, S the side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from search.training.pieces.canvas import Canvas, Size, cut, cut_labels
from spaces.facts import DataFacts

PLACED = 1 / 3
"""Share of a batch whose crops are placed on a pixel of a class (nnU-Net: oversample_foreground_percent)."""
POSITIONS = 64
"""Pixels of each class in each image that such a crop may be placed on, drawn once."""
OUTSIDE = 255
"""The label beside an image, where the data names none that is ignored; no class has it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """Where the crops of a training may lie; every tensor is on its device.

    side: S. inside: no image is smaller than a crop. places: (N, K, P, 2) int32, rows and columns of pixels of each
    class. present: (N, K), whether the image holds the class, of the classes that count in the mean. rarest: the label
    that additional samples are there for; None where there is none. outside: the label beside an image.
    """

    side: int
    canvas: Canvas
    inside: bool
    places: Tensor
    present: Tensor
    rarest: int | None
    outside: int


def crops_of(sizes: Sequence[Size], side: int) -> tuple[int, ...]:
    """How many crops of each image cover its pixels about once, at least one."""
    return tuple(max(1, round(height * width / side**2)) for height, width in sizes)


def build_crops(
    canvas: Canvas,
    masks: NDArray[np.uint8],
    sizes: Sequence[Size],
    facts: DataFacts,
    *,
    side: int,
    rarest: int | None,
    ignore_label: int | None,
    seed: int,
) -> Crops:
    """The crops of images on a canvas with these masks (N, H, W), on the canvas's device. seed: of the positions."""
    places, present = class_positions(masks, sizes, facts, np.random.default_rng(seed))
    device = canvas.pixels.device
    return Crops(
        side=side,
        canvas=canvas,
        inside=all(min(size) >= side for size in sizes),
        places=torch.from_numpy(places).to(device),
        present=torch.from_numpy(present).to(device),
        rarest=rarest,
        outside=OUTSIDE if ignore_label is None else ignore_label,
    )


def class_positions(
    masks: NDArray[np.uint8], sizes: Sequence[Size], facts: DataFacts, random: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Random pixels of each class in each image, (N, K, P, 2), and which classes that count it holds, (N, K)."""
    places = np.zeros((len(masks), facts.classes, POSITIONS, 2), dtype=np.int32)
    present = np.zeros((len(masks), facts.classes), dtype=np.bool_)
    counting = [label for label in range(facts.classes) if label not in facts.excluded_labels]
    for number, (height, width) in enumerate(sizes):
        labels = np.ascontiguousarray(masks[number, :height, :width]).ravel()
        ordered, counts = np.argsort(labels, kind="stable"), np.bincount(labels, minlength=256)
        first = np.cumsum(counts) - counts
        for label in counting:
            if counts[label]:
                drawn = ordered[first[label] + random.integers(counts[label], size=POSITIONS)]
                places[number, label] = np.stack(np.divmod(drawn, width), axis=1)
                present[number, label] = True
    return places, present


def random_crops(
    crops: Crops, masks: Tensor, source: Tensor, rows: Tensor, generator: Generator, memory_format: torch.memory_format
) -> tuple[Tensor, Tensor]:
    """A batch of random crops: images (B, C, S, S) float32 and labels (B, S, S).

    masks: (M, H, W). source: (M,), the image of each. rows: (B,) rows of masks, plus M for an additional sample, whose
    crop holds a pixel of the rarest class. Nothing here waits for the device.
    """
    additional, rows = rows >= len(masks), rows % len(masks)
    images = source.index_select(0, rows)
    corner = draw_corners(crops, images, additional, generator)
    return crops_at(crops, masks, rows, images, corner, memory_format)


def crops_at(
    crops: Crops, masks: Tensor, rows: Tensor, source: Tensor, corner: Tensor, memory_format: torch.memory_format
) -> tuple[Tensor, Tensor]:
    """The crops of the images at source (B,), labelled by the masks at rows (B,), whose first pixels are at corner."""
    pieces, own = cut(crops.canvas, source, corner, (crops.side, crops.side), inside=crops.inside)
    labels = cut_labels(crops.canvas, masks, rows, source, corner, crops.side)
    if not crops.inside:
        labels = torch.where(own, labels, crops.outside)
    return pieces.permute(0, 3, 1, 2).contiguous(memory_format=memory_format), labels


def draw_corners(crops: Crops, source: Tensor, additional: Tensor, generator: Generator) -> Tensor:
    """Row and column of the first pixel of each crop, (B, 2) int64.

    An image that is smaller than a crop lies anywhere within it. The last third of the batch is placed on a pixel of a
    class, drawn evenly from those that count and are in the image; additional (B,) ones on one of the rarest.
    """
    count, device = len(source), generator.device
    room = crops.canvas.sizes.index_select(0, source) - crops.side
    least, most = room.clamp_max(0), room.clamp_min(0)
    draws = torch.rand(count, 5, generator=generator, device=device)
    anywhere = least + (draws[:, :2] * (most - least + 1)).long()
    pixel, held = _draw_pixels(crops, source, additional, draws[:, 2], generator)
    around = pixel - (draws[:, 3:] * crops.side).long()
    placed = torch.arange(count, device=device) >= count - round(PLACED * count)
    chosen = (placed | additional) & held
    corner = torch.where(chosen[:, None], around, anywhere)
    return torch.minimum(torch.maximum(corner, least), most)


def _draw_pixels(
    crops: Crops, source: Tensor, additional: Tensor, draw: Tensor, generator: Generator
) -> tuple[Tensor, Tensor]:
    """A pixel of a class in each image, (B, 2), and whether there is any, (B,). draw: (B,), 0 to 1."""
    present = crops.present.index_select(0, source)
    order = torch.rand(present.shape, generator=generator, device=generator.device)
    label = order.masked_fill(~present, -1.0).argmax(dim=1)
    if crops.rarest is not None:
        label = torch.where(additional & present[:, crops.rarest], crops.rarest, label)
    return crops.places[source, label, (draw * POSITIONS).long()].long(), present.any(dim=1)
