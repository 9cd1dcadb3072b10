"""Labels for images, from a trained network.

Shapes: N images, K classes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.errors import TrainingFailed
from search.training.device import exact_float32, image_batch, out_of_memory, resident_images

Mirror = Literal["horizontal", "vertical"]
_DIMENSION: dict[Mirror, int] = {"horizontal": -1, "vertical": -2}


def probabilities(network: nn.Module, images: Tensor, mirrors: Sequence[Mirror] = ()) -> Tensor:
    """Class probabilities (B, K, H, W) of images (B, C, H, W).

    mirrors: the mean of those of the image and of its mirror images in these directions and their combinations,
    mirrored back; only those that the network was trained with (`Augment.mirrors`).
    """
    found: Tensor = network(images).softmax(dim=1)
    sides = [_DIMENSION[mirror] for mirror in mirrors]
    for flipped in (pair for count in range(1, len(sides) + 1) for pair in combinations(sides, count)):
        found = found + network(images.flip(flipped)).softmax(dim=1).flip(flipped)
    return found / float(2 ** len(sides))


@torch.inference_mode()
def predict_labels(
    network: nn.Module,
    images: NDArray[Any],
    *,
    batch_size: int,
    device: str = "cpu",
    mirrors: Sequence[Mirror] = (),
) -> NDArray[np.uint8]:
    """The most probable label of each pixel, uint8 (N, H, W), computed in float32.

    images: (N, H, W) or (N, H, W, 3) in the data's own scale, N may be 0. The network is moved to the
    device and back, and its training mode is left as it was.
    batch_size: at most so many at a time, as many as the training took; halved while there is no memory for them.
    Raises TrainingFailed when there is none for a single image.
    """
    exact_float32()
    target = torch.device(device)
    home = next((p.device for p in network.parameters()), target)
    was_training = network.training
    network.to(target).eval()
    try:
        masks = list(_batches(network, images, batch_size, target, mirrors))
    finally:
        network.to(home).train(was_training)
    return torch.cat(masks).numpy() if masks else np.zeros(images.shape[:3], np.uint8)


def _batches(
    network: nn.Module, images: NDArray[Any], size: int, device: torch.device, mirrors: Sequence[Mirror]
) -> Iterator[Tensor]:
    """The labels of one batch after another, so that the device never holds all images."""
    start = 0
    while start < len(images):
        labels = _labels(network, images[start : start + size], device, mirrors)
        if labels is not None:
            start += size
            yield labels
        elif size == 1:
            raise TrainingFailed(f"{device}: not enough memory to label one image: free some, or use another device")
        else:
            size //= 2


def _labels(network: nn.Module, images: NDArray[Any], device: torch.device, mirrors: Sequence[Mirror]) -> Tensor | None:
    """The labels of one batch on the CPU; None when there is no memory for it."""
    try:
        part = resident_images(images, device)
        batch = image_batch(part, torch.arange(len(part), device=device))
        return probabilities(network, batch, mirrors).argmax(dim=1).to("cpu", torch.uint8)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return None
