"""Recipes drawn at random from the whole space build, and label every pixel."""

from __future__ import annotations

import optuna
import pytest
import torch

from spaces import DataFacts, Recipe, bind, load_preset, preset_names
from spaces.modules.augmentation.augment import build_augment
from spaces.modules.losses.class_weights import class_weights
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.network import build_network, count_parameters
from spaces.modules.networks.patchgan import build_discriminator
from spaces.recipe.architecture import Pix2Pix

NAMES = ("background", "soil", "bedrock", "sand", "big rock")
FACTS = DataFacts(channels=1, height=64, width=128, class_names=NAMES, excluded=("background",))
SHARES = [0.2431, 0.3390, 0.2328, 0.1838, 0.0013]


def check(recipe: Recipe) -> None:
    """Everything that a training builds; the network's logits have the shape of the image."""
    network = build_network(recipe, FACTS, mean=[127.0], std=[70.0]).eval()
    weights = class_weights(recipe.class_weights, FACTS, SHARES)
    loss = build_loss(recipe.loss, weights, FACTS, None)
    augment = build_augment(recipe.augment, FACTS, std=[70.0])
    images, masks = torch.full((1, 1, 64, 128), 100.0), torch.full((1, 64, 128), 2)
    images, masks = augment(images, masks, torch.Generator().manual_seed(0))
    with torch.inference_mode():
        logits = network(images)
        value = loss(logits, masks)
    assert logits.shape == (1, 5, 64, 128)
    assert logits.isfinite().all()
    assert value.isfinite()
    if isinstance(recipe.model, Pix2Pix):
        assert count_parameters(build_discriminator(recipe.model, FACTS, recipe.seed)) > 0


def samples(count: int, seed: int, text: str = "") -> list[Recipe]:
    space = bind(FACTS, text)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask(), seed=k) for k in range(count)]


@pytest.mark.parametrize("family", bind(FACTS).searched["model.family"].choices)
def test_random_recipes_of_every_family_build(family: str) -> None:
    for recipe in samples(3, 2, f"model: {{family: {family}}}"):
        assert recipe.model.family == family
        check(recipe)


@pytest.mark.long
def test_five_hundred_random_recipes_build() -> None:
    for recipe in samples(500, seed=1):
        check(recipe)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_builds(name: str) -> None:
    check(load_preset(name, FACTS, samples=2000))


def test_report_b_has_a_little_over_950_000_parameters() -> None:
    network = build_network(load_preset("report-b-dual-unet"), FACTS, mean=[127.0], std=[70.0])
    assert count_parameters(network) == 960_693
