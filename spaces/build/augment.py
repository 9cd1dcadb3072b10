"""What is done at random to a batch of training images and their masks, on the device that holds them.

Shapes: B images, C channels, H and W pixels. images (B, C, H, W) in the data's own scale, masks (B, H, W).
Every random number comes from the generator that is passed, so a seed fixes the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from spaces.facts import DataFacts
from spaces.recipe import Augment

Batch = tuple[Tensor, Tensor]
Step = Callable[[Tensor, Tensor, Generator], Batch]


def _uniform(batch: Tensor, generator: Generator) -> Tensor:
    """One number in 0 .. 1 per image, shaped (B, 1, 1, 1)."""
    return torch.rand(len(batch), 1, 1, 1, generator=generator, device=generator.device).to(batch.device)


def flip(images: Tensor, masks: Tensor, generator: Generator, *, axis: int) -> Batch:
    """Mirror about half of the images and their masks along axis (-1: left and right, -2: top and bottom)."""
    chosen = _uniform(images, generator) < 0.5
    return (
        torch.where(chosen, images.flip(axis), images),
        torch.where(chosen[:, 0], masks.flip(axis), masks),
    )


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


def add_noise(images: Tensor, sigma: Tensor, generator: Generator) -> Tensor:
    """Add Gaussian noise of standard deviation sigma (B, C, 1, 1), in the images' own scale."""
    noise = torch.randn(images.shape, generator=generator, device=generator.device, dtype=images.dtype)
    return images + sigma * noise.to(images.device)


def build_augment(augment: Augment, facts: DataFacts, *, std: Sequence[float]) -> Step:
    """A function (images, masks, generator) -> (images, masks) that does what the section asks for, in float32.

    std: the data's standard deviation per channel, the unit of augment.noise. Sigmas of noise and blur
    are drawn per image, evenly from 0 to their largest. Flips act on masks too; noise and blur do not.
    Raises ValueError when std does not fit the channels.
    """
    if len(std) != facts.channels:
        raise ValueError(f"std has {len(std)} numbers for images of {facts.channels} channels: give one per channel")
    deviation = torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)

    def apply(images: Tensor, masks: Tensor, generator: Generator) -> Batch:
        nonlocal deviation
        images = images.float()
        if augment.flip_horizontal:
            images, masks = flip(images, masks, generator, axis=-1)
        if augment.flip_vertical:
            images, masks = flip(images, masks, generator, axis=-2)
        if augment.blur > 0:
            images = blur(images, augment.blur * _uniform(images, generator))
        if augment.noise > 0:
            deviation = deviation.to(images.device)  # moved once, then a no-op
            images = add_noise(images, augment.noise * _uniform(images, generator) * deviation, generator)
        return images, masks

    return apply
