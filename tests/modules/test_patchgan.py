"""The PatchGAN: number of parameters, receptive field, small images, first weights."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spaces.facts import DataFacts
from spaces.modules.networks.patchgan import PatchGan, build_discriminator, fitting_layers
from spaces.recipe.architecture import Pix2Pix
from support.examples import examples


def data_facts(height: int, width: int, channels: int = 1, classes: int = 4) -> DataFacts:
    names = tuple(f"c{k}" for k in range(classes))
    return DataFacts(channels=channels, height=height, width=width, class_names=names)


def test_the_paper_s_discriminator_has_2768705_parameters() -> None:
    """C64-C128-C256-C512 on an RGB pair, as in the authors' code; counted layer by layer."""
    network = PatchGan(channels=3, classes=3, filters=64, layers=3)

    def convolution(inputs: int, outputs: int) -> int:
        return 4 * 4 * inputs * outputs

    by_hand = convolution(6, 64) + 64
    for inputs, outputs in ((64, 128), (128, 256), (256, 512)):
        by_hand += convolution(inputs, outputs) + 2 * outputs  # scale and shift in place of the bias
    by_hand += convolution(512, 1) + 1
    assert sum(p.numel() for p in network.parameters()) == by_hand == 2_768_705


@pytest.mark.parametrize(("layers", "side"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_sees_16_34_or_70_pixels(layers: int, side: int) -> None:
    """The pixels of a large image that one logit depends on, found by its gradient."""
    torch.manual_seed(0)
    network = PatchGan(channels=1, classes=1, filters=2, layers=layers).double().eval()
    for module in network.modules():  # positive weights, so that no gradient is stopped or cancelled on its way
        if isinstance(module, nn.Conv2d):
            module.weight.data.uniform_(0.5, 1.0)
    images = torch.rand(1, 1, 192, 192, dtype=torch.float64, requires_grad=True)
    patches = network(images, torch.rand(1, 1, 192, 192, dtype=torch.float64))
    patches[0, 0, patches.shape[2] // 2, patches.shape[3] // 2].backward()
    assert images.grad is not None
    seen = images.grad[0, 0] != 0
    assert int(seen.any(0).sum()) == int(seen.any(1).sum()) == side
    assert int(seen.sum()) == side**2


@settings(deadline=None, max_examples=examples(40))
@given(height=st.integers(8, 40), width=st.integers(8, 40), layers=st.integers(1, 3))
def test_every_image_gives_a_patch_and_one_more_halving_would_not(height: int, width: int, layers: int) -> None:
    model = Pix2Pix(discriminator_filters=8, discriminator_layers=layers)
    network = build_discriminator(model, data_facts(height, width), seed=0)
    patches = network(torch.rand(1, 1, height, width), torch.rand(1, 4, height, width))
    assert patches.shape[:2] == (1, 1)
    assert min(patches.shape[2:]) >= 1
    patches.square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    fitting = fitting_layers(layers, height, width)
    if fitting < layers:
        more = PatchGan(channels=1, classes=1, filters=2, layers=fitting + 1)
        with pytest.raises(RuntimeError, match="Kernel size"):
            more(torch.rand(1, 1, height, width), torch.rand(1, 1, height, width))


def test_patches_of_the_homework_s_images() -> None:
    """64x128, three halvings: 8x16, and each of the last two convolutions takes a row and a column."""
    network = build_discriminator(Pix2Pix(discriminator_layers=3), data_facts(64, 128), seed=0)
    patches = network(torch.rand(2, 1, 64, 128), torch.rand(2, 4, 64, 128))
    assert patches.shape == (2, 1, 6, 14)
    assert len([m for m in network.modules() if isinstance(m, nn.Conv2d)]) == 5
    with pytest.raises(ValueError, match="at least once"):
        PatchGan(channels=1, classes=2, filters=8, layers=0)


def test_channels_and_classes_come_from_the_facts() -> None:
    network = build_discriminator(Pix2Pix(discriminator_filters=8), data_facts(32, 32, channels=3, classes=7), seed=0)
    assert network(torch.rand(2, 3, 32, 32), torch.rand(2, 7, 32, 32)).shape == (2, 1, 6, 6)


def test_it_sees_the_image_and_the_mask() -> None:
    network = build_discriminator(Pix2Pix(discriminator_filters=8), data_facts(32, 32), seed=0)
    images = torch.rand(1, 1, 32, 32, requires_grad=True)
    mask = torch.rand(1, 4, 32, 32, requires_grad=True)
    network(images, mask).sum().backward()
    assert images.grad is not None
    assert mask.grad is not None
    assert images.grad.abs().sum() > 0
    assert bool((mask.grad.abs().sum((0, 2, 3)) > 0).all())


def test_first_weights_follow_the_seed_alone() -> None:
    model, facts = Pix2Pix(discriminator_filters=64, discriminator_layers=3), data_facts(64, 128)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = build_discriminator(model, facts, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, other = (build_discriminator(model, facts, seed=seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["last.weight"], other["last.weight"])


def test_first_weights_are_normal_with_deviation_0_02() -> None:
    network = build_discriminator(Pix2Pix(discriminator_layers=3), data_facts(64, 128), seed=0).requires_grad_(False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 100_000:
            assert float(module.weight.mean()) == pytest.approx(0.0, abs=2e-4)
            assert float(module.weight.std()) == pytest.approx(0.02, rel=0.01)
        elif isinstance(module, nn.BatchNorm2d):
            assert float(module.weight.mean()) == pytest.approx(1.0, abs=0.01)
            assert float(module.weight.std()) == pytest.approx(0.02, rel=0.25)
            assert not module.bias.any()
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            assert not module.bias.any()


def test_no_norm_after_the_first_and_the_last_convolution() -> None:
    network = PatchGan(channels=1, classes=2, filters=8, layers=2)
    order = [type(m).__name__ for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.LeakyReLU)]
    assert order == ["Conv2d", "LeakyReLU", *["Conv2d", "BatchNorm", "LeakyReLU"] * 2, "Conv2d"]
    assert all(m.negative_slope == 0.2 for m in network.modules() if isinstance(m, nn.LeakyReLU))


def test_it_runs_in_bfloat16_and_channels_last() -> None:
    network = build_discriminator(Pix2Pix(discriminator_filters=8), data_facts(32, 48), seed=0)
    network = network.to(memory_format=torch.channels_last)
    images, mask = torch.rand(2, 1, 32, 48), torch.rand(2, 4, 32, 48)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        patches = network(images.to(memory_format=torch.channels_last), mask.to(memory_format=torch.channels_last))
    patches.float().square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
