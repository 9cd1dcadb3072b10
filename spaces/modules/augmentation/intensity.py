"""Changes of an image's brightness values that leave its mask alone: blur, contrast and brightness, noise.

Shapes: B images, C channels, H and W pixels. images (B, C, H, W) float, in the data's own scale.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from spaces.modules.augmentation.random import either_way, shares, some
from spaces.recipe.data_options import Augment


def blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each image with a Gaussian of its own sigma (B, 1, 1, 1), in pixels; sigma 0 changes nothing.

    Written as two products with banded matrices whose rows sum to 1: at the border the Gaussian is cut
    and renormalised, so no padding is needed and a constant image stays as it is.
    """
    width = sigma.clamp_min(1e-3)

    def matrix(size: int) -> Tensor:
        position = torch.arange(size, device=images.device, dtype=images.dtype)
        distance = (position[:, None] - position[None, :]) / width
        kernel = torch.exp(-0.5 * distance**2)
        return kernel / kernel.sum(dim=-1, keepdim=True)

    rows, columns = matrix(images.shape[-2]), matrix(images.shape[-1])
    return rows @ images @ columns.transpose(-1, -2)


def relight(images: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Scale each channel around its own mean in the image by gain (B, 1, 1, 1), then add shift (B, C, 1, 1)."""
    mean = images.mean(dim=(-2, -1), keepdim=True)
    return torch.addcmul(mean * (1 - gain) + shift, images, gain)


def add_noise(images: Tensor, sigma: Tensor, generator: Generator) -> Tensor:
    """Add Gaussian noise of standard deviation sigma (B, C, 1, 1), in the images' own scale."""
    noise = torch.randn(images.shape, generator=generator, device=generator.device, dtype=images.dtype)
    return images + sigma * noise


def change_intensity(
    images: Tensor, augment: Augment, deviation: Tensor, strength: Tensor, generator: Generator
) -> Tensor:
    """Blur, then contrast and brightness, then noise, each only where the section asks for it and in some images.

    deviation: the data's standard deviation per channel (1, C, 1, 1), the unit of brightness and noise.
    strength: factor (B, 1, 1, 1) on what the section allows at most. Sigmas are drawn evenly from 0 to their
    largest, the shift and the change of contrast evenly to both sides; a contrast never falls below 0.
    """
    count = len(images)

    def chosen() -> Tensor:
        return strength * some(count, augment.probability, generator)

    if augment.blur > 0:
        images = blur(images, augment.blur * chosen() * shares(count, generator))
    if augment.contrast > 0 or augment.brightness > 0:
        most = chosen()
        gain = (1 + augment.contrast * most * either_way(count, generator)).clamp_min(0)
        shift = augment.brightness * most * deviation * either_way(count, generator)
        images = relight(images, gain, shift)
    if augment.noise > 0:
        images = add_noise(images, augment.noise * chosen() * deviation * shares(count, generator), generator)
    return images
