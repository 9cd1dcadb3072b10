"""What a network says of a window before anything is decided: these maps are merged, and decided of afterwards.

Shapes: B windows or images, C channels, K classes, M maps, h and w pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from spaces.modules.networks.network import Network


def raw_maps(network: Network, images: Tensor) -> Tensor:
    """The logits of images (B, C, h, w), and a background network's as the last map: (B, M, h, w)."""
    logits = network.outputs(images).high
    if network.background is None:
        return logits
    return torch.cat((logits, network.background_logit(images)[:, None]), dim=1)


def split_maps(network: Network, maps: Tensor) -> tuple[Tensor, Tensor | None]:
    """Logits (B, K, h, w), and the background network's (B, h, w) where there is one."""
    return (maps, None) if network.background is None else (maps[:, :-1], maps[:, -1].contiguous())
