"""The ONNX file: what torch gives, for any number of images and any size where that can be, and told what it is."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from search.outcome.bundle import BundleContents, load_bundle, write_bundle
from search.outcome.onnx_file import OPSET, as_batch, run_onnx, write_onnx
from search.outcome.pictures.colours import class_colours, paint
from search.outcome.proof import measure
from spaces.facts import DataFacts
from spaces.modules.networks.network import Network, build_network
from spaces.recipe import Recipe
from storage.data.quality.scale import measure_pixels

ANY_SIZE = [
    {"family": "unet", "squeeze": "every_block", "skip": "attention_gate"},
    {"family": "unet", "shrink": 2, "bottleneck": "dual", "norm": "group"},
    {"family": "unet", "upsampling": "max_unpool", "norm": "instance"},
]  # of every family: test_every_system


def made(contents: BundleContents, model: dict[str, Any], **sections: Any) -> tuple[Network, BundleContents]:
    recipe = Recipe.model_validate({"model": {"filters": 4, "depth": 2} | model, "seed": 3} | sections)
    network = build_network(recipe, contents.facts, mean=contents.mean, std=contents.std, bounds=(0.0, 240.0)).eval()
    return network, dataclasses.replace(contents, recipe=recipe, weights=network.state_dict())


def dimensions(value: onnx.ValueInfoProto) -> list[str | int]:
    return [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]


def differs(network: Network, path: Path, images: np.ndarray) -> float:
    """How far the file's probabilities are from torch's in float64; its labels are those of its probabilities."""
    labels, probabilities = run_onnx(path, images)
    with torch.inference_mode():
        logits = network(torch.from_numpy(images)).double().numpy()
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert (labels.dtype, probabilities.dtype) == (np.uint8, np.float32)
    np.testing.assert_array_equal(labels, probabilities.argmax(axis=1))
    return float(np.abs(probabilities - expected).max())


@pytest.mark.parametrize("model", ANY_SIZE, ids=lambda model: "-".join(map(str, model.values())))
def test_most_networks_take_images_of_any_size(model: dict[str, Any], contents: BundleContents, tmp_path: Path) -> None:
    network, contents = made(contents, model)
    assert write_onnx(tmp_path / "n.onnx", network, contents).any_size
    random = np.random.default_rng(0)
    for shape in ((1, 1, 21, 34), (3, 1, 8, 9), (2, 1, 65, 40)):
        assert differs(network, tmp_path / "n.onnx", random.integers(0, 256, shape, dtype=np.uint8)) < 1e-5
    model_file = onnx.load(tmp_path / "n.onnx")
    assert [dimensions(value) for value in model_file.graph.output] == [
        ["batch", "height", "width"],
        ["batch", 3, "height", "width"],
    ]


def test_a_network_that_pools_to_a_grid_has_one_size(contents: BundleContents, tmp_path: Path) -> None:
    network, contents = made(contents, {"family": "unet", "bottleneck": "pyramid"})
    assert not write_onnx(tmp_path / "n.onnx", network, contents).any_size
    graph = onnx.load(tmp_path / "n.onnx").graph
    assert [dimensions(value) for value in (*graph.input, *graph.output)] == [
        ["batch", 1, 21, 34],
        ["batch", 21, 34],
        ["batch", 3, 21, 34],
    ]
    assert differs(network, tmp_path / "n.onnx", as_batch(contents.validation_images, "uint8")) < 1e-5
    with pytest.raises(Exception, match="Got: 40 Expected: 21"):
        run_onnx(tmp_path / "n.onnx", np.zeros((1, 1, 40, 34), np.uint8))


@pytest.mark.parametrize(("dtype", "channels"), [("uint8", 3), ("uint16", 1), ("uint16", 3), ("float32", 1)])
def test_the_input_has_the_type_of_the_data(
    dtype: str, channels: int, contents: BundleContents, tmp_path: Path
) -> None:
    shape = (4, 21, 34) if channels == 1 else (4, 21, 34, 3)
    images = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)
    facts = DataFacts(channels=channels, height=21, width=34, class_names=("a", "b"))
    other = dataclasses.replace(
        contents,
        facts=facts,
        validation_images=images,
        pixels=measure_pixels(images),
        mean=(120.0,) * channels,
        std=(70.0,) * channels,
    )
    network, other = made(other, {"family": "unet"})
    written = write_onnx(tmp_path / "n.onnx", network, other)
    assert (written.dtype, written.any_size) == (dtype, True)
    session = onnxruntime.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
    kind = {"uint8": "tensor(uint8)", "uint16": "tensor(uint16)", "float32": "tensor(float)"}[dtype]
    (given,) = session.get_inputs()
    assert (given.name, given.type) == ("images", kind)
    batch = as_batch(images, dtype)
    with torch.inference_mode():
        expected = network(torch.from_numpy(batch)).softmax(1).numpy()
    np.testing.assert_allclose(run_onnx(tmp_path / "n.onnx", batch)[1], expected, atol=1e-5)


def test_the_metadata_name_classes_colours_and_the_normalisation(
    bundle: Path, contents: BundleContents, tmp_path: Path
) -> None:
    model = onnx.load(bundle / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", OPSET)]
    told = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert told["class_names"] == ["ground", "a|b <i>", "rock"]
    assert told["class_colours"] == list(class_colours(contents.facts))
    assert (told["excluded_classes"], told["ignore_label"]) == (["ground"], None)
    assert told["normalisation"]["mean"] == pytest.approx(contents.mean)
    assert told["normalisation"]["std"] == pytest.approx(contents.std)
    assert told["normalisation"]["bounds"] == [None, None]
    network, contents = made(contents, {"family": "unet"})
    write_onnx(tmp_path / "n.onnx", network, contents)
    told = {each.key: json.loads(each.value) for each in onnx.load(tmp_path / "n.onnx").metadata_props}
    assert told["normalisation"]["bounds"] == [0.0, 240.0]


def test_the_metrics_and_the_card_say_how_the_file_is_run(contents: BundleContents, tmp_path: Path) -> None:
    network, one_size = made(contents, {"family": "unet", "bottleneck": "pyramid"})
    write_bundle(tmp_path / "b", dataclasses.replace(one_size, scores=measure(network, one_size)))
    metrics = json.loads((tmp_path / "b" / "metrics.json").read_text())
    assert metrics["onnx"] == {
        "opset": OPSET,
        "input": "images",
        "outputs": ["labels", "probabilities"],
        "dtype": "uint8",
        "any_size": False,
    }
    assert metrics["colours"] == dict(zip(contents.facts.class_names, class_colours(contents.facts), strict=True))
    card = (tmp_path / "b" / "README.md").read_text()
    assert f"opset {OPSET}" in card
    assert "fixed at 21x34" in card
    assert ".resize((34, 21))" in card
    assert not load_bundle(tmp_path / "b").training


def test_the_example_in_the_docs_runs(bundle: Path, contents: BundleContents, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text()
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "onnxruntime" in block)
    assert "torch" not in code
    bundle.rename(bundle.with_name("best"))
    monkeypatch.chdir(bundle.parent)
    Image.fromarray(contents.validation_images[1]).save("image.png")
    exec(code, {})
    wanted, _ = run_onnx(bundle.with_name("best") / "model.onnx", contents.validation_images[1:2, None])
    with Image.open("labels.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), paint(wanted[0], contents.facts, None))
