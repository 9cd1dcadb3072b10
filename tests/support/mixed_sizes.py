"""Labelled images of several sizes, which a training can learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from storage.data.canvas import on_canvas
from storage.data.dataset import Dataset, build_dataset

NAMES = ("sky", "soil", "rock")
SIZES = ((24, 40), (16, 16), (40, 24), (33, 57), (48, 48), (20, 64))


def images_and_masks(
    sizes: Sequence[tuple[int, int]], seed: int = 0, channels: int = 1
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Lists of uint8 images in 8x8 blocks, each class with its own brightness under noise, and their masks."""
    random = np.random.default_rng(seed)
    masks = [_mask(random, *size) for size in sizes]
    noisy = [mask * 70.0 + 50 + random.normal(0, 20, mask.shape) for mask in masks]
    images = [np.clip(image, 0, 255).astype(np.uint8) for image in noisy]
    return [image if channels == 1 else np.stack([image] * channels, axis=2) for image in images], masks


def mixed_dataset(count: int = 12, *, seed: int = 0, channels: int = 1, tests: int = 0) -> Dataset:
    """A data set whose images have the sizes above in turn; the first class is left out of the mean."""
    images, masks = images_and_masks([SIZES[k % len(SIZES)] for k in range(count)], seed, channels)
    canvas, sizes = on_canvas(images)
    drawn, test_sizes = (None, None)
    if tests:
        wanted = [SIZES[-1 - k % 3] for k in range(tests)]
        drawn, test_sizes = on_canvas(images_and_masks(wanted, seed + 1, channels)[0])
    return build_dataset(
        images=canvas,
        masks=on_canvas(masks)[0],
        class_names=NAMES,
        excluded=("sky",),
        test_images=drawn,
        sizes=sizes,
        test_sizes=test_sizes,
    )


def _mask(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    cells = random.integers(0, len(NAMES), (-(-height // 8), -(-width // 8)))
    return np.kron(cells, np.ones((8, 8), np.int64))[:height, :width].astype(np.uint8)
