"""Random numbers for a batch: one draw per image, from the generator that is passed, on its device.

Shapes: B images.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def shares(count: int, generator: Generator) -> Tensor:
    """One number per image, drawn evenly from 0 .. 1: (B, 1, 1, 1)."""
    return torch.rand(count, 1, 1, 1, generator=generator, device=generator.device)


def either_way(count: int, generator: Generator) -> Tensor:
    """One number per image, drawn evenly from -1 .. 1: (B, 1, 1, 1)."""
    return 2 * shares(count, generator) - 1


def some(count: int, probability: float, generator: Generator) -> Tensor:
    """Which images are chosen, each with that probability: (B, 1, 1, 1) bool. With 1 nothing is drawn."""
    if probability >= 1:
        return torch.ones(count, 1, 1, 1, dtype=torch.bool, device=generator.device)
    return shares(count, generator) < probability
