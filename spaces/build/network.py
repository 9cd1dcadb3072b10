"""From a recipe to a network that takes images as they are: any scale, any size from 8x8 up.

Shapes: B images, C channels, K classes, H and W pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.build.blocks import initialise
from spaces.build.unet import build_unet
from spaces.facts import DataFacts
from spaces.recipe import Recipe, UNet

families: dict[str, Callable[[UNet, DataFacts], nn.Module]] = {"unet": build_unet}


class Network(nn.Module):
    """A segmentation network with the normalisation and the padding inside.

    body: from normalised maps (B, C, H', W') to logits (B, K, H', W'), H' and W' divisible by multiple.
    mean, std: buffers (1, C, 1, 1) float32 in the data's own scale; they travel with the weights.
    multiple: H and W are padded to the next multiple by repeating the border, and cropped afterwards.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, *, mean: Sequence[float], std: Sequence[float], multiple: int) -> None:
        """Wrap body; mean and std have one number per channel, std above zero."""
        super().__init__()
        if len(mean) != len(std) or min(std) <= 0:
            raise ValueError(f"mean and std need one number per channel and std > 0, got {list(mean)} and {list(std)}")
        self.body = body
        self.multiple = multiple
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map images (B, C, H, W), float or uint8 in the data's own scale, to logits (B, K, H, W) float32."""
        if images.shape[1] != self.mean.shape[1]:
            raise ValueError(f"images have {images.shape[1]} channels, the network takes {self.mean.shape[1]}")
        height, width = images.shape[-2:]
        rows, columns = -height % self.multiple, -width % self.multiple
        top, left = rows // 2, columns // 2
        maps = (images.float() - self.mean) / self.std
        # Repeating the border works at every size; reflection needs more pixels than it adds.
        maps = functional.pad(maps, (left, columns - left, top, rows - top), mode="replicate")
        logits: Tensor = self.body(maps)
        return logits[..., top : top + height, left : left + width].float()


def build_network(recipe: Recipe, facts: DataFacts, *, mean: Sequence[float], std: Sequence[float]) -> Network:
    """The recipe's network on the CPU, its weights drawn from the recipe's seed.

    mean, std: per channel, in the data's own scale, std above zero; facts.channels numbers each.
    The global random state is left as it was. Raises ValueError when mean or std do not fit the channels.
    """
    if len(mean) != facts.channels:
        raise ValueError(f"mean has {len(mean)} numbers for images of {facts.channels} channels: give one per channel")
    with torch.random.fork_rng(devices=[]):  # torch's constructors draw weights that are replaced below
        body = families[recipe.model.family](recipe.model, facts)
    initialise(body, recipe.model.activation, torch.Generator().manual_seed(recipe.seed))
    return Network(body, mean=mean, std=std, multiple=2**recipe.model.depth)


def count_parameters(network: nn.Module) -> int:
    """The number of trainable numbers in the network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
