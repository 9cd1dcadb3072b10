"""Bundles of every family, and of a background network: written, proven and read like any other."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search.outcome.bundle import BundleContents, read_bundle, write_bundle
from search.outcome.onnx_file import as_batch, run_onnx
from search.outcome.proof import measure
from spaces.modules.networks.network import build_network, count_parameters
from spaces.recipe import Recipe

FAMILIES = ["unet", "unetpp", "unet3plus", "wnet", "dual_unet", "deeplab", "marsseg"]


def of(contents: BundleContents, **sections: Any) -> BundleContents:
    """The same bundle with the untrained network of another recipe."""
    recipe = Recipe.model_validate(sections | {"seed": 3})
    network = build_network(recipe, contents.facts, mean=contents.mean, std=contents.std)
    other = dataclasses.replace(contents, recipe=recipe, weights=network.state_dict())
    return dataclasses.replace(other, scores=measure(network, other))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bundle_of_every_family_proves_itself(family: str, contents: BundleContents, tmp_path: Path) -> None:
    model: dict[str, Any] = {"family": family, "filters": 4, "depth": 2, "squeeze": "every_block"}
    wanted = of(contents, model=model, loss={"low": {}, "inter": {}})
    write_bundle(tmp_path / "bundle", wanted)
    read = read_bundle(tmp_path / "bundle")
    assert read.recipe == wanted.recipe
    assert read.metrics["parameters"] == count_parameters(read.network)
    any_size = family != "marsseg"  # which pools its maps to strips
    assert read.metrics["onnx"]["any_size"] is any_size
    if any_size:
        images = np.random.default_rng(0).integers(0, 256, (3, 1, 43, 80), dtype=np.uint8)
        with torch.inference_mode():
            expected = read.network(torch.from_numpy(images)).softmax(1).numpy()
        np.testing.assert_allclose(run_onnx(tmp_path / "bundle" / "model.onnx", images)[1], expected, atol=1e-5)


def test_of_pix2pix_only_the_generator_is_kept(contents: BundleContents, tmp_path: Path) -> None:
    generator = {"family": "unet", "filters": 4, "depth": 2}
    write_bundle(tmp_path / "bundle", of(contents, model={"family": "pix2pix", "generator": generator}))
    alone = build_network(Recipe.model_validate({"model": generator}), contents.facts, mean=[0.0], std=[1.0])
    read = read_bundle(tmp_path / "bundle")
    assert read.metrics["parameters"] == count_parameters(alone)
    assert set(read.network.state_dict()) == set(alone.state_dict())


def test_a_bundle_with_max_unpooling_proves_itself(contents: BundleContents, tmp_path: Path) -> None:
    model = {"family": "unet", "filters": 4, "depth": 2, "upsampling": "max_unpool", "activation": "silu"}
    write_bundle(tmp_path / "bundle", of(contents, model=model))


@pytest.mark.parametrize("shrink", [2, 4])
def test_a_network_that_works_at_a_smaller_size_proves_itself(
    shrink: int, contents: BundleContents, tmp_path: Path
) -> None:
    model = {"family": "unet", "filters": 4, "depth": 2, "shrink": shrink}
    wanted = of(contents, model=model, background={"filters": 4, "depth": 2})
    write_bundle(tmp_path / "bundle", wanted)
    read = read_bundle(tmp_path / "bundle")
    assert read.network.shrink == read.recipe.model.network.shrink == shrink
    assert measure(read.network, wanted).confusion == wanted.scores.confusion


def test_a_background_network_travels_with_its_threshold(contents: BundleContents, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {"model": {"family": "unet", "filters": 4, "depth": 2}, "background": {"filters": 4}}
    )
    network = build_network(recipe, contents.facts, mean=contents.mean, std=contents.std)
    images = torch.from_numpy(as_batch(contents.validation_images))
    with torch.inference_mode():
        network.threshold.copy_(network.eval().background_logit(images).median())
    other = dataclasses.replace(contents, recipe=recipe, weights=network.state_dict())
    write_bundle(tmp_path / "bundle", dataclasses.replace(other, scores=measure(network, other)))

    metrics = json.loads((tmp_path / "bundle" / "metrics.json").read_text())
    assert metrics["background_threshold"] == pytest.approx(1 / (1 + math.exp(-float(network.threshold))), abs=1e-6)
    assert "finds ground" in (tmp_path / "bundle" / "README.md").read_text()
    with torch.inference_mode():
        labels = read_bundle(tmp_path / "bundle").network(images).argmax(dim=1)
        background = network.background_logit(images) > network.threshold
    assert np.array_equal(labels.numpy() == 0, background.numpy())
    assert 0 < float(background.float().mean()) < 1


def test_the_offset_of_a_class_travels_along(contents: BundleContents, tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {"model": {"family": "unet", "filters": 4, "depth": 2}, "optimisation": {"fit_offset": True}}
    )
    network = build_network(recipe, contents.facts, mean=contents.mean, std=contents.std)
    before = measure(network, contents).confusion
    network.demand(2, -1.5)
    shifted = dataclasses.replace(contents, recipe=recipe, weights=network.state_dict())
    write_bundle(tmp_path / "bundle", dataclasses.replace(shifted, scores=measure(network, shifted)))

    name = contents.facts.class_names[2]
    assert json.loads((tmp_path / "bundle" / "metrics.json").read_text())["offsets"] == {name: 1.5}
    assert f"1.5 is added to the logits of {name}, " in (tmp_path / "bundle" / "README.md").read_text()
    read = read_bundle(tmp_path / "bundle")
    assert measure(read.network, shifted).confusion == measure(network, shifted).confusion != before
