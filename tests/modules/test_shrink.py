"""A network that works on the image at a smaller size: what it sees, what it gives back, ONNX."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import get_args

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from spaces import DataFacts
from spaces.modules.networks.model import Outputs, SegmentationModel
from spaces.modules.networks.network import Network, build_network, count_parameters
from spaces.recipe import Background, Recipe
from spaces.recipe.architecture import Architecture, Generator, UNet
from spaces.recipe.loss import Level, Loss
from support.examples import examples

FACTS = DataFacts(channels=1, height=16, width=16, class_names=("a", "b", "c"), excluded=("a",))
FAMILIES = get_args(get_args(Generator)[0])
MEAN, STD = 100.0, 40.0


class Seen(SegmentationModel):
    """Gives back what it sees, at the size at which it sees it."""

    multiple = 4

    def outputs(self, maps: Tensor) -> Outputs:
        return Outputs(high=maps, low=(maps,))


def means(images: np.ndarray, shrink: int, multiple: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The normalised, padded images in float64 by means of shrink x shrink pixels; rows and columns put before."""
    height, width = images.shape[-2:]
    rows, columns = -height % multiple, -width % multiple
    around = ((0, 0), (0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2))
    padded = (np.pad(images.astype(np.float64), around, mode="edge") - MEAN) / STD
    b, c, h, w = padded.shape
    small = padded.reshape(b, c, h // shrink, shrink, w // shrink, shrink).mean(axis=(3, 5))
    return small, (rows // 2, columns // 2)


def interpolated(small: np.ndarray, shrink: int) -> np.ndarray:
    """Bilinear, between the centres of the small pixels, whose border goes on."""
    for axis in (2, 3):
        centres = (np.arange(small.shape[axis]) + 0.5) * shrink - 0.5
        wanted = np.arange(small.shape[axis] * shrink)
        small = np.apply_along_axis(lambda line, c=centres, w=wanted: np.interp(w, c, line), axis, small)
    return small


@settings(deadline=None, max_examples=examples(25))
@given(height=st.integers(8, 41), width=st.integers(8, 41), shrink=st.sampled_from([2, 4]))
def test_the_model_sees_means_of_pixels_and_its_logits_come_back_bilinearly(
    height: int, width: int, shrink: int
) -> None:
    network = Network(Seen(), mean=[MEAN], std=[STD], shrink=shrink).eval()
    images = np.random.default_rng(height * 100 + width).integers(0, 256, (2, 1, height, width)).astype(np.uint8)
    small, (top, left) = means(images, shrink, 4 * shrink)
    expected = interpolated(small, shrink)[..., top : top + height, left : left + width]
    with torch.no_grad():
        out, logits = network.outputs(torch.from_numpy(images)), network(torch.from_numpy(images))
    np.testing.assert_allclose(logits.numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(out.low[0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("shrink", [2, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_labels_images_of_any_size_at_a_smaller_one(family: type[Architecture], shrink: int) -> None:
    model = family(filters=4, depth=2, growth=1.0, shrink=shrink)
    recipe = Recipe(model=model, loss=Loss(low=Level()), background=Background(filters=4))
    network = build_network(recipe, FACTS, mean=[MEAN], std=[STD]).eval()
    plain = recipe.model_copy(update={"model": recipe.model.network.model_copy(update={"shrink": 1})})
    assert count_parameters(network) == count_parameters(build_network(plain, FACTS, mean=[MEAN], std=[STD]))
    for size in ((8, 8), (37, 21)):
        images = torch.rand(1, 1, *size) * 255
        out, logits = network.outputs(images), network(images)
        assert [maps.shape for maps in (logits, out.high, *out.low)] == [(1, 3, *size)] * (2 + len(out.low))
        assert network.background_logit(images).shape == (1, *size)
        assert logits.isfinite().all()


def test_without_a_background_network_the_logits_are_those_of_the_end() -> None:
    network = build_network(Recipe(model=UNet(filters=4, depth=2, shrink=2)), FACTS, mean=[MEAN], std=[STD]).eval()
    images = torch.rand(2, 1, 19, 26) * 255
    assert torch.equal(network(images), network.outputs(images).high)


def test_the_background_network_works_at_the_smaller_size_too() -> None:
    recipe = Recipe(model=UNet(filters=4, depth=2, shrink=4), background=Background(filters=4, depth=2))
    network = build_network(recipe, FACTS, mean=[MEAN], std=[STD]).eval()
    assert network.background is not None
    seen: list[torch.Size] = []
    for model in (network.model, network.background):
        model.register_forward_pre_hook(lambda module, maps: seen.append(maps[0].shape[-2:]))
    images = torch.rand(1, 1, 32, 48) * 255
    merged = network(images)
    assert seen == [(8, 12), (8, 12)]
    found, logits = network.background_logit(images), network.outputs(images).high
    expected = torch.where(found > network.threshold, 0, 1 + logits[:, 1:].argmax(dim=1))
    assert torch.equal(merged.argmax(dim=1), expected)


@pytest.mark.parametrize("size", [(19, 26), (32, 32)])
def test_a_smaller_size_survives_onnx(size: tuple[int, int], tmp_path: Path) -> None:
    recipe = Recipe(model=UNet(filters=4, depth=2, shrink=2), background=Background(filters=4, depth=2))
    network = build_network(recipe, FACTS, mean=[MEAN], std=[STD]).eval()
    path, free = tmp_path / "network.onnx", {"images": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of itself, and of sizes that are constant
        example = (torch.zeros(2, 1, *size),)
        torch.onnx.export(network, example, str(path), input_names=["images"], dynamic_axes=free, dynamo=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, 3):
        images = torch.rand(batch, 1, *size) * 255
        (came,) = session.run(None, {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(came, network(images).numpy(), atol=1e-5, rtol=1e-4)
