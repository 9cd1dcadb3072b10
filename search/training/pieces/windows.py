"""Windows that slide over whole images, half a window at a time; where they overlap, their centres count most.

As nnU-Net does: what a window says of a pixel weighs by a Gaussian around its centre, sigma an eighth of the side.
Shapes: N images, B windows, M maps (logits, for one), C channels, H and W pixels of a canvas, h and w of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from search.training.pieces.canvas import Canvas, Size, cut
from spaces.crops import crop_side
from spaces.facts import DataFacts
from spaces.recipe import Recipe

STEP = 0.5
"""From one window to the next, at most, in windows."""
SIGMA = 1 / 8
"""Of the Gaussian, in windows."""

Maps = Callable[[Tensor], Tensor]
"""From images (B, C, h, w) float32 to maps (B, M, h, w)."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """How much of an image a network is shown at a time.

    padded: an image that is smaller is brought to the window's size by its mean, as it was in the training; otherwise
    it is shown as it is.
    """

    height: int
    width: int
    padded: bool

    def holds(self, height: int, width: int) -> bool:
        """Whether an image of that size is shown at once, and as it is."""
        return not self.padded and height <= self.height and width <= self.width

    def within(self, size: Size) -> Size:
        """Height and width of the windows over an image of that size."""
        return (self.height, self.width) if self.padded else (min(self.height, size[0]), min(self.width, size[1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Windows of one size that are looked at together.

    image: the number of each one's image. at: row and column of its first pixel. source (B,), corner (B, 2): the same
    on the device of the images. ended: images whose last window is among them.
    """

    size: Size
    image: tuple[int, ...]
    at: tuple[tuple[int, int], ...]
    source: Tensor
    corner: Tensor
    ended: tuple[int, ...]


def window_of(recipe: Recipe, facts: DataFacts) -> Window:
    """What a network of the recipe saw at a time of images with these facts when it was trained."""
    side = crop_side(recipe, facts)
    if side:
        return Window(height=side, width=side, padded=True)
    return Window(height=facts.height, width=facts.width, padded=False)


def starts(length: int, window: int) -> tuple[int, ...]:
    """Where windows begin along a side: as few as cover it at `STEP` or less, evenly spread."""
    if length <= window:
        return (0,)
    count = -(-(length - window) // max(1, int(window * STEP))) + 1
    return tuple(round(place * (length - window) / (count - 1)) for place in range(count))


def plan_windows(sizes: Sequence[Size], window: Window, batch_size: int, device: torch.device) -> tuple[Batch, ...]:
    """The windows over images of these sizes, in their order, in batches of at most so many."""
    tiles = [
        (number, window.within(size), (top, left))
        for number, size in enumerate(sizes)
        for top in starts(size[0], window.height)
        for left in starts(size[1], window.width)
    ]
    last = {number: place for place, (number, _, _) in enumerate(tiles)}
    batches, begin = [], 0
    for size, group in groupby(tiles, key=lambda tile: tile[1]):
        alike = list(group)
        for first in range(0, len(alike), batch_size):
            part = alike[first : first + batch_size]
            ended = tuple(number for place, (number, _, _) in enumerate(part, begin + first) if last[number] == place)
            batches.append(_batch(size, part, ended, device))
        begin += len(alike)
    return tuple(batches)


def slide(
    maps_of: Maps, canvas: Canvas, sizes: Sequence[Size], batches: Sequence[Batch], memory_format: torch.memory_format
) -> Iterator[tuple[int, Tensor]]:
    """The number of one image after another, and its maps (M, height, width) on the device of the windows' maps.

    An image that one window covers gets this window's maps to the bit. Nothing here waits for the device.
    """
    merging: dict[int, Tensor] = {}
    for batch in batches:
        pieces, _ = cut(canvas, batch.source, batch.corner, batch.size, inside=False)
        maps = maps_of(pieces.permute(0, 3, 1, 2).contiguous(memory_format=memory_format))
        for number, (top, left), found in zip(batch.image, batch.at, maps, strict=True):
            height, width = sizes[number]
            if height <= batch.size[0] and width <= batch.size[1]:
                merging[number] = found[:, :height, :width]
                continue
            down, across = (gaussian(side, maps.device) for side in batch.size)
            if number not in merging:
                merging[number] = maps.new_zeros(len(found), height, width)
            rows, columns = slice(top, top + batch.size[0]), slice(left, left + batch.size[1])
            part = merging[number][:, rows, columns]
            part += (found * down[:, None] * across)[:, : part.shape[1], : part.shape[2]]
        for number in batch.ended:
            yield number, _weighed(merging.pop(number), sizes[number], batch.size)


def gaussian(side: int, device: torch.device) -> Tensor:
    """The weights of a window's pixels along a side, (side,) float32, 1 at the centre."""
    away = torch.arange(side, device=device, dtype=torch.float32) - (side - 1) / 2
    return torch.exp(-0.5 * (away / (side * SIGMA)) ** 2)


def _weighed(summed: Tensor, size: Size, window: Size) -> Tensor:
    """The sums over windows divided by the sum of their weights: windows lie in a grid, so it is a product."""
    if size[0] <= window[0] and size[1] <= window[1]:
        return summed
    down, across = (_weights(length, side, summed.device) for length, side in zip(size, window, strict=True))
    return summed / down[:, None] / across


def _weights(length: int, window: int, device: torch.device) -> Tensor:
    """The sum of the weights of all windows along a side, (length,)."""
    total, weights = torch.zeros(length, device=device), gaussian(window, device)
    for start in starts(length, window):
        part = total[start : start + window]
        part += weights[: len(part)]
    return total


def _batch(
    size: Size, part: Sequence[tuple[int, Size, tuple[int, int]]], ended: tuple[int, ...], device: torch.device
) -> Batch:
    image, at = tuple(number for number, _, _ in part), tuple(corner for _, _, corner in part)
    source, corner = (torch.tensor(numbers, dtype=torch.int64).to(device) for numbers in (image, at))
    return Batch(size=size, image=image, at=at, source=source, corner=corner, ended=ended)
