"""Maps side by side: torch's numbers, and gradients that lie densely in memory."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spaces.modules.layers.concatenation import side_by_side


def maps(order: torch.memory_format, *widths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randn(2, width, 4, 6, generator=generator, dtype=torch.float64) for width in widths]
    return [one.contiguous(memory_format=order).requires_grad_() for one in drawn]


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_are_those_of_torch_cat(order: torch.memory_format) -> None:
    parts = maps(order, 3, 1, 2)
    weight = torch.randn(2, 6, 4, 6, dtype=torch.float64).contiguous(memory_format=order)
    ours, theirs = side_by_side(*parts), torch.cat(parts, dim=1)
    assert torch.equal(ours, theirs)
    found = torch.autograd.grad((ours * weight).sum(), parts)
    expected = torch.autograd.grad((theirs * weight).sum(), parts)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("order", [torch.channels_last, torch.contiguous_format])
def test_each_map_gets_a_dense_gradient_in_the_order_of_all(order: torch.memory_format) -> None:
    parts = maps(order, 3, 5)
    weight = torch.ones(2, 8, 4, 6, dtype=torch.float64).contiguous(memory_format=order)
    for gradient in torch.autograd.grad(side_by_side(*parts), parts, weight):
        assert gradient.is_contiguous(memory_format=order)


def test_nothing_is_recorded_where_nothing_learns() -> None:
    with torch.no_grad():
        assert side_by_side(*maps(torch.channels_last, 1, 1)).grad_fn is None
