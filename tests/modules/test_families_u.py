"""The families made of whole U-Nets: U-Net, WNet, dual-branch U-Net."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.attention import SqueezeExcitation
from spaces.modules.layers.blocks import Dense, Inception, Plain, Residual, initialise
from spaces.modules.layers.norms import BatchNorm, GroupNorm
from spaces.modules.layers.upsampling import Interpolated, MaxUnpool, Transposed
from spaces.modules.networks.dual_unet import build_dual_unet
from spaces.modules.networks.model import Heads, SegmentationModel
from spaces.modules.networks.unet import Trunk, build_unet
from spaces.modules.networks.wnet import build_wnet
from spaces.recipe.architecture import Bottleneck, DualUNet, UNet, Upsampling, UShape, WNet

MARS = DataFacts(channels=1, height=64, width=128, class_names=("bg", "soil", "bedrock", "sand", "rock"))
COLOUR = DataFacts(channels=3, height=32, width=32, class_names=("a", "b", "c", "d"))


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def build(model: UShape, facts: DataFacts = COLOUR, *, low: bool = False, inter: bool = False) -> SegmentationModel:
    builders: dict[type[UShape], Callable[..., SegmentationModel]] = {
        UNet: build_unet,
        WNet: build_wnet,
        DualUNet: build_dual_unet,
    }
    body = builders[type(model)](model, facts, Heads(low=low, inter=inter))
    initialise(body, model.activation, torch.Generator().manual_seed(0))
    return body


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


# The closed formulas, with batch norm: a convolution has no bias, its norm has a scale and a shift.


def conv(inputs: int, outputs: int, kernel: int = 3) -> int:
    return kernel**2 * inputs * outputs + 2 * outputs


def plain(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs) + conv(outputs, outputs)


def residual(inputs: int, outputs: int) -> int:
    return plain(inputs, outputs) + (conv(inputs, outputs, 1) if inputs != outputs else 0)


def transposed(inputs: int, outputs: int) -> int:
    return 4 * inputs * outputs + outputs


def head(inputs: int, classes: int) -> int:
    return inputs * classes + classes


def trunk(channels: int, widths: list[int], block: Callable[[int, int], int] = plain) -> int:
    encoder = sum(block(a, b) for a, b in pairwise([channels, *widths[:-1]]))
    decoder = sum(transposed(low, high) + block(2 * high, high) for high, low in pairwise(widths))
    return encoder + plain(widths[-2], widths[-1]) + decoder


def test_parameters_of_report_c() -> None:
    """U-Net 32-64-128-256, bottleneck 512, batch norm, transposed convolutions."""
    body = build(UNet(filters=32, depth=4), MARS)
    assert count(body) == trunk(1, [32, 64, 128, 256, 512]) + head(32, 5) == 7_762_597


def test_parameters_of_report_d() -> None:
    """U-Net 16-32-64-128, bottleneck 256, dropout."""
    body = build(UNet(filters=16, depth=4, dropout=0.2), MARS)
    assert count(body) == trunk(1, [16, 32, 64, 128, 256]) + head(16, 5) == 1_942_357


def test_parameters_of_a_wnet() -> None:
    """The first U-Net and its head, the second one on the image and K probabilities, with a 1x1 bottleneck."""
    widths = [8, 16, 32, 64]
    first = trunk(1, widths) + head(8, 5)
    second = trunk(1 + 5, widths) - plain(32, 64) + conv(32, 64, 1) + head(8, 5)
    assert count(build(WNet(filters=8, depth=3), MARS)) == first + second


def test_parameters_of_report_b() -> None:
    """Two residual blocks down, squeeze-and-excitation in the bottleneck: a little over 950,000 parameters."""
    model = DualUNet(filters=32, depth=2, block="residual", decoder_block="plain", squeeze="bottleneck")
    encoder_shortcuts = conv(1, 32, 1) + conv(32, 64, 1)
    squeeze = 128 * 8 + 8 + 8 * 128 + 128
    branch = trunk(1, [32, 64, 128]) + encoder_shortcuts + squeeze
    assert count(build(model, MARS)) == 2 * branch + conv(64, 32) + head(32, 5) == 960_693


@pytest.mark.parametrize("model", [UNet(filters=6, depth=3), WNet(filters=6, depth=3), DualUNet(filters=6, depth=3)])
def test_heads_add_their_own_parameters_only(model: UShape) -> None:
    without, low, inter = (count(body) for body in (build(model), build(model, low=True), build(model, inter=True)))
    branches = 2 if isinstance(model, DualUNet) else 1
    assert low - without == branches * head(48, 4)
    # A U-Net's decoder has 24, 12, 6 channels, and its halfway level is (3 - 1) // 2; a WNet's head is there anyway.
    assert inter - without == {UNet: head(12, 4), WNet: 0, DualUNet: 2 * head(6, 4)}[type(model)]


@pytest.mark.parametrize("branches", ["equal", "fine_coarse"])
@pytest.mark.parametrize("depth", [2, 3, 6])
def test_logits_of_a_level_have_its_resolution(depth: int, branches: str) -> None:
    size = 2 ** (depth + 1)
    maps = random(1, 3, size, 2 * size)
    half = 2 if branches == "fine_coarse" else 1
    deepest = size // 2**depth
    halfway = size // 2 ** (depth - 1 - (depth - 1) // 2)  # the decoder's level (depth - 1) // 2 from the deepest up
    expected = {
        UNet(filters=4, depth=depth, growth=1.0): ([halfway], [deepest]),
        WNet(filters=4, depth=depth, growth=1.0): ([size], [deepest]),
        DualUNet(filters=4, depth=depth, growth=1.0, branches=branches): (
            [size, size // half],
            [deepest, deepest // half],
        ),
    }
    for model, (inter, low) in expected.items():
        out = build(model, low=True, inter=True).outputs(maps)
        assert out.high.shape == (1, 4, size, 2 * size)
        assert [tuple(logits.shape) for logits in out.inter] == [(1, 4, n, 2 * n) for n in inter]
        assert [tuple(logits.shape) for logits in out.low] == [(1, 4, n, 2 * n) for n in low]
    assert halfway < size  # the finest level is the end's


@pytest.mark.parametrize("model", [UNet(depth=2), WNet(depth=2), DualUNet(depth=2, branches="fine_coarse")])
@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("inter", [False, True])
def test_every_parameter_has_a_gradient_from_the_levels_asked_for(model: UShape, low: bool, inter: bool) -> None:
    model = model.model_copy(update={"filters": 4, "skip": "attention_gate", "squeeze": "every_block"})
    body = build(model, low=low, inter=inter)
    out = body.outputs(random(2, 3, 16, 24))
    assert bool(out.low) == low
    assert bool(out.inter) == inter
    sum(logits.square().mean() for logits in (out.high, *out.inter, *out.low)).backward()
    for name, parameter in body.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("model", [UNet(), WNet(), DualUNet(), DualUNet(branches="fine_coarse")])
def test_a_body_is_its_end_and_works_at_its_smallest_size(model: UShape) -> None:
    body = build(model.model_copy(update={"filters": 4, "depth": 3, "bottleneck": "pyramid"}), low=True, inter=True)
    assert body.multiple == (16 if model == DualUNet(branches="fine_coarse") else 8)
    maps = random(1, 3, body.multiple, body.multiple)
    body(maps).square().mean().backward()
    body.eval()
    assert torch.equal(body(maps), body.outputs(maps).high)


@pytest.mark.parametrize("model", [UNet(), WNet(), DualUNet(branches="fine_coarse")])
def test_a_body_works_in_bfloat16_and_channels_last(model: UShape) -> None:
    model = model.model_copy(update={"filters": 4, "depth": 2, "upsampling": "max_unpool", "bottleneck": "pyramid"})
    body = build(model, low=True, inter=True).to(memory_format=torch.channels_last)
    maps = random(2, 3, 16, 24).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = body.outputs(maps)
    every = (out.high, *out.inter, *out.low)
    assert {logits.dtype for logits in every} == {torch.bfloat16}
    sum(logits.float().square().mean() for logits in every).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in body.parameters())


def kinds(modules: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in modules.children()]


def test_blocks_follow_the_patterns_in_order_of_computation() -> None:
    mixed = Trunk(UNet(filters=4, depth=4, block="plain_then_residual"), channels=1)
    assert kinds(mixed.encoder) == kinds(mixed.decoder) == [Plain, Plain, Residual, Residual]
    different = Trunk(UNet(filters=4, depth=3, block="inception_first", decoder_block="dense"), channels=1)
    assert kinds(different.encoder) == [Inception, Plain, Plain]
    assert kinds(different.decoder) == [Dense] * 3
    assert type(different.bottleneck) is Plain
    ups = Trunk(UNet(filters=4, depth=4, upsampling="nearest_then_transposed"), channels=1).upsampling
    assert kinds(ups) == [Interpolated, Interpolated, Transposed, Transposed]


def test_report_as_wnet_is_expressible() -> None:
    """Table 2: first U inception bottleneck, 3 simple decoders; second U 1x1 bottleneck, 1 residual and 2 simple."""
    model = WNet(
        filters=8,
        depth=3,
        bottleneck="inception",
        decoder_block="plain",
        second_bottleneck="pointwise",
        second_decoder_block="residual_first",
    )
    body = build(model)
    first, second = body.get_submodule("first"), body.get_submodule("second")
    assert isinstance(first, Trunk)
    assert isinstance(second, Trunk)
    assert kinds(first.encoder) == kinds(second.encoder) == kinds(first.decoder) == [Plain] * 3
    assert type(first.bottleneck) is Inception
    assert kinds(second.decoder) == [Residual, Plain, Plain]
    kernels = [m.kernel_size for m in second.bottleneck.modules() if isinstance(m, nn.Conv2d)]
    assert kernels == [(1, 1)]


@pytest.mark.parametrize(
    ("decoder", "second", "expected"),
    [
        ("same", "same", [Residual, Residual]),
        ("plain", "same", [Plain, Plain]),
        ("plain", "residual_first", [Residual, Plain]),
    ],
)
def test_the_second_decoder_is_the_firsts_unless_it_says_otherwise(
    decoder: str, second: str, expected: list[type[nn.Module]]
) -> None:
    model = WNet(filters=4, depth=2, block="residual", decoder_block=decoder, second_decoder_block=second)
    body = build(model)
    assert kinds(body.get_submodule("second.decoder")) == expected


def received(body: SegmentationModel, name: str, maps: Tensor) -> Tensor:
    """What the submodule of that name is given when the body sees the maps."""
    seen: list[Tensor] = []
    handle = body.get_submodule(name).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    body(maps)
    handle.remove()
    return seen[0]


def test_a_wnets_second_half_sees_the_image_and_the_firsts_probabilities() -> None:
    body = build(WNet(filters=4, depth=2), inter=True).eval()
    maps = random(2, 3, 8, 8)
    seen = received(body, "second", maps)
    assert torch.equal(seen[:, :3], maps)
    torch.testing.assert_close(seen[:, 3:], body.outputs(maps).inter[0].softmax(dim=1))


def test_a_coarse_branch_sees_means_of_2x2_pixels() -> None:
    maps = random(1, 3, 16, 16)
    assert torch.equal(received(build(DualUNet(filters=4, depth=2)), "second", maps), maps)
    body = build(DualUNet(filters=4, depth=2, branches="fine_coarse"))
    means = maps.unflatten(3, (8, 2)).unflatten(2, (8, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(received(body, "second", maps), means)
    assert torch.equal(received(body, "first", maps), maps)


def test_branches_may_differ_in_their_norm() -> None:
    def norms(module: nn.Module) -> set[type[nn.Module]]:
        return {type(m) for m in module.modules() if isinstance(m, (BatchNorm, GroupNorm))}

    body = build(DualUNet(filters=4, depth=2, second_norm="group"))
    assert norms(body.get_submodule("first")) == norms(body.get_submodule("merge")) == {BatchNorm}
    assert norms(body.get_submodule("second")) == {GroupNorm}
    assert norms(build(DualUNet(filters=4, depth=2))) == {BatchNorm}


@pytest.mark.parametrize(("squeeze", "expected"), [("nowhere", 0), ("bottleneck", 1), ("every_block", 7)])
def test_squeeze_and_excitation_stands_where_the_recipe_says(squeeze: str, expected: int) -> None:
    body = build(UNet(filters=4, depth=3, squeeze=squeeze))
    assert sum(isinstance(m, SqueezeExcitation) for m in body.modules()) == expected
    inside = sum(isinstance(m, SqueezeExcitation) for m in body.get_submodule("trunk.bottleneck").modules())
    assert inside == min(1, expected)


@pytest.mark.parametrize(("place", "expected"), [("every_block", 6), ("encoder", 3), ("bottleneck", 1), ("decoder", 2)])
def test_channels_are_dropped_where_the_recipe_says(place: str, expected: int) -> None:
    body = build(UNet(filters=4, depth=3, dropout=0.2, dropout_place=place))
    assert sum(isinstance(m, nn.Dropout2d) and m.p == 0.2 for m in body.modules()) == expected


def test_unpooling_reads_the_map_that_was_pooled() -> None:
    body = build(UNet(filters=4, depth=2, growth=1.0, upsampling="max_unpool")).eval()
    given: dict[str, tuple[Tensor, ...]] = {}
    for name, module in body.named_modules():
        if isinstance(module, (MaxUnpool, Plain)):
            module.register_forward_hook(lambda m, i, o, name=name: given.update({name: (*i, o)}))
    body(random(1, 3, 16, 16))
    for level in range(2):
        encoded = given[f"trunk.encoder.{level}"][-1]
        _, fine, out = given[f"trunk.upsampling.{1 - level}"]
        assert torch.equal(fine, encoded)
        kept = functional.max_pool2d(encoded, 2, return_indices=True)[1]
        outside = torch.ones_like(out).flatten(2).scatter(2, kept.flatten(2), 0.0).view_as(out)
        assert not (out * outside).any()


def test_a_weighted_skip_halves_what_the_decoder_sees() -> None:
    widths = {skip: build(UNet(filters=8, depth=2, skip=skip)) for skip in ("concat", "weighted_sum")}
    saved = 9 * (16 * 16 + 8 * 8) - 2 * 2  # the first convolution of two decoder blocks, less two pairs of scalars
    assert count(widths["concat"]) - count(widths["weighted_sum"]) == saved


@pytest.mark.parametrize("bottleneck", get_args(Bottleneck))
@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_without_norm_features_neither_vanish_nor_explode(bottleneck: str, upsampling: str) -> None:
    model = UNet(filters=16, depth=3, growth=1.0, norm="none", bottleneck=bottleneck, upsampling=upsampling)
    with torch.no_grad():
        logits = build(model)(random(2, 3, 32, 32))
    assert 0.01 < float(logits.std()) < 1.0  # a head's first weights are a tenth of He's
