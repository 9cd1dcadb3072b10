"""Labels for images, from a trained network.

Shapes: N images, K classes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from search.training.device import image_batch, resident_images


def probabilities(network: nn.Module, images: Tensor, *, tta: bool = False) -> Tensor:
    """Class probabilities (B, K, H, W) of images (B, C, H, W).

    tta: the mean of those of the image and of its left-right mirror, mirrored back. Top and bottom
    are not exchanged: a Mars picture has its horizon above.
    """
    found: Tensor = network(images).softmax(dim=1)
    if tta:
        found = (found + network(images.flip(-1)).softmax(dim=1).flip(-1)) / 2
    return found


@torch.inference_mode()
def predict_labels(
    network: nn.Module, images: NDArray[Any], *, device: str = "cpu", batch_size: int = 64, tta: bool = False
) -> NDArray[np.uint8]:
    """The most probable label of each pixel, uint8 (N, H, W), computed in float32.

    images: (N, H, W) or (N, H, W, 3) in the data's own scale, N may be 0. The network is moved to the
    device and back, and its training mode is left as it was.
    """
    target = torch.device(device)
    home = next((p.device for p in network.parameters()), target)
    was_training = network.training
    network.to(target).eval()
    try:
        masks = [
            probabilities(network, image_batch(part, torch.arange(len(part), device=target)), tta=tta)
            .argmax(dim=1)
            .to("cpu", torch.uint8)
            for part in _parts(images, batch_size, target)
        ]
    finally:
        network.to(home).train(was_training)
    return torch.cat(masks).numpy() if masks else np.zeros(images.shape[:3], np.uint8)


def _parts(images: NDArray[Any], batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """One batch after another on the device, so that it never holds all images."""
    for start in range(0, len(images), batch_size):
        yield resident_images(images[start : start + batch_size], device)
