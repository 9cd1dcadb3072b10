"""The network: sizes, padding, normalisation, initial weights, levels, the background network, ONNX."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.layers.blocks import HEAD_SCALE, Head
from spaces.modules.networks.background import TIE, background_label, merge_background
from spaces.modules.networks.model import Outputs, SegmentationModel
from spaces.modules.networks.network import Network, build_network, count_parameters, families
from spaces.recipe import Background, Recipe
from spaces.recipe.architecture import Architecture, DualUNet, Generator, Pix2Pix, UNet, UNetPlusPlus, WNet
from spaces.recipe.loss import Level, Loss
from support.examples import examples

FAMILIES = get_args(get_args(Generator)[0])


def data_facts(channels: int = 1, classes: int = 3, excluded: tuple[str, ...] = ()) -> DataFacts:
    names = tuple(f"c{k}" for k in range(classes))
    return DataFacts(channels=channels, height=16, width=16, class_names=names, excluded=excluded)


def smallest(family: type[Architecture]) -> Architecture:
    return family(filters=4, depth=2, growth=1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_channel_is_dropped_directly_before_the_head(family: type[Architecture]) -> None:
    """What is missing there is missing in the logits; Li et al. (arXiv 1801.05134) on the variance that shifts."""
    model = family(filters=4, depth=3, growth=1.0, dropout=0.6, dropout_place="decoder", activation="elu")
    network = build_network(Recipe(model=model), data_facts(), mean=[0.5], std=[0.3]).train()
    read: list[Tensor] = []
    heads = [module for module in network.modules() if isinstance(module, Head)]
    heads[-1].register_forward_hook(lambda module, maps, logits: read.append(maps[0]))
    network.outputs(torch.rand(16, 1, 16, 16))
    (maps,) = read
    assert maps.flatten(2).abs().amax(dim=2).min() > 0


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


@settings(deadline=None, max_examples=examples(25))
@given(height=st.integers(8, 70), width=st.integers(8, 70), depth=st.integers(2, 5))
def test_padding_repeats_the_border_and_is_cropped(height: int, width: int, depth: int) -> None:
    recipe = Recipe(model=UNet(filters=4, depth=depth, growth=1.0))
    network = build_network(recipe, data_facts(), mean=[10.0], std=[4.0]).eval()
    images = np.random.default_rng(height * 100 + width).uniform(0, 20, (1, 1, height, width)).astype(np.float32)
    rows, columns = -height % 2**depth, -width % 2**depth
    around = ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    with torch.no_grad():
        whole = network.model(torch.from_numpy((np.pad(images, around, mode="edge") - 10) / 4))
        expected = whole[..., rows // 2 : rows // 2 + height, columns // 2 : columns // 2 + width]
        torch.testing.assert_close(network(torch.from_numpy(images)), expected)


def test_a_size_that_fits_is_not_touched() -> None:
    network = build_network(Recipe(model=UNet(filters=4)), data_facts(), mean=[10.0], std=[4.0]).eval()
    images = torch.rand(2, 1, 32, 48) * 20
    with torch.no_grad():
        assert torch.equal(network(images), network.model((images - 10.0) / 4.0))


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
    assert not torch.equal(first["model.head.weight"], other["model.head.weight"])


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


def test_every_family_has_a_builder() -> None:
    assert set(families) == set(FAMILIES)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_follows_the_seed_alone(family: type[Architecture]) -> None:
    recipe = Recipe(
        model=smallest(family), loss=Loss(low=Level(), inter=Level()), background=Background(filters=4), seed=3
    )
    states = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        network = build_network(recipe, data_facts(excluded=("c0",)), mean=[0.0], std=[1.0])
        assert torch.equal(torch.get_rng_state(), before)
        states.append(network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_level_is_given_at_the_images_size(family: type[Architecture]) -> None:
    model = family(filters=4, depth=3, growth=1.0)
    recipe = Recipe(model=model, loss=Loss(low=Level(), inter=Level()))
    network = build_network(recipe, data_facts(), mean=[0.0], std=[1.0]).eval()
    images = torch.randint(0, 256, (2, 1, 37, 21), dtype=torch.uint8)
    out = network.outputs(images)
    assert out.inter
    assert out.low
    for logits in (out.high, *out.inter, *out.low):
        assert logits.shape == (2, 3, 37, 21)
        assert logits.dtype == torch.float32
    assert torch.equal(out.high, network(images))
    bare = build_network(Recipe(model=model), data_facts(), mean=[0.0], std=[1.0]).outputs(images)
    assert bare.inter == bare.low == ()


class Coarse(SegmentationModel):
    """The means of 4x4 pixels as the low level, the image itself as the high one."""

    multiple = 4

    def outputs(self, maps: Tensor) -> Outputs:
        return Outputs(high=maps, low=(functional.avg_pool2d(maps, 4),))


def test_coarse_levels_are_interpolated_over_the_padded_image_and_cropped() -> None:
    network = Network(Coarse(), mean=[0.0], std=[1.0])
    columns = torch.arange(14.0)  # a ramp: padded by 1 pixel on either side
    out = network.outputs(columns.expand(1, 1, 8, 14))
    assert torch.equal(out.high[0, 0, 0], columns)
    padded = np.pad(np.arange(14.0), 1, mode="edge")
    centres = np.arange(4) * 4 + 1.5
    expected = np.interp(np.arange(16), centres, padded.reshape(4, 4).mean(axis=1))[1:-1]
    np.testing.assert_allclose(out.low[0][0, 0, 3].numpy(), expected, rtol=1e-6)


def test_heads_are_drawn_after_the_rest() -> None:
    """The same seed gives the same body with and without deep supervision, so that the two can be compared."""
    plain, deep = (
        build_network(Recipe(model=UNet(filters=4), loss=loss), data_facts(), mean=[0.0], std=[1.0]).state_dict()
        for loss in (Loss(), Loss(low=Level(), inter=Level()))
    )
    assert plain.keys() < deep.keys()
    assert all(torch.equal(plain[name], deep[name]) for name in plain)


def test_an_adversarial_familys_network_is_its_generator() -> None:
    generator = UNetPlusPlus(filters=4, depth=2)
    alone = build_network(Recipe(model=generator), data_facts(), mean=[0.0], std=[1.0]).state_dict()
    inside = build_network(Recipe(model=Pix2Pix(generator=generator)), data_facts(), mean=[0.0], std=[1.0]).state_dict()
    assert alone.keys() == inside.keys()
    assert all(torch.equal(alone[name], inside[name]) for name in alone)


def test_images_are_padded_to_what_both_networks_need() -> None:
    model = UNet(filters=4, depth=2)
    recipe = Recipe(model=model, background=Background(filters=4, depth=4))
    network = build_network(recipe, data_facts(excluded=("c1",)), mean=[0.0], std=[1.0])
    assert network.multiple == 16
    assert network(torch.rand(1, 1, 9, 11)).shape == (1, 3, 9, 11)
    coarse = Recipe(model=DualUNet(filters=4, depth=3, branches="fine_coarse"))
    assert build_network(coarse, data_facts(), mean=[0.0], std=[1.0]).multiple == 16


def test_a_background_network_adds_its_own_u_net_and_leaves_the_other_alone() -> None:
    facts = data_facts(excluded=("c0",))
    section = Background(filters=4, depth=2, block="residual")
    without = build_network(Recipe(model=UNet(filters=4, depth=2)), facts, mean=[2.0], std=[3.0])
    network = build_network(Recipe(model=UNet(filters=4, depth=2), background=section), facts, mean=[2.0], std=[3.0])
    same = without.state_dict()
    assert all(torch.equal(network.state_dict()[name], same[name]) for name in same)
    own = UNet(filters=4, depth=2, block="residual")
    one = count_parameters(build_network(Recipe(model=own), data_facts(classes=2), mean=[0.0], std=[1.0]).model)
    assert count_parameters(network) - count_parameters(without) == one - (4 + 1)  # one logit, not two
    images = torch.rand(2, 1, 13, 10) * 5
    assert network.background_logit(images).shape == (2, 13, 10)
    assert network.background_logit(images).dtype == torch.float32
    assert torch.equal(network.eval().outputs(images).high, without.eval()(images))


def test_the_networks_labels_follow_the_threshold() -> None:
    recipe = Recipe(model=UNet(filters=4, depth=2), background=Background(filters=4, depth=2))
    network = build_network(recipe, data_facts(classes=4, excluded=("c2",)), mean=[0.0], std=[1.0]).eval()
    images = torch.rand(2, 1, 12, 12)
    with torch.no_grad():
        found, logits = network.background_logit(images), network.outputs(images).high
        foreground = torch.tensor([0, 1, 3])[logits[:, [0, 1, 3]].argmax(dim=1)]
        for threshold in (0.0, *found.flatten().sort().values[[10, 140, 280]].tolist(), -1e9, 1e9):
            network.threshold.fill_(threshold)
            expected = torch.where(found > network.threshold, 2, foreground)
            assert torch.equal(network(images).argmax(dim=1), expected)
    assert "threshold" in network.state_dict()


@settings(deadline=None, max_examples=examples(60))
@given(
    classes=st.integers(2, 5),
    excluded=st.integers(0, 4),
    threshold=st.sampled_from([-2.0, 0.0, 0.1, 1.0]),
    distance=st.sampled_from([0.0, 1e-30, 1e-7, 1e-3, 0.7, 50.0]),
    sign=st.sampled_from([-1.0, 1.0]),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 1e3]),
    seed=st.integers(0, 99),
)
def test_background_wins_exactly_above_the_threshold(
    classes: int, excluded: int, threshold: float, distance: float, sign: float, scale: float, seed: int
) -> None:
    excluded %= classes
    logits = scale * torch.randn(1, classes, 3, 3, generator=torch.Generator().manual_seed(seed))
    limit = torch.tensor(threshold)
    background = torch.full((1, 1, 3, 3), threshold) + sign * distance
    merged = merge_background(logits, background, limit, excluded)
    others = [k for k in range(classes) if k != excluded]
    foreground = torch.tensor(others)[logits[:, others].argmax(dim=1)]
    expected = torch.where(background[:, 0] > limit, excluded, foreground)
    assert torch.equal(merged.argmax(dim=1), expected)
    assert torch.equal(merged.softmax(dim=1).argmax(dim=1), expected)


def test_the_merged_probabilities_are_those_of_the_formula() -> None:
    logits, background = torch.randn(2, 4, 5, 5) * 3, torch.randn(2, 1, 5, 5)
    merged = merge_background(logits, background, torch.tensor(0.3), 1)
    expected = torch.empty(2, 4, 5, 5, dtype=torch.float64)
    others = [0, 2, 3]
    expected[:, others] = logits[:, others].double().log_softmax(dim=1)
    expected[:, 1] = expected[:, others].amax(dim=1) + background[:, 0].double() - 0.3
    torch.testing.assert_close(merged.softmax(1), expected.softmax(1).float(), atol=2 * TIE, rtol=1e-5)


def test_a_background_network_needs_a_background() -> None:
    recipe = Recipe(model=UNet(filters=4), background=Background())
    with pytest.raises(SpaceError, match="needs a class that is left out of the mean"):
        build_network(recipe, data_facts(), mean=[0.0], std=[1.0])
    assert background_label(data_facts(excluded=("c2", "c1"))) == 1  # the first in label order
    without = build_network(Recipe(model=UNet(filters=4)), data_facts(), mean=[0.0], std=[1.0])
    with pytest.raises(ValueError, match="has no background network"):
        without.background_logit(torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="come together"):
        Network(without.model, mean=[0.0], std=[1.0], background_label=0)


def exported(network: Network, path: Path, *, dynamo: bool) -> onnxruntime.InferenceSession:
    """The network as an ONNX file for images of 19x26, read back."""
    example = (torch.zeros(2, 1, 19, 26),)
    free = (
        {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamo else {"dynamic_axes": {"images": {0: "batch"}}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both exporters warn of themselves
        torch.onnx.export(
            network,
            example,
            str(path),
            input_names=["images"],
            output_names=["logits"],
            dynamo=dynamo,
            **free,
            **({"verbose": False} if dynamo else {}),
        )
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("family", "dynamo"), [(UNet, False), (WNet, False), pytest.param(UNet, True, marks=pytest.mark.long)]
)
def test_unpooling_pyramids_gates_and_the_background_survive_onnx(
    family: type[Architecture], dynamo: bool, tmp_path: Path
) -> None:
    model = family(
        filters=4, depth=2, upsampling="max_unpool", bottleneck="pyramid", skip="attention_gate", squeeze="every_block"
    )
    recipe = Recipe(model=model, background=Background(filters=4, depth=2))
    network = build_network(recipe, data_facts(excluded=("c0",)), mean=[0.5], std=[0.3]).eval()
    session = exported(network, tmp_path / "network.onnx", dynamo=dynamo)
    for batch in (1, 3):
        images = torch.rand(batch, 1, 19, 26)
        (came,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(came, network(images).numpy(), atol=1e-5, rtol=1e-4)
