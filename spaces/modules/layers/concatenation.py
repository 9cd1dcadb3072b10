"""Maps side by side, whose gradients are dense.

Shapes: B images of a batch, C channels, H and W pixels of the feature map.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class DenseGradients(torch.autograd.Function):
    """torch.cat along the channels, which hands back a gradient of its own for each map instead of a view of all."""

    @staticmethod
    def forward(context: Any, *maps: Tensor) -> Tensor:
        """Put maps (B, C_i, H, W) side by side."""
        context.widths = [part.shape[1] for part in maps]
        return torch.cat(maps, dim=1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        """Take the gradient (B, sum of C_i, H, W) apart."""
        (gradient,) = gradients
        last = gradient.is_contiguous(memory_format=torch.channels_last)
        order = torch.channels_last if last else torch.contiguous_format
        return tuple(part.contiguous(memory_format=order) for part in torch.split(gradient, context.widths, dim=1))


def side_by_side(*maps: Tensor) -> Tensor:
    """Maps (B, C_i, H, W) along their channels: (B, sum of C_i, H, W).

    A map that is read twice, as every skip is, gets two gradients added. On a CPU that takes four times as long for a
    view of some of the channels than to copy it first (measured, channels-last bfloat16): torch walks it one by one.
    """
    if maps[0].device.type == "cpu" and torch.is_grad_enabled() and not torch.onnx.is_in_onnx_export():
        out: Tensor = DenseGradients.apply(*maps)  # type: ignore[no-untyped-call]
        return out
    return torch.cat(maps, dim=1)
