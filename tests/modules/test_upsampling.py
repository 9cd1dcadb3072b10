"""A transposed convolution whose kernel is its stride, in both of the ways in which it is computed."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from spaces.modules.layers.upsampling import Squares


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("training", [True, False])
def test_it_is_torchs_transposed_convolution(factor: int, training: bool) -> None:
    torch.manual_seed(0)
    layer = Squares(3, 5, factor).double().train(training)
    maps = torch.randn(2, 3, 4, 6, dtype=torch.float64, requires_grad=True)
    given = (maps, layer.weight, layer.bias)
    found, expected = layer(maps), functional.conv_transpose2d(*given, stride=factor)
    torch.testing.assert_close(found, expected)
    weight = torch.randn_like(expected)
    for ours, theirs in zip(*(torch.autograd.grad(out, given, weight) for out in (found, expected)), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_learning_on_a_cpu_takes_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, maps = Squares(3, 5, 2), torch.randn(2, 3, 4, 6)
    expected = layer.eval()(maps)
    monkeypatch.setattr(functional, "conv_transpose2d", None)  # the slow one
    torch.testing.assert_close(layer.train()(maps), expected)


def test_maps_that_lie_channels_last_stay_so() -> None:
    maps = torch.randn(2, 3, 4, 6).contiguous(memory_format=torch.channels_last)
    assert Squares(3, 5, 2)(maps).is_contiguous(memory_format=torch.channels_last)
