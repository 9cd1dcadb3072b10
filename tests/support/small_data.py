"""A small set that a training learns within a second."""

from __future__ import annotations

import numpy as np

from search.training.arrays import TrainingData
from spaces.facts import DataFacts


def blocks(samples: int, seed: int, channels: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Images of 16x24 in 8x8 blocks, each class with its own brightness under noise, and their masks."""
    rng = np.random.default_rng(seed)
    masks = np.kron(rng.integers(0, 3, (samples, 2, 3)), np.ones((8, 8), np.int64)).astype(np.uint8)
    shape = masks.shape if channels == 1 else (*masks.shape, channels)
    brightness = masks * 70.0 + 50 if channels == 1 else masks[..., None] * 70.0 + 50
    return np.clip(brightness + rng.normal(0, 20, shape), 0, 255).astype(np.uint8), masks


def small_data(channels: int = 1) -> TrainingData:
    """24 images to learn from and 10 to be judged on; three classes, the first excluded from the mean."""
    images, masks = blocks(34, 0, channels)
    return TrainingData(
        train_images=images[:24],
        train_masks=masks[:24],
        validation_images=images[24:],
        validation_masks=masks[24:],
        facts=DataFacts(channels=channels, height=16, width=24, class_names=("sky", "soil", "rock"), excluded=("sky",)),
        shown=(7, 2),
    )
