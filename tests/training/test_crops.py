"""Crops lie in their images, a third of them hold a class that counts, and what is beside an image counts nowhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.training.arrays import TrainingData
from search.training.fit import fit
from search.training.setup import Setup, prepare
from search.training.step import _batch
from search.worker.job_files import samples_of, training_data
from spaces import DataFacts, Recipe, load_recipe
from storage.data.quality.examination import examine
from storage.data.split import Split
from support.mixed_sizes import NAMES, mixed_dataset

MUCH = """
augment: {mixing: {method: cutmix, probability: 1.0}, geometry: {rotation: 20.0}}
class_weights: {scheme: adaptive}
data: {oversample: {copies: 2, isolate: true}}
loss: {boundary: {weight: 0.2}}
"""


def recipe(text: str = "", epochs: int = 2) -> Recipe:
    small = f"model: {{depth: 2, filters: 4}}\noptimisation: {{batch_size: 4, lr: 1e-2, epochs: {epochs}}}\n"
    return load_recipe(small + text)


def mixed_data(count: int = 12, channels: int = 1) -> TrainingData:
    dataset = mixed_dataset(count, channels=channels)
    split: Split = examine(dataset, "d", clean="none", seed=0).split
    return training_data(dataset, "none", samples_of(split, Path("d"), split.validation[:2].tolist()))


def large_data() -> TrainingData:
    """Equal images that are larger than what is trained on whole, a few pixels of a rare class in half of them."""
    random = np.random.default_rng(0)
    masks = (random.random((6, 300, 260)) > 0.5).astype(np.uint8)
    for mask in masks[::2]:
        row, column = random.integers(250, size=2)
        mask[row : row + 2, column : column + 2] = 2
    images = (masks * 80 + random.integers(0, 40, masks.shape)).astype(np.uint8)
    facts = DataFacts(channels=1, height=300, width=260, class_names=NAMES, excluded=("sky",))
    return TrainingData(
        train_images=images[:4],
        train_masks=masks[:4],
        validation_images=images[4:],
        validation_masks=masks[4:],
        facts=facts,
        shown=(1,),
    )


def setup_of(data: TrainingData, text: str = "") -> Setup:
    return prepare(recipe(text), data, torch.device("cpu"), lambda: False)


def draw(setup: Setup, rows: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    plain = replace(setup, augment=lambda images, masks, _: (images, masks))
    return _batch(plain, rows, torch.Generator().manual_seed(seed))


def test_a_crop_is_a_part_of_its_image() -> None:
    data = large_data()
    number = np.arange(300 * 260, dtype=np.float32).reshape(300, 260)
    images = np.stack([number + 100_000 * place for place in range(4)])
    setup = setup_of(replace(data, train_images=images, validation_images=images[:2]), "data: {crop: 64}\n")
    rows = torch.arange(4).repeat(8)
    crops, labels = draw(setup, rows)
    assert crops.shape == (32, 1, 64, 64)
    for row, crop, label in zip(rows.tolist(), crops[:, 0].numpy(), labels.numpy(), strict=True):
        first = int(crop[0, 0]) - 100_000 * row
        top, left = divmod(first, 260)
        assert np.array_equal(crop, images[row][top : top + 64, left : left + 64])
        assert np.array_equal(label, data.train_masks[row][top : top + 64, left : left + 64])


def test_beside_a_small_image_is_its_mean_and_no_label() -> None:
    data = mixed_data()
    setup = setup_of(data, "data: {crop: 64}\n")
    assert data.train_sizes is not None
    count = len(data.train_images)
    crops, labels = draw(setup, torch.arange(count))
    for place in range(count):
        height, width = data.train_sizes[place]
        own = data.train_images[place, :height, :width].astype(np.float64)
        beside = labels[place] == 255
        assert int((~beside).sum()) == height * width
        assert (crops[place, 0][beside] == round(own.mean())).all()
        assert np.isclose(float(crops[place, 0][~beside].mean()), own.mean())


def test_a_third_of_the_crops_hold_a_rare_class() -> None:
    """With positions drawn alone about a hundredth would."""
    data = large_data()
    setup = setup_of(data, "data: {crop: 32}\n")
    rows = torch.tensor([0, 2]).repeat(4, 3)[:, :6].flatten()  # those that hold the rare class
    hold = torch.stack([(draw(setup, rows, seed)[1] == 2).flatten(1).any(dim=1) for seed in range(60)])
    placed = hold[:, -round(len(rows) / 3) :].float().mean()
    assert 0.4 < placed < 0.7  # of two classes that count it is drawn in half of the crops
    assert hold[:, : -round(len(rows) / 3)].float().mean() < 0.06


def test_every_placed_crop_holds_a_class_that_counts() -> None:
    data = large_data()
    masks = np.zeros_like(data.train_masks)
    masks[:, 299, 259] = 1  # in the last corner
    setup = setup_of(replace(data, train_masks=masks), "data: {crop: 32}\n")
    for seed in range(20):
        labels = draw(setup, torch.arange(4).repeat(3), seed)[1]
        assert (labels[-4:] == 1).flatten(1).any(dim=1).all()


def test_additional_samples_show_the_rarest_class() -> None:
    text = "data: {crop: 32, oversample: {copies: 3}}\n"
    setup = setup_of(large_data(), text)
    per_image = round(300 * 260 / 32**2)
    assert setup.samples.count(1) == 4 * per_image + 2 * 2 * -(-per_image // 3)
    additional = setup.samples.indices(1)[4 * per_image :]
    assert (draw(setup, additional)[1] == 2).flatten(1).any(dim=1).all()
    isolated = setup_of(large_data(), text.replace("copies: 3", "copies: 2, isolate: true"))
    labels = draw(isolated, isolated.samples.additional)[1]
    assert set(labels.unique().tolist()) == {0, 2}


def test_donors_are_crops_that_hold_the_rarest_class() -> None:
    from search.training.pieces.prepared import build_crop_donors

    data = large_data()
    setup = setup_of(data, "data: {crop: 32}\n")
    assert setup.pieces is not None
    donors = build_crop_donors(setup.pieces, data, setup.samples.images, setup.samples.masks, 2)
    assert donors is not None
    assert donors.images.shape[1:] == (1, 32, 32)
    assert donors.images.dtype == torch.uint8
    assert (donors.masks == 2).flatten(1).any(dim=1).all()


@pytest.mark.parametrize("text", [MUCH, "background: {depth: 2, filters: 4}\n"])
def test_a_training_on_crops_learns(text: str) -> None:
    data = mixed_data()
    records = [epoch.record for epoch in fit(recipe(text, 4), data)]
    counted = int((data.validation_masks != 255).sum())
    assert sum(map(sum, records[-1].confusion)) == counted
    assert records[-1].miou > 0.3


def test_labels_of_shown_images_stand_on_the_canvas_in_their_order() -> None:
    data = mixed_data(18)
    [*_, last] = fit(recipe(), replace(data, shown=(2, 0)))
    assert last.shown.shape == (2, *data.validation_masks.shape[1:])
    assert data.validation_sizes is not None
    for place, labels in zip((2, 0), last.shown, strict=True):
        height, width = data.validation_sizes[place]
        assert (labels[height:] == 0).all()
        assert (labels[:, width:] == 0).all()


def test_the_same_training_twice_is_the_same() -> None:
    one, two = (list(fit(recipe("augment: {noise: 0.1}\n"), mixed_data()))[-1] for _ in range(2))
    assert one.record.train_loss == two.record.train_loss
    assert one.record.confusion == two.record.confusion


def test_an_epoch_covers_the_pixels_about_once() -> None:
    data = large_data()
    for crop in (32, 96, 256):
        count = setup_of(data, f"data: {{crop: {crop}}}\n").samples.count(1)
        assert 0.7 < count * crop**2 / data.train_masks.size < 1.5
