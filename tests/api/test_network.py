"""A trained network in Python: arrays in, labels out, and words where the images are not what it knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import search.api.network
from search import TrainedNetwork
from search.errors import BundleError, UsageError
from search.outcome.bundle import Bundle
from spaces import DataFacts, Recipe
from spaces.modules.networks.network import build_network
from spaces.recipe.architecture import UNet
from storage.data.quality.scale import measure_pixels
from storage.errors import DataError
from support.small_data import blocks

NAMES = ("sky", "soil", "rock")


def trained(channels: int = 1, **recipe_parts: object) -> TrainedNetwork:
    """A network of the small data, not trained at all."""
    images, _ = blocks(6, 0, channels)
    recipe = Recipe.model_validate({"model": UNet(depth=2, filters=4), **recipe_parts})
    facts = DataFacts(channels=channels, height=16, width=24, class_names=NAMES, excluded=("sky",))
    torch.manual_seed(0)
    network = build_network(recipe, facts, mean=(100.0,) * channels, std=(60.0,) * channels).eval()
    return TrainedNetwork(
        Bundle(
            network=network,
            recipe=recipe,
            facts=facts,
            ignore_label=None,
            pixels=measure_pixels(images),
            metrics={"miou": 0.5},
        )
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_and_several_get_the_same_labels(channels: int) -> None:
    images, _ = blocks(6, 0, channels)
    network = trained(channels)
    labels = network.predict(images, device="cpu")
    assert (labels.shape, labels.dtype) == ((6, 16, 24), np.uint8)
    batch = torch.from_numpy(images).reshape(6, 16, 24, channels).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network(batch).argmax(1)
    assert np.array_equal(labels, expected.numpy())
    assert np.array_equal(network.predict(images[2], device="cpu"), labels[2])
    assert np.array_equal(network.predict(list(images[:2]), device="cpu"), labels[:2])
    assert np.array_equal(network.predict(images.astype(np.int64), device="cpu"), labels)


def test_it_knows_its_classes() -> None:
    network = trained()
    assert network.class_names == NAMES
    assert len(network.class_colours) == 3
    assert network.metrics == {"miou": 0.5}
    painted = network.paint(np.array([[0, 2], [1, 0]], np.uint8))
    assert painted.shape == (2, 2, 3)
    assert f"#{bytes(painted[0, 1]).hex().upper()}" == network.class_colours[2]
    assert not network.training


def test_images_on_another_scale_are_refused() -> None:
    images, _ = blocks(6, 0)
    with pytest.raises(UsageError, match="bring them to that scale"):
        trained().predict((images / 255).astype(np.float32), device="cpu")


def test_images_that_look_other_are_labelled_with_a_warning() -> None:
    images, _ = blocks(6, 0)
    with pytest.warns(UserWarning, match="16x16 pixels, the network was trained on 16x24"):
        labels = trained().predict(images[:, :, :16], device="cpu")
    assert labels.shape == (6, 16, 16)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((16, 24, 3), np.uint8), "3 channels, the bundle was trained on 1"),
        (np.zeros((2, 16, 24, 3), np.uint8), "3 channels, the bundle was trained on 1"),
        (np.zeros((2, 4, 4), np.uint8), "expected at least 8x8"),
        (np.zeros(5), "images"),
        (np.full((1, 16, 24), np.nan, np.float32), "NaN"),
        ([np.zeros((16, 24)), np.zeros((24, 16))], "label them one by one"),
        ("best", "images"),
    ],
)
def test_what_are_no_images_is_one_sentence(images: object, words: str) -> None:
    with pytest.raises((UsageError, DataError), match=words) as refused:
        trained().predict(images, device="cpu")  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_no_bundle_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="manifest"):
        search.api.network.load_bundle(str(tmp_path))


def test_mirrors_are_those_of_the_training() -> None:
    images, _ = blocks(6, 0)
    with pytest.raises(UsageError, match="trained without mirrored images"):
        trained(augment={"flip_horizontal": False, "flip_vertical": False}).predict(images, tta=True, device="cpu")
    assert trained().predict(images, tta=True, device="cpu").shape == (6, 16, 24)
