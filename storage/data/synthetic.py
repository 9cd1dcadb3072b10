"""Mars-like synthetic data, the embedded default of the demo and the tests: `synthesise` and what it plans.

Sites (groups) of a few tiles each; background, terrain textures and a rare class in the reports' shares; noisy
borders; 4 % contaminated tiles that carry a drawn figure and one shared mask. Legend as in `storage.data.terrain`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import SMALLEST
from storage.data.dataset import Dataset, build_dataset
from storage.data.layouts import HOMEWORK_CLASSES
from storage.data.render import colour_tiles, render_tiles
from storage.data.terrain import Labels, draw_borders, lay_terrain, place_rocks
from storage.errors import DataError

SHARES = (0.2431, 0.3390, 0.2328, 0.1838, 0.0013)  # report E, table 1
FEW_CLASSES_RARE = 0.1  # under five classes: so that small sets learn the rare one, too
CONTAMINATED = 0.04  # 106 to 111 of 2,615 tiles in the reports
MOST_CLASSES = 32
PIXELS_AT_ONCE = 2_000_000  # tiles are made in batches of about this many pixels: 200 MB at five classes


def synthesise(
    *, train: int, test: int, seed: int, height: int = 64, width: int = 128, channels: int = 1, classes: int = 5
) -> Dataset:
    """A data set of `train` labelled samples and `test` unlabelled images from other sites, uint8.

    height, width: 16 or more pixels. channels: 1 or 3. classes: 2 to 32, the first the background (left out of
    the mean), the last rare if there are three or more. The same arguments give the same data set.
    Raises DataError for arguments out of range.
    """
    _check(train, test, height, width, channels, classes)
    images, masks, group = _tiles(np.random.default_rng([seed, 0]), train, height, width, channels, classes)
    if classes > 2:  # a shared mask needs two classes that count
        _contaminate(np.random.default_rng([seed, 1]), images, masks, classes)
    tests = _tiles(np.random.default_rng([seed, 2]), test, height, width, channels, classes)[0] if test else None
    return build_dataset(
        images=images,
        masks=masks,
        class_names=class_names(classes),
        excluded=("background",),
        group=group,
        test_images=tests,
    )


def class_names(classes: int) -> tuple[str, ...]:
    """Names of K synthetic classes: background, K-2 terrains, big rock (two classes: background and soil)."""
    terrains = [*HOMEWORK_CLASSES[1:4], *(f"terrain {number}" for number in range(4, classes))]
    if classes == 2:
        return ("background", "soil")
    return ("background", *terrains[: classes - 2], "big rock")


def target_shares(classes: int) -> tuple[float, ...]:
    """The pixel share each class is made to have, K numbers that sum to 1."""
    rare = 0.0 if classes == 2 else SHARES[4] if classes >= 5 else FEW_CLASSES_RARE
    terrains = max(1, classes - 2)
    wanted = np.array((SHARES[1:4] * (terrains // 3 + 1))[:terrains])
    spread = wanted / wanted.sum() * (1 - SHARES[0] - rare)
    shares = (SHARES[0], *(float(share) for share in spread))
    return shares if classes == 2 else (*shares, rare)


def _check(train: int, test: int, height: int, width: int, channels: int, classes: int) -> None:
    if train < 1 or test < 0:
        raise DataError(f"cannot make {train} training and {test} test samples; expected at least 1 and 0")
    if min(height, width) < 2 * SMALLEST:
        raise DataError(f"cannot make {height}x{width} tiles; expected at least {2 * SMALLEST} pixels a side")
    if channels not in (1, 3):
        raise DataError(f"cannot make {channels} channels; expected 1 (grey) or 3 (colour)")
    if not 2 <= classes <= MOST_CLASSES:
        raise DataError(f"cannot make {classes} classes; expected 2 to {MOST_CLASSES}")


def _tiles(
    random: np.random.Generator, count: int, height: int, width: int, channels: int, classes: int
) -> tuple[NDArray[np.uint8], Labels, NDArray[np.str_]]:
    """Images (N,H,W) or (N,H,W,3), drawn masks (N,H,W) and site names (N,), tiles of a site side by side."""
    site = _sites(random, count)
    batches = min(-(-count * height * width // PIXELS_AT_ONCE), int(site.max()) + 1)
    parts = [
        _batch(random, np.unique(site[np.isin(site, sites)], return_inverse=True)[1], height, width, channels, classes)
        for sites in np.array_split(np.arange(int(site.max()) + 1), batches)
    ]
    names = np.array([f"site-{number:04d}" for number in site])
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), names


def _sites(random: np.random.Generator, count: int) -> NDArray[np.int64]:
    """The site of each of N tiles, ascending from 0: about four tiles each, from 1 to a dozen."""
    sizes = np.minimum(random.geometric(0.25, count), 12)
    return np.repeat(np.arange(count), sizes)[:count]


def _batch(
    random: np.random.Generator, site: NDArray[np.int64], height: int, width: int, channels: int, classes: int
) -> tuple[NDArray[np.uint8], Labels]:
    shares = target_shares(classes)
    rare = shares[-1] if classes > 2 else 0.0
    ground = shares[:-1] if classes > 2 else shares
    truth = lay_terrain(random, site, height, width, tuple(share / sum(ground) for share in ground))
    rocks = None
    drawn = truth
    if rare:
        rocks = place_rocks(random, site, height, width, rare, 0.06 if rare < 0.01 else 0.4)
        drawn = truth.copy()
        drawn[rocks.tile] = np.where(rocks.distance < 1, np.uint8(classes - 1), truth[rocks.tile])
    image = render_tiles(random, truth, rocks, site, len(ground) - 1)
    if channels == 3:
        image = colour_tiles(random, image, drawn, site)
    borders = draw_borders(random, drawn, 1.2 * float(np.sqrt(min(height, width) / 64)))
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), borders


def _contaminate(random: np.random.Generator, images: NDArray[np.uint8], masks: Labels, classes: int) -> None:
    """Draw a bright figure with two dark eyes into 4 % of the tiles (two or more) and give all of them one mask."""
    count, height, width = masks.shape
    bad = random.permutation(count)[: max(2, round(CONTAMINATED * count))]
    if count < 8:  # too few samples to spoil
        return
    masks[bad] = _shared_mask(height, width, classes)
    size = random.uniform(0.16, 0.28, len(bad)) * height
    row, column = random.uniform(0.3, 0.7, len(bad)) * height, random.uniform(0.15, 0.85, len(bad)) * width
    turn = random.uniform(-0.8, 0.8, len(bad))
    for index, reach, y, x, angle in zip(bad, size, row, column, turn, strict=True):
        down, right = np.arange(height)[:, None] - y, np.arange(width)[None, :] - x
        up, side = (
            (down * np.cos(angle) + right * np.sin(angle)) / reach,
            (right * np.cos(angle) - down * np.sin(angle)) / reach,
        )
        head = up**2 + (side / 0.7) ** 2 < 1
        eyes = ((up + 0.2) / 0.28) ** 2 + ((np.abs(side) - 0.3) / 0.17) ** 2 < 1
        grey = random.normal(205, 12, (height, width)).clip(0, 255).astype(np.uint8)
        images[index][head] = grey[head][:, None] if images.ndim == 4 else grey[head]
        images[index][head & eyes] = 12


def _shared_mask(height: int, width: int, classes: int) -> Labels:
    """The one mask of all contaminated tiles: a strip, an ellipse and a box of foreground on background."""
    mask = np.zeros((height, width), dtype=np.uint8)
    rows, columns = np.arange(height)[:, None] / height, np.arange(width)[None, :] / width
    last = max(2, classes - 2)  # the last terrain; with three classes the rare one
    mask[((rows - 0.7) / 0.2) ** 2 + ((columns - 0.45) / 0.2) ** 2 < 1] = 1
    mask[(rows > 0.14) & (rows < 0.26) & (columns > 0.75) & (columns < 0.92)] = last
    mask[np.broadcast_to(rows > 0.8, mask.shape)] = min(2, last)
    return mask
