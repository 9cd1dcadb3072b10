"""The network: sizes, padding, normalisation, initial weights, number of parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spaces.build.blocks import HEAD_SCALE, group_count
from spaces.build.network import build_network, count_parameters
from spaces.build.unet import level_widths
from spaces.facts import DataFacts
from spaces.recipe import Recipe, UNet


def data_facts(channels: int = 1, classes: int = 3) -> DataFacts:
    return DataFacts(channels=channels, height=16, width=16, class_names=tuple(f"c{k}" for k in range(classes)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("classes", [2, 7])
def test_channels_and_classes_come_from_the_facts(channels: int, classes: int) -> None:
    mean, std = [100.0] * channels, [50.0] * channels
    network = build_network(Recipe(model=UNet(filters=4)), data_facts(channels, classes), mean=mean, std=std)
    assert network(torch.rand(2, channels, 20, 33)).shape == (2, classes, 20, 33)


@pytest.mark.parametrize("norm", ["none", "batch", "instance", "layer", "group"])
@pytest.mark.parametrize("growth", [1.0, 1.7])
def test_one_image_of_8x8_trains_at_depth_6(norm: str, growth: float) -> None:
    recipe = Recipe(model=UNet(filters=4, depth=6, norm=norm, growth=growth))
    network = build_network(recipe, data_facts(), mean=[0.5], std=[0.3])
    network(torch.rand(1, 1, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "group"])
def test_a_1x1_bottleneck_trains_on_one_image(norm: str) -> None:
    model = UNet(filters=4, depth=3, norm=norm, growth=1.0)
    network = build_network(Recipe(model=model), data_facts(), mean=[0.5], std=[0.3])
    network(torch.rand(1, 1, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert network.eval()(torch.rand(1, 1, 8, 8)).isfinite().all()


@settings(deadline=None, max_examples=25)
@given(height=st.integers(8, 70), width=st.integers(8, 70), depth=st.integers(2, 5))
def test_padding_repeats_the_border_and_is_cropped(height: int, width: int, depth: int) -> None:
    recipe = Recipe(model=UNet(filters=4, depth=depth, growth=1.0))
    network = build_network(recipe, data_facts(), mean=[10.0], std=[4.0]).eval()
    images = np.random.default_rng(height * 100 + width).uniform(0, 20, (1, 1, height, width)).astype(np.float32)
    rows, columns = -height % 2**depth, -width % 2**depth
    around = ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    with torch.no_grad():
        whole = network.body(torch.from_numpy((np.pad(images, around, mode="edge") - 10) / 4))
        expected = whole[..., rows // 2 : rows // 2 + height, columns // 2 : columns // 2 + width]
        torch.testing.assert_close(network(torch.from_numpy(images)), expected)


def test_a_size_that_fits_is_not_touched() -> None:
    network = build_network(Recipe(model=UNet(filters=4)), data_facts(), mean=[10.0], std=[4.0]).eval()
    images = torch.rand(2, 1, 32, 48) * 20
    with torch.no_grad():
        assert torch.equal(network(images), network.body((images - 10.0) / 4.0))


def test_bytes_give_what_the_same_numbers_as_floats_give() -> None:
    network = build_network(Recipe(model=UNet(filters=4)), data_facts(), mean=[100.0], std=[40.0]).eval()
    images = torch.randint(0, 256, (2, 1, 16, 16), dtype=torch.uint8)
    assert torch.equal(network(images), network(images.float()))


def test_normalisation_is_inside_and_travels_with_the_weights() -> None:
    recipe = Recipe(model=UNet(filters=4))
    plain = build_network(recipe, data_facts(3), mean=[0.0] * 3, std=[1.0] * 3).eval()
    scaled = build_network(recipe, data_facts(3), mean=[1.0, 2.0, 3.0], std=[2.0, 4.0, 8.0]).eval()
    images = torch.rand(1, 3, 16, 16)
    shifted = images * torch.tensor([2.0, 4.0, 8.0])[:, None, None] + torch.tensor([1.0, 2.0, 3.0])[:, None, None]
    torch.testing.assert_close(scaled(shifted), plain(images), atol=1e-4, rtol=1e-4)
    assert {"mean", "std"} <= scaled.state_dict().keys()


def test_weights_follow_the_seed_and_leave_the_global_randomness_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    recipe = Recipe(model=UNet(filters=4), seed=3)
    first = build_network(recipe, data_facts(), mean=[0.0], std=[1.0]).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again = build_network(recipe, data_facts(), mean=[0.0], std=[1.0]).state_dict()
    other = build_network(Recipe(model=UNet(filters=4), seed=4), data_facts(), mean=[0.0], std=[1.0]).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["body.head.weight"], other["body.head.weight"])


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "transposed"])
def test_initial_weights_keep_the_variance(upsampling: str) -> None:
    """He's promise: without normalisation features neither vanish nor explode over ten levels; logits start small."""
    model = UNet(filters=32, depth=5, growth=1.0, norm="none", upsampling=upsampling)
    network = build_network(Recipe(model=model), data_facts(), mean=[0.0], std=[1.0])
    images = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = float(network(images).std())
    assert 0.1 < logits / HEAD_SCALE < 10
    assert all(not m.bias.any() for m in network.modules() if isinstance(m, nn.Conv2d) and m.bias is not None)


def test_parameters_of_report_c() -> None:
    """U-Net 32-64-128-256, bottleneck 512, batch norm, transposed convolutions; counted by hand."""
    facts = DataFacts(channels=1, height=64, width=128, class_names=("bg", "soil", "bedrock", "sand", "rock"))
    network = build_network(Recipe(model=UNet(filters=32, depth=4)), facts, mean=[0.0], std=[1.0])

    def double(a: int, b: int) -> int:
        return 9 * a * b + 2 * b + 9 * b * b + 2 * b  # convolutions without bias, scale and shift of the norm

    encoder = double(1, 32) + double(32, 64) + double(64, 128) + double(128, 256)
    bottleneck = double(256, 512)
    up = sum(4 * 2 * n * n + n for n in (256, 128, 64, 32))  # 2x2 kernels from 2n to n, bias
    decoder = sum(double(2 * n, n) for n in (256, 128, 64, 32))
    assert count_parameters(network) == encoder + bottleneck + up + decoder + 32 * 5 + 5 == 7_762_597


def test_no_level_is_wider_than_the_widest() -> None:
    assert level_widths(UNet(filters=64, growth=2.0, depth=5)) == (64, 128, 256, 512, 512, 512)
    assert level_widths(UNet(filters=64, growth=2.0, depth=2, widest=100)) == (64, 100, 100)


def test_growth_1_keeps_the_width() -> None:
    assert level_widths(UNet(filters=6, growth=1.0, depth=3)) == (6, 6, 6, 6)
    assert level_widths(UNet(filters=4, growth=1.5, depth=3)) == (4, 6, 9, 14)


@given(channels=st.integers(1, 4096))
def test_groups_divide_the_channels(channels: int) -> None:
    groups = group_count(channels)
    assert channels % groups == 0
    assert 1 <= groups <= 8
    assert groups == 1 or channels // groups >= 2


def test_dropout_drops_whole_channels_in_training_only() -> None:
    network = build_network(Recipe(model=UNet(filters=4, dropout=0.6)), data_facts(), mean=[0.0], std=[1.0])
    drops = [m for m in network.modules() if isinstance(m, nn.Dropout2d)]
    assert len(drops) == 9  # four levels down, the bottleneck, four up
    kept = drops[0].train()(torch.ones(64, 16, 3, 3))
    per_channel = kept.flatten(2).mean(-1)
    assert per_channel.unique().tolist() == pytest.approx([0.0, 2.5])
    assert math.isclose(float((per_channel == 0).float().mean()), 0.6, abs_tol=0.1)
    images = torch.rand(1, 1, 16, 16)
    assert torch.equal(network.eval()(images), network(images))


def test_wrong_channels_are_refused() -> None:
    network = build_network(Recipe(model=UNet(filters=4)), data_facts(3), mean=[0.0] * 3, std=[1.0] * 3)
    with pytest.raises(ValueError, match="images have 1 channels, the network takes 3"):
        network(torch.rand(1, 1, 16, 16))
    with pytest.raises(ValueError, match="mean has 1 numbers for images of 3 channels"):
        build_network(Recipe(), data_facts(3), mean=[0.0], std=[1.0])
    with pytest.raises(ValueError, match="std > 0"):
        build_network(Recipe(), data_facts(1), mean=[0.0], std=[0.0])
