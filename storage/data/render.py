"""How a synthetic tile looks: textures of low contrast in uneven light, so that context must help.

Brightness tells neighbouring regions apart but not which class they are (each site shuffles it); a class is known
by the scale, direction and roughness of its texture, under sensor noise. Legend as in `storage.data.terrain`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.data.noise import Field, grain, smooth
from storage.data.terrain import Labels, Rocks


@dataclass(frozen=True, kw_only=True)
class Texture:
    """The look of one terrain class.

    wavelength: in pixels of a tile 64 high. stretch: 1 isotropic, above 1 ripples. contrast: in grey levels.
    ridged: 0 soft, 1 plates with dark cracks between them.
    """

    wavelength: float
    stretch: float
    contrast: float
    ridged: float


# soil, bedrock, sand; further classes go on through the mixed ones, ever coarser
TEXTURES = (
    Texture(wavelength=3.0, stretch=1.0, contrast=7.0, ridged=0.0),
    Texture(wavelength=9.0, stretch=1.0, contrast=9.0, ridged=1.0),
    Texture(wavelength=6.0, stretch=5.0, contrast=6.0, ridged=0.0),
    Texture(wavelength=4.5, stretch=3.0, contrast=7.0, ridged=1.0),
    Texture(wavelength=14.0, stretch=1.0, contrast=8.0, ridged=0.0),
    Texture(wavelength=12.0, stretch=4.0, contrast=8.0, ridged=1.0),
)
SENSOR_NOISE = 3.5  # grey levels


def render_tiles(
    random: np.random.Generator, labels: Labels, rocks: Rocks | None, site: NDArray[np.int64], terrains: int
) -> Field:
    """Grey images (N,H,W), about 0 to 255, of true labels without rocks, and of the rocks on them."""
    count, height, width = labels.shape
    sites = int(site.max()) + 1
    light = _light(random, site, height, width)
    image = _sky(random, count, height, width)
    tone = random.normal(0, 7, (sites, terrains)).astype(np.float32)
    for terrain in range(terrains):
        ground = 60 + tone[site, terrain][:, None, None] + _texture(random, terrain, site, height, width)
        image = np.where(labels == terrain + 1, ground, image)
    image = np.where(labels > 0, (image - _pebbles(random, count, height, width)) * light, image)
    if rocks is not None:
        _lay_rocks(random, image, rocks)
    exposure = random.uniform(0.75, 1.25, sites).astype(np.float32)[site]
    image = image * exposure[:, None, None]
    noisy: Field = image + SENSOR_NOISE * random.standard_normal(image.shape, dtype=np.float32)
    return noisy


def colour_tiles(random: np.random.Generator, grey: Field, labels: Labels, site: NDArray[np.int64]) -> Field:
    """Colour images (N,H,W,3): rusty ground and butterscotch sky; hue tells classes apart as little as tone does."""
    sites, classes = int(site.max()) + 1, int(labels.max()) + 1
    cast = np.array([1.25, 0.95, 0.75]) * random.normal(1, 0.05, (sites, 3))
    tint = random.normal(0, 0.03, (sites, classes, 3))
    tint[:, 0] += np.array([-0.1, 0.02, 0.12])
    chroma = (cast[:, None, :] * (1 + tint)).astype(np.float32)[site[:, None, None], labels]
    noise = 2.0 * random.standard_normal((*grey.shape, 3), dtype=np.float32)
    coloured: Field = grey[..., None] * chroma + noise
    return coloured


def _texture(random: np.random.Generator, terrain: int, site: NDArray[np.int64], height: int, width: int) -> Field:
    look = TEXTURES[terrain % len(TEXTURES)]
    zoom = np.sqrt(min(height, width) / 64) * (1 + 0.6 * (terrain // len(TEXTURES)))
    sites = int(site.max()) + 1
    wavelength = look.wavelength * zoom * random.uniform(0.8, 1.25, sites)[site]
    angle = random.uniform(0, np.pi, sites)[site] + random.normal(0, 0.1, len(site))
    field = grain(
        random,
        height,
        width,
        wavelength=wavelength.astype(np.float32),
        angle=angle.astype(np.float32),
        stretch=look.stretch,
    )
    plates = 0.67 - 2 * np.exp(-2 * np.abs(field))  # dark where the field crosses zero; of zero mean
    strength = look.contrast * random.uniform(0.5, 1.3, len(site)).astype(np.float32)[:, None, None]
    textured: Field = strength * ((1 - look.ridged) * field + look.ridged * plates)
    return textured


def _light(random: np.random.Generator, site: NDArray[np.int64], height: int, width: int) -> Field:
    """Illumination (N,H,W) about 1: a gradient that a site shares, and soft shadows that mean nothing."""
    direction = random.uniform(0, 2 * np.pi, int(site.max()) + 1)[site]
    slope = random.uniform(0.0, 0.35, len(site))
    down, right = np.linspace(-1, 1, height)[None, :, None], np.linspace(-1, 1, width)[None, None, :]
    gradient = np.sin(direction)[:, None, None] * down + np.cos(direction)[:, None, None] * right
    shadow = smooth(random, len(site), height, width, height / 3)
    light: Field = (1 + slope[:, None, None] * gradient - 0.22 * (shadow > 1.3)).astype(np.float32)
    return light


def _sky(random: np.random.Generator, count: int, height: int, width: int) -> Field:
    """Sky (N,H,W): brighter towards the horizon, dusty, otherwise smooth; some of it no brighter than sand."""
    top = random.uniform(50, 90, (count, 1, 1)).astype(np.float32)
    rise = random.uniform(-10, 30, (count, 1, 1)).astype(np.float32)
    haze = smooth(random, count, height, width, width / 2)
    sky: Field = top + rise * np.linspace(0, 1, height, dtype=np.float32)[None, :, None] + 4 * haze
    return sky


def _pebbles(random: np.random.Generator, count: int, height: int, width: int) -> Field:
    """Small stones (N,H,W) in grey levels, dark: too small to count as big rocks, so size must be seen."""
    field = smooth(random, count, height, width, 3.0 * np.sqrt(min(height, width) / 64))
    stones: Field = 14 * np.clip(field - 2.0, 0, 1)
    return stones


def _lay_rocks(random: np.random.Generator, image: Field, rocks: Rocks) -> None:
    """Paint the rocks into their tiles: lit on one side, dark on the other, with a shadow to the right."""
    lift = random.uniform(-8, 14, (len(rocks.tile), 1, 1)).astype(np.float32)
    rough = 6 * smooth(random, len(rocks.tile), image.shape[1], image.shape[2], 5.0)
    inside = rocks.distance < 1
    shadow = np.roll(inside, (image.shape[1] // 32, image.shape[2] // 42), axis=(1, 2)) & ~inside
    for number, tile in enumerate(rocks.tile):  # a few per hundred tiles
        image[tile][shadow[number]] *= 0.6
        body = image[tile] * 0.3 + 45 + lift[number] + rough[number] - 18 * rocks.slope[number]
        image[tile][inside[number]] = body[inside[number]]
