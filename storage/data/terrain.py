"""Where the classes of a synthetic tile lie: sky, terrain, rocks; and how an annotator would have drawn them.

Legend: N tiles, H x W pixels, K classes; label 0 is the background, K-1 the rare class if K > 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.data.noise import Field, lines, smooth

Labels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rocks:
    """The big rocks of some tiles, one ellipse each, R rocks.

    tile: (R,) int64, the tile a rock lies in.
    distance: (R,H,W), 0 at a rock's centre, 1 on its rim.
    slope: (R,H,W), -1 to 1 across a rock from its lit side to its dark side.
    """

    tile: NDArray[np.int64]
    distance: Field
    slope: Field


def lay_terrain(
    random: np.random.Generator, site: NDArray[np.int64], height: int, width: int, shares: tuple[float, ...]
) -> Labels:
    """True labels (N,H,W) without rocks: sky above a wavy horizon, below it patches of the terrain classes.

    site: (N,) the site of each tile; tiles of a site like the same classes. shares: of background and terrains,
    summing to 1, met over the tiles together (not by each tile).
    """
    sky = _sky(random, site, height, width, shares[0])
    ground = np.array(shares[1:]) / sum(shares[1:])
    extent = max(height, width)
    fields = np.stack([smooth(random, len(site), height, width, extent / 1.8) for _ in ground])
    liking = random.standard_normal((len(ground), int(site.max()) + 1), dtype=np.float32)
    fields += 0.9 * liking[:, site][:, :, None, None]
    fields += _levels(fields[:, :, ::4, ::4][:, ~sky[:, ::4, ::4]], ground)[:, None, None, None]
    labels: Labels = np.asarray(fields.argmax(axis=0) + 1, dtype=np.uint8)
    labels[sky] = 0
    return labels


def place_rocks(
    random: np.random.Generator, site: NDArray[np.int64], height: int, width: int, share: float, frequency: float
) -> Rocks:
    """Rocks in about `frequency` of the tiles, whole sites at a time, of `share` of all pixels together."""
    sites = random.permutation(np.unique(site))
    order = np.concatenate([np.flatnonzero(site == one)[:3] for one in sites])
    tile = np.sort(order[: max(1, round(frequency * len(site)))])
    size = random.uniform(0.6, 1.4, len(tile))
    area = size / size.mean() * share * len(site) / len(tile) * height * width
    across = np.sqrt(area / np.pi * random.uniform(1.2, 2.0, len(tile)))
    tall = area / np.pi / across
    row = random.uniform(0.45, 0.85, len(tile)) * height
    column = random.uniform(0.1, 0.9, len(tile)) * width
    down = (np.arange(height)[None, :, None] - row[:, None, None]) / tall[:, None, None]
    right = (np.arange(width)[None, None, :] - column[:, None, None]) / across[:, None, None]
    rough = 1.05 + 0.15 * np.clip(smooth(random, len(tile), height, width, max(4.0, height / 10)), -2, 2)
    distance = np.sqrt(down**2 + right**2) * rough
    slope = np.clip((0.6 * down + 0.8 * right), -1, 1)
    return Rocks(tile=tile, distance=distance.astype(np.float32), slope=slope.astype(np.float32))


def draw_borders(random: np.random.Generator, labels: Labels, reach: float) -> Labels:
    """The labels as an annotator drew them: borders off by about `reach` pixels, in waves; the label noise."""
    count, height, width = labels.shape
    down, right = (np.rint(reach * smooth(random, count, height, width, 6 * reach + 2)) for _ in range(2))
    rows = np.clip(np.arange(height)[None, :, None] + down, 0, height - 1).astype(np.intp)
    columns = np.clip(np.arange(width)[None, None, :] + right, 0, width - 1).astype(np.intp)
    drawn: Labels = labels[np.arange(count)[:, None, None], rows, columns]
    return drawn


def _sky(
    random: np.random.Generator, site: NDArray[np.int64], height: int, width: int, share: float
) -> NDArray[np.bool_]:
    """Pixels above the horizon; the camera of a site looks up or down, so a third of the tiles show no sky."""
    tilt = random.uniform(-0.5, 1.0, int(site.max()) + 1)[site] + random.normal(0, 0.06, len(site))
    skyline = tilt[:, None] + 0.06 * lines(random, len(site), width, width / 3)
    skyline += 0.015 * lines(random, len(site), width, max(4.0, width / 24))
    low, high = -2.0, 2.0  # bisect the shift of all skylines that gives the share
    for _ in range(24):
        middle = (low + high) / 2
        low, high = (low, middle) if np.clip(skyline + middle, 0, 1).mean() > share else (middle, high)
    rows = (np.arange(height) + 0.5) / height
    above: NDArray[np.bool_] = rows[None, :, None] < (skyline + low)[:, None, :]
    return above


def _levels(fields: Field, shares: NDArray[np.float64]) -> Field:
    """What to add to each field (T,P) so that the highest one at a pixel is each with its share."""
    levels = np.zeros(len(shares), dtype=np.float32)
    for step in np.geomspace(1.0, 0.02, 60):
        winners = np.bincount((fields + levels[:, None]).argmax(axis=0), minlength=len(shares))
        levels += (step * np.log((shares + 0.01) / (winners / max(1, winners.sum()) + 0.01))).astype(np.float32)
    return levels
