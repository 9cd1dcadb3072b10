"""Small facts, scores and a network whose bundle takes a fraction of a second."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from search.outcome.bundle import BundleContents, write_bundle
from search.outcome.proof import measure
from search.training.arrays import channel_statistics
from search.training.epoch import EpochRecord
from search.training.metrics import scores
from spaces.facts import DataFacts
from spaces.modules.networks.network import build_network
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import UNet
from storage.data.quality.scale import measure_pixels


@pytest.fixture(scope="session")
def mars() -> DataFacts:
    names = ("background", "soil", "bedrock", "sand", "big rock")
    return DataFacts(channels=1, height=64, width=128, class_names=names, excluded=("background",))


@pytest.fixture(scope="session")
def points() -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(
            number=n,
            train_loss=2 / n,
            validation_loss=2.2 / n,
            miou=0.5 - 0.4 / n,
            miou_strict=0.4 - 0.3 / n,
            lr=1e-3,
            seconds=1.0,
            memory_mb=1.0,
        )
        for n in range(1, 9)
    )


@pytest.fixture(scope="session")
def contents(points: tuple[EpochRecord, ...], tmp_path_factory: pytest.TempPathFactory) -> BundleContents:
    """An untrained network of 21x34 images, its scores measured on four of them."""
    rng = np.random.default_rng(0)
    facts = DataFacts(channels=1, height=21, width=34, class_names=("ground", "a|b <i>", "rock"), excluded=("ground",))
    recipe = Recipe(model=UNet(depth=2, filters=4), optimisation=Optimisation(epochs=8, batch_size=4), seed=5)
    masks = rng.integers(0, 2, (4, 21, 34)).astype(np.uint8)  # no rock: its IoU may be undefined
    images = (masks * 90 + rng.normal(80, 10, masks.shape)).clip(0, 255).astype(np.uint8)
    mean, std = channel_statistics(images)
    network = build_network(recipe, facts, mean=mean, std=std)
    picture, table = (tmp_path_factory.mktemp("pictures") / name for name in ("00_panel.png", "30_iou.csv"))
    picture.write_bytes(b"a picture")
    table.write_text("class,iou\n")
    unscored = BundleContents(
        recipe=recipe,
        facts=facts,
        weights=network.state_dict(),
        mean=mean,
        std=std,
        pixels=measure_pixels(images),
        scores=scores(torch.zeros(3, 3, dtype=torch.int64), facts),
        epoch=7,
        data_digest="d" * 64,
        study="demo",
        trial=12,
        validation_images=images,
        validation_masks=masks,
        pictures=(picture, table),
        curve=points,
    )
    return dataclasses.replace(unscored, scores=measure(network, unscored))


@pytest.fixture(scope="session")
def pristine(contents: BundleContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundles") / "bundle"
    write_bundle(out, contents)
    return out


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    """A bundle of one's own to spoil, alone in its folder."""
    return shutil.copytree(pristine, tmp_path / "bundle")
