"""UNet++, UNet 3+, DeepLabV3+ and MarsSeg: shapes, heads, gradients, sizes of the papers, wiring, export."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spaces.facts import DataFacts
from spaces.modules.layers.attention import SqueezeExcitation
from spaces.modules.layers.blocks import Style, build_block, initialise
from spaces.modules.layers.levels import level_widths
from spaces.modules.networks.deeplab import AtrousPyramid, build_deeplab, dilate
from spaces.modules.networks.marsseg import PolarizedAttention, Strips, build_marsseg
from spaces.modules.networks.model import Heads, Outputs, SegmentationModel
from spaces.modules.networks.unet3plus import build_unet3plus
from spaces.modules.networks.unetpp import build_unetpp
from spaces.recipe.architecture import Architecture, DeepLab, MarsSeg, UNet3Plus, UNetPlusPlus

FAMILIES: dict[type[Architecture], Callable[[Any, DataFacts, Heads], SegmentationModel]] = {
    UNetPlusPlus: build_unetpp,
    UNet3Plus: build_unet3plus,
    DeepLab: build_deeplab,
    MarsSeg: build_marsseg,
}
SMALL: dict[str, Architecture] = {
    "unetpp": UNetPlusPlus(filters=4, depth=3, growth=1.5),
    "unet3plus": UNet3Plus(filters=4, depth=3, growth=1.5),
    "unet3plus_transposed": UNet3Plus(filters=4, depth=3, block="residual", full_scale_upsampling="transposed"),
    "deeplab": DeepLab(filters=4, depth=4, growth=1.5, decoder_filters=8),
    "marsseg": MarsSeg(filters=4, depth=3, growth=1.5, decoder_filters=8),
}
NORMS = ("none", "batch", "instance", "layer", "group")
ALL = Heads(low=True, inter=True)

every_family = pytest.mark.parametrize("model", SMALL.values(), ids=SMALL.keys())


def data_facts(channels: int = 1, classes: int = 5) -> DataFacts:
    return DataFacts(channels=channels, height=64, width=128, class_names=tuple(f"c{k}" for k in range(classes)))


def build(model: Architecture, heads: Heads = ALL, facts: DataFacts | None = None) -> SegmentationModel:
    body = FAMILIES[type(model)](model, facts or data_facts(), heads)
    initialise(body, model.activation, torch.Generator().manual_seed(0))
    return body


def images(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def every_output(outputs: Outputs) -> tuple[Tensor, ...]:
    return (outputs.high, *outputs.inter, *outputs.low)


def with_fields(model: Architecture, **fields: Any) -> Architecture:
    return type(model).model_validate({**model.model_dump(), **fields})


def parameters(body: nn.Module) -> int:
    return sum(p.numel() for p in body.parameters())


def finite_gradients(body: nn.Module) -> bool:
    return all(p.grad is not None and bool(p.grad.isfinite().all()) for p in body.parameters())


# Every family


@every_family
@pytest.mark.parametrize("times", [(1, 1), (3, 5)])
@pytest.mark.parametrize("channels", [1, 3])
def test_logits_have_the_size_of_the_image(model: Architecture, times: tuple[int, int], channels: int) -> None:
    body = build(model, Heads(), data_facts(channels, classes=3)).eval()
    height, width = (n * body.multiple for n in times)
    assert body(images(2, channels, height, width)).shape == (2, 3, height, width)


@pytest.mark.parametrize(
    ("model", "low", "inter"),
    [
        (UNetPlusPlus(filters=4, depth=4), [(64, 128)], [(64, 128)] * 2),
        (UNetPlusPlus(filters=4, depth=2), [(64, 128)], []),
        (UNet3Plus(filters=4, depth=4), [(4, 8)], [(8, 16), (16, 32), (32, 64)]),
        (UNet3Plus(filters=4, depth=2), [(16, 32)], [(32, 64)]),
        (DeepLab(filters=4, depth=5, output_stride=8), [(8, 16)], [(8, 16)]),
        (DeepLab(filters=4, depth=2, output_stride=16), [(16, 32)], [(16, 32)]),
        (MarsSeg(filters=4, depth=4, halvings=3), [(8, 16)], [(8, 16), (16, 32), (32, 64)]),
        (MarsSeg(filters=4, depth=4, halvings=1), [(32, 64)], [(32, 64)]),
    ],
)
def test_each_level_has_its_heads_at_its_own_size(
    model: Architecture, low: list[tuple[int, int]], inter: list[tuple[int, int]]
) -> None:
    def sizes(maps: tuple[Tensor, ...]) -> list[tuple[int, ...]]:
        assert all(m.shape[:2] == (2, 5) for m in maps)
        return [tuple(m.shape[2:]) for m in maps]

    out = build(model).eval().outputs(images(2, 1, 64, 128))
    assert (sizes((out.high,)), sizes(out.inter), sizes(out.low)) == ([(64, 128)], inter, low)


@every_family
def test_only_the_heads_asked_for_exist(model: Architecture) -> None:
    batch = images(1, 1, 32, 32)
    both = build(model).eval()
    none, low, inter = (build(model, heads).eval() for heads in (Heads(), Heads(low=True), Heads(inter=True)))
    assert none.outputs(batch)[1:] == ((), ())
    assert [len(part) for part in low.outputs(batch)[1:]] == [0, 1]
    assert inter.outputs(batch).low == ()
    assert len(inter.outputs(batch).inter) == len(both.outputs(batch).inter) > 0
    sizes = [parameters(body) for body in (none, low, inter, both)]
    assert sizes[0] < sizes[1] < sizes[3]
    assert sizes[1] - sizes[0] == sizes[3] - sizes[2]


@every_family
@pytest.mark.parametrize("heads", [Heads(), ALL])
def test_every_parameter_learns(model: Architecture, heads: Heads) -> None:
    body = build(model, heads)
    outputs = every_output(body.outputs(images(2, 1, 64, 128)))
    torch.stack([logits.square().mean() for logits in outputs]).sum().backward()
    idle = [name for name, p in body.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert finite_gradients(body)


@every_family
@pytest.mark.parametrize("norm", NORMS)
def test_one_image_of_the_smallest_size_trains(model: Architecture, norm: str) -> None:
    """The deepest maps are 1x1."""
    body = build(with_fields(model, norm=norm))
    batch = images(1, 1, body.multiple, body.multiple)
    sum((logits.square().mean() for logits in every_output(body.outputs(batch))), torch.zeros(())).backward()
    assert finite_gradients(body)
    assert all(logits.isfinite().all() for logits in every_output(body.eval().outputs(batch)))


@every_family
def test_bfloat16_and_channels_last_train(model: Architecture) -> None:
    body = build(model)
    batch = images(2, 1, 32, 64)
    with torch.no_grad():
        expected = body.eval()(batch)
        body = body.to(memory_format=torch.channels_last)
        torch.testing.assert_close(body(batch.to(memory_format=torch.channels_last)), expected, atol=1e-5, rtol=1e-4)
    body.train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        outputs = every_output(body.outputs(batch.to(memory_format=torch.channels_last)))
    torch.stack([logits.float().square().mean() for logits in outputs]).sum().backward()
    assert finite_gradients(body)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        rough = body.eval()(batch).float()
    with torch.no_grad():
        exact = body(batch)
    assert float((rough - exact).norm() / exact.norm()) < 0.03  # bfloat16 keeps 8 bits of each number
    assert not torch.equal(rough, exact)


ALTERNATIVES: dict[str, Any] = {
    "depth": 5,
    "filters": 9,
    "growth": 1.25,
    "widest": 16,
    "block": "inception_first",
    "kernel": 5,
    "norm": "group",
    "activation": "silu",
    "squeeze": "bottleneck",
    "bottleneck": "dilated",
    "upsampling": "nearest_then_transposed",
    "full_scale_upsampling": "nearest",
    "output_stride": 4,
    "rates": "paper",
    "decoder_filters": 24,
    "halvings": 1,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_field_has_an_effect(family: type[Architecture]) -> None:
    plain = {"filters": 8, "depth": 4}
    base = repr(build(family(**plain)))
    fields = set(family.model_fields) - {"family", "dropout", "dropout_place", "shrink"}  # shrink is around the family
    assert fields <= ALTERNATIVES.keys()
    same = [name for name in sorted(fields) if repr(build(family(**plain | {name: ALTERNATIVES[name]}))) == base]
    assert same == []


@pytest.mark.parametrize("family", FAMILIES)
def test_dropout_and_squeeze_have_their_places(family: type[Architecture]) -> None:
    """Each of the three places has its own, and together they are those of every block."""

    def dropping(place: str) -> int:
        body = build(family(filters=4, depth=3, dropout=0.3, dropout_place=place))
        return sum(isinstance(m, nn.Dropout2d) and m.p == 0.3 for m in body.modules())

    def squeezing(place: str) -> int:
        body = build(family(filters=4, depth=3, squeeze=place))
        return sum(isinstance(m, SqueezeExcitation) for m in body.modules())

    places = [dropping(place) for place in ("encoder", "bottleneck", "decoder")]
    assert all(places)
    assert sum(places) == dropping("every_block")
    # The block before the head drops nothing; DeepLab, whose decoder is that one block, drops before it.
    assert sum(places) == squeezing("every_block") - (family is not DeepLab)
    assert (squeezing("nowhere"), squeezing("bottleneck")) == (0, places[1])


EXPORTED: dict[str, tuple[Architecture, bool]] = {
    **{f"{name}_traced": (model, False) for name, model in SMALL.items()},
    "unetpp": (UNetPlusPlus(filters=4, depth=2, growth=1.0), True),
    "unet3plus": (UNet3Plus(filters=4, depth=2, growth=1.0), True),
    "deeplab": (DeepLab(filters=4, depth=3, growth=1.0, output_stride=4, decoder_filters=8), True),
    "marsseg": (MarsSeg(filters=4, depth=2, growth=1.0, halvings=1, decoder_filters=8), True),
}
"""Both of torch's exporters; the slow one, which does not trace, on the smallest networks."""
SLOW = ("unetpp", "unet3plus", "deeplab")


@pytest.mark.parametrize(
    ("model", "dynamo"),
    [pytest.param(*case, id=name, marks=[pytest.mark.long] * (name in SLOW)) for name, case in EXPORTED.items()],
)
def test_the_exported_file_gives_the_same_logits_for_any_batch(
    model: Architecture, dynamo: bool, tmp_path: Path
) -> None:
    body = build(model, Heads()).eval()
    path = str(tmp_path / "body.onnx")
    free: dict[str, Any] = (
        {"dynamic_shapes": ({0: torch.export.Dim("batch")},)} if dynamo else {"dynamic_axes": {"maps": {0: "batch"}}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own deprecations
        example = (images(2, 1, 16, 32),)
        torch.onnx.export(body, example, path, input_names=["maps"], dynamo=dynamo, verbose=False, **free)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        maps = images(count, 1, 16, 32)
        with torch.no_grad():
            expected = body(maps).numpy()
        np.testing.assert_allclose(session.run(None, {"maps": maps.numpy()})[0], expected, atol=1e-5, rtol=1e-4)


# Numbers of parameters


def convolution(inputs: int, outputs: int, kernel: int = 3) -> int:
    return kernel * kernel * inputs * outputs + 2 * outputs  # scale and shift of the norm in place of the bias


def double(inputs: int, outputs: int) -> int:
    return convolution(inputs, outputs) + convolution(outputs, outputs)


@pytest.mark.parametrize(("filters", "depth", "classes"), [(32, 4, 2), (8, 2, 5), (6, 3, 4)])
def test_parameters_of_unetpp(filters: int, depth: int, classes: int) -> None:
    """Counted node by node; with 32 .. 512 channels it is the 9.04 M of the paper's table 3."""
    w = [filters * 2**level for level in range(depth + 1)]
    expected = double(1, w[0]) + sum(double(w[i - 1], w[i]) for i in range(1, depth + 1))
    for j in range(1, depth + 1):
        for i in range(depth + 1 - j):
            expected += 4 * w[i + 1] * w[i] + w[i] + double((j + 1) * w[i], w[i])
    model = UNetPlusPlus(filters=filters, depth=depth, upsampling="transposed", widest=1024)
    heads = depth * (w[0] * classes + classes)
    assert parameters(build(model, ALL, data_facts(classes=classes))) == expected + heads
    if filters == 32:
        assert expected + heads // depth == pytest.approx(9.04e6, abs=6e3)


@pytest.mark.parametrize(
    ("filters", "depth", "upsampling"), [(64, 4, "bilinear"), (8, 2, "nearest"), (4, 5, "transposed")]
)
def test_parameters_of_unet3plus(filters: int, depth: int, upsampling: str) -> None:
    """Counted scale by scale; with 64 .. 1024 channels it is the 26.97 M of the paper's table 1.

    The authors' code has a bias in each convolution besides the norm's shift, a 3x3 head and one class.
    """
    w = [filters * 2**level for level in range(depth + 1)]
    fused = (depth + 1) * w[0]
    encoder = double(3, w[0]) + sum(double(w[i - 1], w[i]) for i in range(1, depth + 1))
    decoder = depth * convolution(fused, fused)
    for level in range(depth):
        decoder += sum(convolution(n, w[0]) for n in (*w[: level + 1], *[fused] * (depth - 1 - level), w[depth]))
    rising = [4 ** (deep - level) * w[0] ** 2 + w[0] for level in range(depth) for deep in range(level + 1, depth + 1)]
    model = UNet3Plus(filters=filters, depth=depth, full_scale_upsampling=upsampling, widest=1024)
    head = 2 * fused + 2
    assert parameters(build(model, Heads(), data_facts(channels=3, classes=2))) == (
        encoder + decoder + head + sum(rising) * (upsampling == "transposed")
    )
    if filters == 64:
        biases = 2 * sum(w) + depth * (depth + 1) * w[0] + depth * fused
        assert round((encoder + decoder + biases + 9 * fused + 1) / 1e6, 2) == 26.97


# Wiring


def test_unetpp_s_nodes_see_their_row_and_the_node_below() -> None:
    """The triangle at depth 3 written out (eq. 1 of the paper); unpooling looks at the first node of its row."""
    model = UNetPlusPlus(filters=4, depth=3, growth=1.5, upsampling="max_unpool", bottleneck="pyramid")
    body = build(model).eval()
    node: Any = dict(zip(body.places, body.nodes, strict=True))
    maps = images(2, 1, 16, 24)
    x: dict[tuple[int, int], Tensor] = {}
    with torch.no_grad():
        for i, block in enumerate(body.encoder):
            x[i, 0] = block(maps if i == 0 else functional.max_pool2d(x[i - 1, 0], 2))
        x[3, 0] = body.bottleneck(functional.max_pool2d(x[2, 0], 2))
        for i, j in ((0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (0, 3)):
            up = node[i, j].upsampling(x[i + 1, j - 1], x[i, 0])
            x[i, j] = node[i, j].block(torch.cat([*(x[i, k] for k in range(j)), up], dim=1))
        expected = Outputs(body.high(x[0, 3]), (body.inter[0](x[0, 2]),), (body.low[0](x[0, 1]),))
        for came, wanted in zip(every_output(body.outputs(maps)), every_output(expected), strict=True):
            assert torch.equal(came, wanted)


def test_unetpp_s_rows_have_their_kinds_from_the_deepest_up() -> None:
    model = UNetPlusPlus(filters=4, depth=4, block="plain_then_residual", upsampling="nearest_then_transposed")
    body = build(model)
    ups = {row: type(node.upsampling).__name__ for (row, _), node in zip(body.places, body.nodes, strict=True)}
    assert ups == {0: "Transposed", 1: "Transposed", 2: "Interpolated", 3: "Interpolated"}
    kinds = {row: type(node.block).__name__ for (row, _), node in zip(body.places, body.nodes, strict=True)}
    assert kinds == {0: "Plain", 1: "Plain", 2: "Residual", 3: "Residual"}
    assert [type(block).__name__ for block in body.encoder] == ["Plain", "Plain", "Residual", "Residual"]


def test_unet3plus_s_levels_see_every_scale() -> None:
    """The two decoder levels at depth 2 written out (eq. 1 of the paper): pooled, same size, interpolated."""
    body = build(UNet3Plus(filters=4, depth=2)).eval()
    maps = images(2, 1, 16, 24)

    def enlarge(source: Tensor, factor: int) -> Tensor:
        return functional.interpolate(source, scale_factor=factor, mode="bilinear", align_corners=False)

    with torch.no_grad():
        fine = body.encoder[0](maps)
        middle = body.encoder[1](functional.max_pool2d(fine, 2))
        deep = body.bottleneck(functional.max_pool2d(middle, 2))
        (_, from_fine), from_middle, (_, from_deep) = body.decoder[1].scales
        level_1 = body.decoder[1].fusion(
            torch.cat((from_fine(functional.max_pool2d(fine, 2)), from_middle(middle), from_deep(enlarge(deep, 2))), 1)
        )
        from_fine, (_, from_middle), (_, from_deep) = body.decoder[0].scales
        level_0 = body.decoder[0].fusion(
            torch.cat((from_fine(fine), from_middle(enlarge(level_1, 2)), from_deep(enlarge(deep, 4))), 1)
        )
        out = body.outputs(maps)
        torch.testing.assert_close(out.high, body.high(level_0))
        torch.testing.assert_close(out.inter, (body.inter[0](level_1),))
        torch.testing.assert_close(out.low, (body.low[0](deep),))
    assert level_0.shape[1] == level_1.shape[1] == 3 * 4


def test_report_e_s_scales_are_convolved_before_they_are_transposed() -> None:
    body = build(UNet3Plus(filters=4, depth=3, block="residual", full_scale_upsampling="transposed"))
    kernels = [(scale[1].in_channels, scale[1].kernel_size, scale[1].stride) for scale in body.decoder[0].scales[1:]]
    assert kernels == [(4, (2**rise, 2**rise), (2**rise, 2**rise)) for rise in (1, 2, 3)]
    assert all(type(node.fusion).__name__ == "Residual" for node in body.decoder)
    assert not any(isinstance(m, nn.Upsample) for m in body.modules())


@pytest.mark.parametrize("kind", ["plain", "residual", "dense"])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("rate", [1, 2, 3])
def test_a_dilated_block_works_on_every_rate_th_pixel(kind: str, kernel: int, rate: int) -> None:
    """Atrous convolution is plain convolution of each of the rate * rate interleaved images."""
    style = Style(kernel=kernel, norm="batch", activation="elu", dropout=0.0, squeeze=False)
    torch.manual_seed(0)
    block = build_block(kind, 2, 6, style).double().eval()
    maps = torch.randn(1, 2, 4 * rate, 5 * rate, dtype=torch.float64)
    with torch.no_grad():
        apart = {(y, x): block(maps[..., y::rate, x::rate]) for y in range(rate) for x in range(rate)}
        together = dilate(block, rate)(maps)
    for (y, x), expected in apart.items():
        torch.testing.assert_close(together[..., y::rate, x::rate], expected)


@pytest.mark.parametrize(
    ("depth", "output_stride", "stride", "dilations", "rates", "seen_again"),
    [
        (5, 16, 16, [1, 1, 1, 1, 1, 2], (1, 2, 4), 4),
        (4, 8, 8, [1, 1, 1, 1, 2], (2, 4, 8), 4),
        (6, 4, 4, [1, 1, 1, 2, 4, 8, 16], (4, 8, 16), 2),
        (2, 16, 4, [1, 1, 1], (4, 8, 16), 2),
        (3, 16, 8, [1, 1, 1, 1], (2, 4, 8), 4),
    ],
)
def test_deeplab_dilates_where_it_no_longer_halves(
    depth: int, output_stride: Any, stride: int, dilations: list[int], rates: tuple[int, ...], seen_again: int
) -> None:
    body = build(DeepLab(filters=4, depth=depth, output_stride=output_stride, growth=1.0))
    assert body.multiple == stride
    assert 2**body.low_level == seen_again
    assert [block.first[0].dilation[0] for block in body.levels] == dilations
    assert [path[0].dilation for path in body.pyramid.atrous] == [(rate, rate) for rate in rates]
    wide = build(DeepLab(filters=4, depth=depth, output_stride=output_stride, rates="paper"))
    assert [path[0].dilation[0] for path in wide.pyramid.atrous] == [rate * 16 // stride for rate in (6, 12, 18)]


def test_small_rates_see_more_than_the_middle_on_the_homeworks_maps() -> None:
    """At stride 8 an image of 64x128 is a map of 8x16, and rates are doubled: a tap further off reads only zeros."""
    body = build(DeepLab(filters=4, depth=4, growth=1.0))
    maps = torch.ones(1, 8, 64 // body.multiple, 128 // body.multiple)
    for path in body.pyramid.atrous:
        convolution = path[0]
        kernel = torch.ones(1, maps.shape[1], 3, 3)
        rate = convolution.dilation
        seen = functional.conv2d(maps, kernel, padding=rate, dilation=rate) / maps.shape[1]
        assert (seen > 1).any()


def test_deeplab_s_pyramid_sees_the_whole_image() -> None:
    """By the image's mean: a rate larger than the maps leaves nothing else but the pixel itself."""
    style = Style(kernel=3, norm="none", activation="silu", dropout=0.0, squeeze=False)
    torch.manual_seed(0)
    pyramid = AtrousPyramid(3, 8, style, rates=(20, 40, 60)).double()
    maps = torch.randn(1, 3, 6, 7, dtype=torch.float64, requires_grad=True)
    pyramid(maps)[0, :, 2, 2].sum().backward()
    assert maps.grad is not None
    assert bool((maps.grad != 0).all())
    elsewhere = torch.cat((maps.grad.flatten(2)[..., :16], maps.grad.flatten(2)[..., 17:]), dim=2)
    torch.testing.assert_close(elsewhere, elsewhere[..., :1].expand_as(elsewhere))


def test_deeplab_s_low_level_maps_do_not_outweigh_the_pyramid() -> None:
    """The paper's 48 channels where 256 are decoded, fewer where less is there."""

    def reduced(**fields: Any) -> int:
        return int(build(DeepLab(**fields)).reduce[0].out_channels)

    assert reduced(filters=64, depth=3, decoder_filters=256) == 48
    assert reduced(filters=64, depth=3, decoder_filters=16) == 16
    assert reduced(filters=4, depth=3, decoder_filters=64) == 16


def test_polarised_attention_equals_its_equations() -> None:
    """Equations 1, 2 and 4 of arXiv 2107.00782, one image, channel and pixel at a time."""
    torch.manual_seed(0)
    attention = PolarizedAttention(6).double()
    maps = torch.randn(2, 6, 3, 4, dtype=torch.float64)

    def linear(layer: nn.Conv2d, x: np.ndarray) -> np.ndarray:
        bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()[:, None]
        return layer.weight.detach().numpy()[:, :, 0, 0] @ x + bias

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.exp(x) / np.exp(x).sum()

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    expected = np.zeros((2, 6, 12))
    for b, x in enumerate(maps.flatten(2).numpy()):
        share = softmax(linear(attention.channel_query, x)[0])
        context = sum(share[i] * linear(attention.channel_value, x)[:, i] for i in range(12))
        z = linear(attention.channel_out, context[:, None])[:, 0]
        channel = sigmoid((z - z.mean()) / np.sqrt(z.var() + attention.channel_norm.eps))
        weight = softmax(linear(attention.spatial_query, x).mean(axis=1))
        pixel = sigmoid(weight @ linear(attention.spatial_value, x))
        for c in range(6):
            for i in range(12):
                expected[b, c, i] = channel[c] * x[c, i] + pixel[i] * x[c, i]
    np.testing.assert_allclose(attention(maps).detach().flatten(2).numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("size", [(8, 16), (5, 7), (3, 1)])
def test_strips_are_torch_s_adaptive_means(count: int, size: tuple[int, int]) -> None:
    style = Style(kernel=3, norm="none", activation="relu", dropout=0.0, squeeze=False)
    torch.manual_seed(0)
    strips = Strips(3, 4, style, count=count)
    maps = torch.randn(2, 3, *size)
    rows, columns = min(count, size[0]), min(count, size[1])

    def spread(pooled: Tensor) -> Tensor:
        return functional.interpolate(pooled, size=size, mode="bilinear", align_corners=False)

    lying = spread(strips.lying(functional.adaptive_avg_pool2d(maps, (rows, size[1]))))
    standing = spread(strips.standing(functional.adaptive_avg_pool2d(maps, (size[0], columns))))
    torch.testing.assert_close(strips(maps), torch.relu(lying + standing))


def test_a_strip_carries_along_its_row_and_its_column() -> None:
    """One strip in each direction: a pixel sees its row and column, give or take the kernel's 3, and no other."""
    style = Style(kernel=3, norm="none", activation="silu", dropout=0.0, squeeze=False)
    torch.manual_seed(0)
    maps = torch.randn(1, 2, 9, 11, requires_grad=True)
    Strips(2, 4, style, count=1)(maps)[0, :, 4, 6].sum().backward()
    assert maps.grad is not None
    expected = torch.zeros(9, 11, dtype=torch.bool)
    expected[3:6] = True
    expected[:, 5:8] = True
    assert torch.equal((maps.grad[0] != 0).any(0), expected)


@pytest.mark.parametrize(("depth", "halvings", "multiple"), [(4, 1, 2), (4, 2, 4), (4, 3, 8), (2, 3, 4)])
def test_marsseg_halves_only_as_often_as_it_is_told(depth: int, halvings: int, multiple: int) -> None:
    model = MarsSeg(filters=4, depth=depth, halvings=halvings)
    body = build(model)
    assert body.multiple == multiple
    seen: list[tuple[int, ...]] = []
    for block in body.levels:
        block.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
    body(images(1, 1, 32, 64))
    halved = [min(level, body.halvings) for level in range(depth + 1)]
    expected = [(n, 32 >> h, 64 >> h) for n, h in zip(level_widths(model), halved, strict=True)]
    assert seen == expected


def test_marsseg_s_connectors_stand_on_the_shallow_levels_and_its_strips_on_the_deep_ones() -> None:
    body = build(MarsSeg(filters=8, depth=4, halvings=2, decoder_filters=12))
    assert [c[0].pointwise[0].in_channels for c in body.connectors] == [8, 16]
    assert [c[0].merge[0].out_channels for c in body.connectors] == [8, 12]  # never wider than the level
    assert body.pyramid.first[0].in_channels == 32 + 64 + 128
    assert [block.first[0].in_channels for block in body.decoder] == [8 + 12, 12 + 12]
