"""Pieces cut out of images, by index and without a wait for the device that holds them.

Shapes: N images, B pieces, C channels, H and W pixels of the canvas that the images stand on, h and w of a piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Images of any sizes, each at the top left of one array.

    pixels: (N * H * W, C), the images' own memory. height, width: H and W. sizes: (N, 2) int64, height and width of
    each image, on the device, too. means: (N, C) float32, what stands in a piece beside an image; of those images
    alone that may be smaller than a piece.
    """

    pixels: Tensor
    height: int
    width: int
    sizes: Tensor
    means: Tensor


def build_canvas(images: Tensor, sizes: Sequence[Size], means: NDArray[np.float32]) -> Canvas:
    """A canvas over images (N, C, H, W) that lie channels last in memory, as `resident_images` gives them."""
    last = images.permute(0, 2, 3, 1)
    return Canvas(
        pixels=last.reshape(-1, last.shape[-1]),
        height=images.shape[2],
        width=images.shape[3],
        sizes=torch.tensor(sizes, dtype=torch.int64).to(images.device),
        means=torch.from_numpy(means).to(images.device),
    )


def own_sizes(images: NDArray[Any], sizes: NDArray[np.int32] | None) -> tuple[Size, ...]:
    """Height and width of each of the images (N, H, W) or (N, H, W, C)."""
    if sizes is None:
        return (images.shape[1:3],) * len(images)
    return tuple((int(height), int(width)) for height, width in sizes)


def means_of_small(images: NDArray[Any], sizes: Sequence[Size], window: Size) -> NDArray[np.float32]:
    """The mean of each image by channel, (N, C), as a data set has it outside an image; 0 where no piece is larger."""
    channels = 1 if images.ndim == 3 else images.shape[3]
    means = np.zeros((len(images), channels), dtype=np.float32)
    for place, (height, width) in enumerate(sizes):
        if height < window[0] or width < window[1]:
            own = np.ascontiguousarray(images[place, :height, :width])
            mean = own.mean(axis=(0, 1), dtype=np.float64)
            means[place] = mean if images.dtype.kind == "f" else np.rint(mean)
    return means


def cut(canvas: Canvas, source: Tensor, corner: Tensor, size: Size, *, inside: bool) -> tuple[Tensor, Tensor]:
    """Pieces (B, h, w, C) float32 of the images at source (B,), and where they lie within their image, (B, h, w).

    corner: (B, 2), row and column of the first pixel, below 0 where a piece begins before its image. inside: no piece
    goes beyond its image.
    """
    rows, columns, own = _positions(canvas, source, corner, size)
    index = _flat(canvas, source, rows, columns)
    pieces = canvas.pixels.index_select(0, index.flatten()).view(*index.shape, -1).to(torch.float32)
    if not inside:
        pieces = torch.where(own[..., None], pieces, canvas.means.index_select(0, source)[:, None, None, :])
    return pieces, own


def cut_labels(canvas: Canvas, masks: Tensor, row: Tensor, source: Tensor, corner: Tensor, side: int) -> Tensor:
    """The labels (B, h, w) of such pieces, squares of that side: of masks (M, H, W) those at row (B,)."""
    rows, columns, _ = _positions(canvas, source, corner, (side, side))
    index = _flat(canvas, row, rows, columns)
    return masks.reshape(-1).index_select(0, index.flatten()).view(index.shape)


def _positions(canvas: Canvas, source: Tensor, corner: Tensor, size: Size) -> tuple[Tensor, Tensor, Tensor]:
    """Rows (B, h) and columns (B, w) of the canvas that hold something, and which pixels are the image's, (B, h, w)."""
    device, own = corner.device, canvas.sizes.index_select(0, source)
    rows = corner[:, :1] + torch.arange(size[0], device=device)
    columns = corner[:, 1:] + torch.arange(size[1], device=device)
    down, across = ((line >= 0) & (line < own[:, axis : axis + 1]) for axis, line in enumerate((rows, columns)))
    held = rows.clamp(0, canvas.height - 1), columns.clamp(0, canvas.width - 1)
    return *held, down[:, :, None] & across[:, None, :]


def _flat(canvas: Canvas, image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The places of the pixels in memory, (B, h, w)."""
    first = (image[:, None] * canvas.height + rows) * canvas.width
    return first[:, :, None] + columns[:, None, :]
