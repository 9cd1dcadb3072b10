"""PatchGAN (Pix2Pix, arXiv 1611.07004, section 6.1.2): is a mask, beside its image, true or generated, patch by patch?

Shapes: B images, C channels, K classes, H and W pixels, h and w patches.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from spaces.facts import DataFacts
from spaces.modules.layers.norms import BatchNorm
from spaces.recipe.architecture import Pix2Pix

KERNEL = 4
"""Side of every convolution's kernel, in pixels."""
SLOPE = 0.2
"""Slope of leaky ReLU below zero."""
MOST_DOUBLINGS = 3
"""The channels double so often at most: the paper's C64-C128-C256-C512."""
DEVIATION = 0.02
"""Standard deviation of the first weights (section 6.2)."""
_SMALLEST_MAP = 3
"""Side that the two last convolutions, each of which takes one pixel off, turn into one patch."""


def fitting_layers(layers: int, height: int, width: int) -> int:
    """As many of the halvings as leave at least one patch of an image of height x width pixels, both 8 or more.

    Each halving rounds down, and the last two convolutions need a map of 3x3: 8 pixels allow one halving, 12 two,
    24 all three.
    """
    return max(n for n in range(1, layers + 1) if n == 1 or min(height, width) >> n >= _SMALLEST_MAP)


def _layer(inputs: int, outputs: int, *, stride: int, norm: bool) -> nn.Sequential:
    """A 4x4 convolution, batch normalisation if asked for, leaky ReLU."""
    convolution = nn.Conv2d(inputs, outputs, KERNEL, stride=stride, padding=1, bias=not norm)
    return nn.Sequential(convolution, BatchNorm(outputs) if norm else nn.Identity(), nn.LeakyReLU(SLOPE, inplace=True))


class PatchGan(nn.Module):
    """Halving convolutions, then two of stride 1, the last of which gives one logit per patch: above 0 means true.

    Batch normalisation stands after every convolution but the first and the last. With three halvings and 64 filters
    it is the paper's 70x70 PatchGAN.
    """

    def __init__(self, *, channels: int, classes: int, filters: int, layers: int) -> None:
        """For images of that many channels and masks of that many classes; layers: how often it halves, from 1."""
        super().__init__()
        if layers < 1:
            raise ValueError(f"a PatchGAN halves at least once, got layers={layers}")
        widths = [filters * 2 ** min(n, MOST_DOUBLINGS) for n in range(layers + 1)]
        strides = [2] * (layers - 1) + [1]
        steps = zip(widths[:-1], widths[1:], strides, strict=True)
        first = _layer(channels + classes, filters, stride=2, norm=False)
        self.layers = nn.Sequential(first, *(_layer(a, b, stride=stride, norm=True) for a, b, stride in steps))
        self.last = nn.Conv2d(widths[-1], 1, KERNEL, padding=1)

    def forward(self, images: Tensor, probabilities: Tensor) -> Tensor:
        """Map normalised images (B, C, H, W) and class probabilities (B, K, H, W) to logits (B, 1, h, w)."""
        out: Tensor = self.last(self.layers(torch.cat((images, probabilities), dim=1)))
        return out


def _initialise(network: PatchGan, generator: Generator) -> None:
    """Weights from N(0, 0.02), scales of the norms from N(1, 0.02) as in the authors' code, biases and shifts 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            mean = 1.0 if isinstance(module, nn.BatchNorm2d) else 0.0
            nn.init.normal_(module.weight, mean, DEVIATION, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def build_discriminator(model: Pix2Pix, facts: DataFacts, seed: int) -> PatchGan:
    """The PatchGAN of the model section on the CPU, sized for the data's images, its weights drawn from the seed.

    Images too small for model.discriminator_layers get fewer, see fitting_layers. The global random state is left as
    it was.
    """
    with torch.random.fork_rng(devices=[]):  # torch's constructors draw weights that are replaced below
        network = PatchGan(
            channels=facts.channels,
            classes=facts.classes,
            filters=model.discriminator_filters,
            layers=fitting_layers(model.discriminator_layers, facts.height, facts.width),
        )
    _initialise(network, torch.Generator().manual_seed(seed))
    return network
