"""Blocks, bottlenecks, skips, upsampling and attention, against slow references and at the smallest sizes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from spaces.modules.layers.attention import AttentionGate, SqueezeExcitation
from spaces.modules.layers.blocks import (
    Head,
    Inception,
    Plain,
    Residual,
    Style,
    branch_widths,
    build_block,
    build_convolution,
    build_norm,
    initialise,
)
from spaces.modules.layers.bottlenecks import Dilated, build_bottleneck, pool_to
from spaces.modules.layers.levels import level_kinds, level_widths, style_at
from spaces.modules.layers.norms import group_count
from spaces.modules.layers.skips import build_skip
from spaces.modules.layers.upsampling import build_upsampling, max_unpool
from spaces.recipe.architecture import Block, Bottleneck, UNet, Upsampling
from support.examples import examples

Build = Callable[[str, int, int, Style], nn.Module]

BLOCKS = [kind for kind in get_args(Block) if level_kinds(kind, 2) == (kind, kind)]
UPSAMPLINGS = [kind for kind in get_args(Upsampling) if level_kinds(kind, 2) == (kind, kind)]
PARTS = [
    *(pytest.param(build_block, kind, id=f"block-{kind}") for kind in BLOCKS),
    *(pytest.param(build_bottleneck, kind, id=f"bottleneck-{kind}") for kind in get_args(Bottleneck)),
]
NORMS = ["none", "batch", "instance", "layer", "group"]
SIZES = [(1, 1), (2, 3), (7, 5)]


def style(
    *, kernel: int = 3, norm: str = "batch", activation: str = "relu", dropout: float = 0.0, squeeze: bool = False
) -> Style:
    return Style(kernel=kernel, norm=norm, activation=activation, dropout=dropout, squeeze=squeeze)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def drawn(module: nn.Module, seed: int = 0) -> nn.Module:
    initialise(module, "relu", torch.Generator().manual_seed(seed))
    return module


def assert_trains(module: nn.Module, out: Tensor, *inputs: Tensor) -> None:
    assert out.isfinite().all()
    (out * random(*out.shape, seed=9)).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), name
    assert all(maps.grad is not None and maps.grad.isfinite().all() for maps in inputs)


@pytest.mark.parametrize("kind", BLOCKS)
@pytest.mark.parametrize("norm", NORMS)
def test_every_block_trains_on_one_image_at_every_size_and_width(kind: str, norm: str) -> None:
    for (height, width), (inputs, outputs) in product(SIZES, [(1, 4), (7, 5), (8, 8)]):
        block = drawn(build_block(kind, inputs, outputs, style(norm=norm, dropout=0.1, squeeze=True)))
        maps = random(1, inputs, height, width).requires_grad_()
        out = block(maps)
        assert out.shape == (1, outputs, height, width)
        assert_trains(block, out, maps)


@pytest.mark.parametrize("kind", get_args(Bottleneck))
@pytest.mark.parametrize("norm", NORMS)
def test_every_bottleneck_trains_on_one_image_at_every_size_and_width(kind: str, norm: str) -> None:
    for (height, width), (inputs, outputs) in product(SIZES, [(4, 4), (5, 7), (8, 16)]):
        bottleneck = drawn(build_bottleneck(kind, inputs, outputs, style(norm=norm, dropout=0.1, squeeze=True)))
        maps = random(1, inputs, height, width).requires_grad_()
        out = bottleneck(maps)
        assert out.shape == (1, outputs, height, width)
        assert_trains(bottleneck, out, maps)


@pytest.mark.parametrize(("build", "kind"), PARTS)
@pytest.mark.parametrize("kernel", [5, 7])
def test_a_wider_kernel_keeps_the_size(build: Build, kind: str, kernel: int) -> None:
    assert build(kind, 4, 8, style(kernel=kernel))(random(2, 4, 6, 9)).shape == (2, 8, 6, 9)


@pytest.mark.parametrize(("build", "kind"), PARTS)
def test_every_block_works_in_bfloat16_and_channels_last(build: Build, kind: str) -> None:
    block = drawn(build(kind, 4, 8, style(squeeze=True))).to(memory_format=torch.channels_last)
    maps = random(2, 4, 6, 8).contiguous(memory_format=torch.channels_last)
    exact = block(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = block(maps)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), exact, atol=0.15, rtol=0.1)
    assert_trains(block, out.float())


@pytest.mark.parametrize(("build", "kind"), PARTS)
@pytest.mark.parametrize("squeeze", [False, True])
def test_dropout_comes_last_and_once(build: Build, kind: str, squeeze: bool) -> None:
    torch.manual_seed(0)
    block = drawn(build(kind, 4, 32, style(dropout=0.5, squeeze=squeeze)))
    assert sum(isinstance(m, nn.Dropout2d) and m.p > 0 for m in block.modules()) == 1
    assert sum(isinstance(m, SqueezeExcitation) for m in block.modules()) == squeeze
    dropped = (block(random(8, 4, 4, 4)) == 0).all(dim=(2, 3)).float().mean()
    assert 0.35 < dropped < 0.8  # whole channels; with ReLU a few more are zero by themselves
    whole = block.eval()(random(8, 4, 4, 4))
    assert (whole == 0).all(dim=(2, 3)).float().mean() < 0.35


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    return kernel**2 * inputs * outputs + 2 * outputs  # no bias; scale and shift of the norm


PARAMETERS = {  # from 6 to 16 channels, kernel 3, batch norm
    "plain": convolution(6, 16, 3) + convolution(16, 16, 3),
    "residual": convolution(6, 16, 3) + convolution(16, 16, 3) + convolution(6, 16, 1),
    "inception": convolution(6, 4, 1)
    + (convolution(6, 8, 1) + convolution(8, 8, 3))
    + (convolution(6, 2, 1) + 2 * convolution(2, 2, 3))
    + convolution(6, 2, 1),
    "dense": convolution(6, 8, 3) + convolution(14, 8, 3) + convolution(22, 8, 3) + convolution(30, 16, 1),
    "expanded": convolution(6, 32, 3) + convolution(32, 16, 3),
    "dilated": 4 * convolution(6, 8, 3) + convolution(32, 16, 1),
    "pyramid": convolution(6, 16, 3) + 4 * convolution(16, 4, 1) + convolution(32, 16, 3),
    "dual": (convolution(6, 8, 3) + convolution(8, 8, 3)) + (4 * convolution(6, 4, 3) + convolution(16, 8, 1)),
    "pointwise": convolution(6, 16, 1),
}


@pytest.mark.parametrize(("build", "kind"), PARTS)
def test_parameters_are_those_counted_by_hand(build: Build, kind: str) -> None:
    squeeze = 16 * 8 + 8 + 8 * 16 + 16
    assert sum(p.numel() for p in build(kind, 6, 16, style()).parameters()) == PARAMETERS[kind]
    weighed = build(kind, 6, 16, style(squeeze=True))
    assert sum(p.numel() for p in weighed.parameters()) == PARAMETERS[kind] + squeeze


def test_without_norm_convolutions_have_biases() -> None:
    plain = build_block("plain", 6, 16, style(norm="none"))
    assert sum(p.numel() for p in plain.parameters()) == 9 * 6 * 16 + 16 + 9 * 16 * 16 + 16


def test_a_residual_block_adds_its_input_after_squeezing() -> None:
    for inputs in (3, 8):
        block = Residual(inputs, 8, style(squeeze=True)).eval()
        assert isinstance(block.squeeze, SqueezeExcitation)
        nn.init.zeros_(block.squeeze.excite.weight)
        nn.init.constant_(block.squeeze.excite.bias, -1e4)  # the squeezed path is silent
        maps = random(2, inputs, 4, 4)
        assert torch.equal(block(maps), torch.relu(block.shortcut(maps)))
        if inputs == 8:
            assert torch.equal(block(maps), torch.relu(maps))


@settings(deadline=None)
@given(outputs=st.integers(4, 4096))
def test_inception_branches_add_up_to_the_outputs(outputs: int) -> None:
    widths = branch_widths(outputs)
    assert sum(widths) == outputs
    assert min(widths) >= 1


def test_inception_has_googlenets_shares_and_needs_four_channels() -> None:
    assert branch_widths(256) == (64, 128, 32, 32)  # table 1, row 3a
    with pytest.raises(ValueError, match="needs 4 outputs or more, got 3"):
        branch_widths(3)


def test_an_inception_block_is_its_four_branches_side_by_side() -> None:
    block = drawn(Inception(3, 8, style(norm="none", activation="relu"))).double().eval()
    maps = random(2, 3, 6, 7).double()
    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]

    def conv(k: int, x: Tensor) -> Tensor:
        module = convolutions[k]
        return functional.conv2d(x, module.weight, module.bias, padding="same").relu()

    around = functional.pad(maps, (1, 1, 1, 1), value=-math.inf)
    pooled = torch.stack([around[..., i : i + 6, j : j + 7] for i in range(3) for j in range(3)]).amax(0)
    expected = torch.cat(
        (conv(0, maps), conv(2, conv(1, maps)), conv(5, conv(4, conv(3, maps))), conv(6, pooled)), dim=1
    )
    torch.testing.assert_close(block(maps), expected)


def test_a_dense_layer_sees_all_maps_before_it() -> None:
    block = drawn(build_block("dense", 3, 6, style(norm="none"))).double().eval()
    seen = random(1, 3, 5, 5).double()
    maps = seen.clone()
    *layers, transition = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    for layer in layers:
        new = functional.conv2d(seen, layer.weight, layer.bias, padding="same").relu()
        seen = torch.cat((seen, new), dim=1)
    expected = functional.conv2d(seen, transition.weight, transition.bias).relu()
    torch.testing.assert_close(block(maps), expected)


def test_dilated_paths_reach_1_2_4_and_8_pixels_far() -> None:
    bottleneck = Dilated(1, 2, style(norm="none"))
    for parameter in bottleneck.parameters():
        nn.init.constant_(parameter, 1.0 if parameter.dim() == 4 else 0.0)
    impulse = torch.zeros(1, 1, 33, 33)
    impulse[..., 16, 16] = 1.0
    reached = {(int(i) - 16, int(j) - 16) for i, j in bottleneck(impulse)[0, 0].nonzero()}
    assert reached == {(rate * i, rate * j) for rate in (1, 2, 4, 8) for i in (-1, 0, 1) for j in (-1, 0, 1)}


@settings(deadline=None, max_examples=examples(40))
@given(height=st.integers(1, 20), width=st.integers(1, 20), bins=st.integers(1, 6))
def test_pooling_to_bins_is_torchs_adaptive_pooling(height: int, width: int, bins: int) -> None:
    maps = random(2, 3, height, width, seed=height * 100 + width)
    expected = functional.adaptive_avg_pool2d(maps, (min(bins, height), min(bins, width)))
    torch.testing.assert_close(pool_to(maps, bins), expected)


@pytest.mark.parametrize("channels", [4, 96])
def test_squeeze_and_excitation_is_the_papers_formula(channels: int) -> None:
    module = drawn(SqueezeExcitation(channels)).double()
    nn.init.normal_(module.squeeze.bias)
    nn.init.normal_(module.excite.bias)
    maps = random(2, channels, 3, 5).double()
    w1, b1, w2, b2 = (p.detach().numpy().squeeze() for p in module.parameters())
    for image, out in zip(maps.numpy(), module(maps).detach().numpy(), strict=True):
        hidden = np.maximum(w1 @ image.mean(axis=(1, 2)) + b1, 0)
        assert len(hidden) == max(8, channels // 16)
        weights = 1 / (1 + np.exp(-(w2 @ hidden + b2)))
        np.testing.assert_allclose(out, image * weights[:, None, None])


def test_the_attention_gate_is_the_papers_formula() -> None:
    module = drawn(AttentionGate(6)).double()
    nn.init.normal_(module.gate.bias)
    nn.init.normal_(module.psi.bias)
    fine, gate = random(2, 6, 3, 4).double(), random(2, 6, 3, 4, seed=1).double()
    out = module(fine, gate).detach().numpy()
    wx, wg, bg = (p.detach().numpy().squeeze() for p in (module.fine.weight, *module.gate.parameters()))
    psi, b = (p.detach().numpy().ravel() for p in module.psi.parameters())
    for n, i, j in product(range(2), range(3), range(4)):
        x, g = fine[n, :, i, j].numpy(), gate[n, :, i, j].numpy()
        alpha = 1 / (1 + np.exp(-(psi @ np.maximum(wx @ x + wg @ g + bg, 0) + b)))
        np.testing.assert_allclose(out[n, :, i, j], alpha * x, rtol=1e-6)


@pytest.mark.parametrize("kind", ["concat", "weighted_sum", "attention_gate"])
def test_every_skip_trains_at_every_size_and_width(kind: str) -> None:
    for (height, width), channels in product(SIZES, (1, 4, 5)):
        skip = drawn(build_skip(kind, channels))
        fine = random(1, channels, height, width).requires_grad_()
        up = random(1, channels, height, width, seed=1).requires_grad_()
        out = skip(fine, up)
        assert out.shape == (1, skip.channels, height, width)
        assert_trains(skip, out, fine, up)


def test_skips_merge_as_they_say() -> None:
    fine, up = random(2, 3, 4, 4), random(2, 3, 4, 4, seed=1)
    assert torch.equal(build_skip("concat", 3)(fine, up), torch.cat((fine, up), 1))
    weighted = drawn(build_skip("weighted_sum", 3))
    assert torch.equal(weighted(fine, up), fine + up)  # both weights are 1 at first, whatever is drawn
    (weights,) = weighted.parameters()
    nn.init.constant_(weights[0], 0.25)
    nn.init.constant_(weights[1], -2.0)
    torch.testing.assert_close(weighted(fine, up), 0.25 * fine - 2 * up)
    gated = drawn(build_skip("attention_gate", 3))(fine, up)
    assert torch.equal(gated[:, 3:], up)
    share = (gated[:, :3] / fine).detach()
    torch.testing.assert_close(share, share[:, :1].expand_as(share))  # one weight for all channels of a pixel
    assert share.min() > 0
    assert share.max() < 1


@pytest.mark.parametrize("kind", UPSAMPLINGS)
def test_every_upsampling_doubles_and_trains(kind: str) -> None:
    for (height, width), (inputs, outputs) in product(SIZES, [(1, 1), (8, 4), (5, 7)]):
        upsampling = drawn(build_upsampling(kind, inputs, outputs))
        maps = random(1, inputs, height, width).requires_grad_()
        out = upsampling(maps, random(1, outputs, 2 * height, 2 * width))
        assert out.shape == (1, outputs, 2 * height, 2 * width)
        assert_trains(upsampling, out, maps)


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
def test_interpolation_and_its_convolution_commute(kind: str) -> None:
    upsampling = drawn(build_upsampling(kind, 6, 3))
    convolution = next(m for m in upsampling.modules() if isinstance(m, nn.Conv2d))
    maps = random(2, 6, 4, 5)
    align = False if kind == "bilinear" else None
    expected = convolution(functional.interpolate(maps, scale_factor=2, mode=kind, align_corners=align))
    torch.testing.assert_close(upsampling(maps, random(2, 3, 8, 10)), expected)


@settings(deadline=None, max_examples=examples(30))
@given(
    height=st.integers(1, 6), width=st.integers(1, 6), levels=st.sampled_from([1, 2, 5, 1000]), seed=st.integers(0, 999)
)
def test_max_unpool_is_torchs_also_where_maxima_tie(height: int, width: int, levels: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    fine = torch.randint(-levels, 1, (2, 3, 2 * height, 2 * width), generator=generator).float()
    maps = random(2, 3, height, width, seed=seed).requires_grad_()
    _, where = functional.max_pool2d(fine, 2, return_indices=True)
    expected = functional.max_unpool2d(maps, where, 2)
    out = max_unpool(maps, fine)
    assert torch.equal(out, expected)
    into = random(*out.shape, seed=seed + 1)
    (ours,) = torch.autograd.grad((out * into).sum(), maps)
    (theirs,) = torch.autograd.grad((expected * into).sum(), maps)
    assert torch.equal(ours, theirs)


def test_patterns_are_spelled_out_in_order_of_computation() -> None:
    assert level_kinds("dense", 3) == ("dense",) * 3
    assert level_kinds("residual_first", 3) == ("residual", "plain", "plain")  # report A, table 2
    assert level_kinds("inception_first", 2) == ("inception", "plain")
    assert level_kinds("plain_then_residual", 4) == ("plain", "plain", "residual", "residual")  # report A, section 2
    assert level_kinds("plain_then_inception", 5) == ("plain", "plain", "plain", "inception", "inception")
    assert level_kinds("nearest_then_transposed", 4) == ("nearest", "nearest", "transposed", "transposed")


@pytest.mark.parametrize("pattern", [*get_args(Block), *get_args(Upsampling)])
@pytest.mark.parametrize("count", range(1, 7))
def test_every_pattern_ends_in_kinds_that_can_be_built(pattern: str, count: int) -> None:
    kinds = level_kinds(pattern, count)
    assert len(kinds) == count
    assert set(kinds) <= {*BLOCKS, *UPSAMPLINGS}


def test_no_level_is_wider_than_the_widest() -> None:
    assert level_widths(UNet(filters=64, growth=2.0, depth=5)) == (64, 128, 256, 512, 512, 512)
    assert level_widths(UNet(filters=64, growth=2.0, depth=2, widest=100)) == (64, 100, 100)


def test_growth_1_keeps_the_width() -> None:
    assert level_widths(UNet(filters=6, growth=1.0, depth=3)) == (6, 6, 6, 6)
    assert level_widths(UNet(filters=4, growth=1.5, depth=3)) == (4, 6, 9, 14)


def test_dropout_and_squeezing_are_where_the_recipe_puts_them() -> None:
    def places(model: UNet) -> dict[str, tuple[float, bool]]:
        styles = {place: style_at(model, place) for place in ("encoder", "bottleneck", "decoder")}
        return {place: (found.dropout, found.squeeze) for place, found in styles.items()}

    both = UNet(dropout=0.3, squeeze="every_block")
    assert places(both) == dict.fromkeys(("encoder", "bottleneck", "decoder"), (0.3, True))
    one = UNet(dropout=0.3, dropout_place="decoder", squeeze="bottleneck")
    assert places(one) == {"encoder": (0.0, False), "bottleneck": (0.0, True), "decoder": (0.3, False)}
    assert style_at(both, "encoder", norm="group").norm == "group"


@given(channels=st.integers(1, 4096))
def test_groups_divide_the_channels(channels: int) -> None:
    groups = group_count(channels)
    assert channels % groups == 0
    assert 1 <= groups <= 8
    assert groups == 1 or channels // groups >= 2


@pytest.mark.parametrize("norm", ["batch", "instance", "layer", "group"])
def test_a_single_value_passes_every_norm(norm: str) -> None:
    module = build_norm(norm, 1)
    nn.init.constant_(module.weight, 3.0)
    nn.init.constant_(module.bias, 0.5)
    out = module(torch.full((1, 1, 1, 1), 2.0))
    assert out.item() == pytest.approx(6.5, rel=1e-4)


def test_first_weights_are_hes_for_every_kind_of_convolution() -> None:
    parts = nn.ModuleDict(
        {
            "wide": build_convolution(64, 64, kernel=3, norm="batch"),
            "dilated": build_convolution(64, 64, kernel=3, norm="batch", dilation=4),
            "depthwise": build_convolution(512, 512, kernel=7, norm="none", groups=512),
            "up": nn.ConvTranspose2d(64, 64, 2, stride=2),
            "head": Head(64, 200),
        }
    )
    initialise(parts, "relu", torch.Generator().manual_seed(0))
    seen = {name: next(parts[name].parameters()).std().item() for name in parts}
    he = math.sqrt(2 / (64 * 9))
    expected = {
        "wide": he,
        "dilated": he,
        "depthwise": math.sqrt(2 / 49),
        "up": 1 / 8,
        "head": 0.1 * math.sqrt(2 / 64),
    }
    assert seen == pytest.approx(expected, rel=0.03)
    biases = [parts["depthwise"][0].bias, parts["up"].bias, parts["head"].bias]
    assert all(bias is not None and not bias.any() for bias in biases)


def test_the_expanded_bottleneck_is_twice_as_wide_inside() -> None:
    bottleneck = build_bottleneck("expanded", 6, 16, style())
    assert isinstance(bottleneck, Plain)
    assert [m.out_channels for m in bottleneck.modules() if isinstance(m, nn.Conv2d)] == [32, 16]
