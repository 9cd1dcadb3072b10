"""Synthetic tiles look like the reports' data in what can be counted, and are the same each time."""

from __future__ import annotations

import io
from functools import partial

import numpy as np
import pytest

from storage.data.dataset import class_shares, read_dataset, write_dataset
from storage.data.quality.outliers import clean_dataset, find_outliers
from storage.data.synthetic import SHARES, class_names, synthesise, target_shares
from storage.errors import DataError
from support.cost import cpu_seconds


@pytest.fixture(scope="module")
def tiles():
    return synthesise(train=600, test=20, seed=0)


def test_shapes_and_names(tiles):
    assert tiles.images.shape == tiles.masks.shape == (600, 64, 128)
    assert tiles.test_images.shape == (20, 64, 128)
    assert tiles.images.dtype == np.uint8
    assert tiles.class_names == ("background", "soil", "bedrock", "sand", "big rock")
    assert tiles.excluded == ("background",)


def test_class_shares_are_those_of_the_reports(tiles):
    clean = clean_dataset(tiles, "mask")
    shares = class_shares(clean.masks, 5, None)
    assert shares[:4] == pytest.approx(SHARES[:4], abs=0.02)
    assert shares[4] == pytest.approx(SHARES[4], rel=0.3)


def test_four_in_a_hundred_are_contaminated(tiles):
    shared = find_outliers(tiles, "mask")
    assert shared.sum() == 24
    assert len(np.unique(tiles.masks[shared], axis=0)) == 1
    figures = np.quantile(tiles.images, 0.995, axis=(1, 2))
    assert figures[shared].min() > figures[~shared].mean() + 50


def test_tiles_of_a_site_are_alike(tiles):
    names, site = np.unique(tiles.group, return_inverse=True)
    sizes = np.bincount(site)
    assert 75 < len(names) < 300
    assert sizes.min() >= 1
    assert sizes.max() <= 12
    means = tiles.images.mean(axis=(1, 2))
    between = np.array([means[site == one].mean() for one in range(len(names))])
    within = means - between[site]
    assert within[sizes[site] > 1].std() < between.std()


def test_rocks_are_in_a_few_tiles_of_several_sites(tiles):
    rocks = (tiles.masks == 4).any(axis=(1, 2))
    assert 0.03 < rocks.mean() < 0.1
    assert len(np.unique(tiles.group[rocks])) >= 5


def test_brightness_alone_does_not_tell_the_class(tiles):
    clean = clean_dataset(tiles, "mask")
    means = [clean.images[clean.masks == label].mean() for label in (1, 2, 3)]
    spread = clean.images[clean.masks == 1].std()
    assert max(means) - min(means) < spread / 2


def test_the_same_seed_gives_the_same_data_and_another_does_not():
    made = [synthesise(train=12, test=3, seed=seed).digest for seed in (7, 7, 8)]
    assert made[0] == made[1] != made[2]


def test_test_images_do_not_change_the_training_part():
    few, many = synthesise(train=12, test=0, seed=1), synthesise(train=12, test=9, seed=1)
    np.testing.assert_array_equal(few.images, many.images)
    assert few.test_images is None


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 7, 12, 32])
def test_any_number_of_classes(classes):
    dataset = synthesise(train=60, test=1, seed=3, classes=classes)
    assert dataset.class_names == class_names(classes)
    assert len(set(dataset.class_names)) == classes
    assert sum(target_shares(classes)) == pytest.approx(1)
    assert class_shares(dataset.masks, classes, None) == pytest.approx(target_shares(classes), abs=0.05)
    assert find_outliers(dataset, "mask").sum() == (0 if classes == 2 else 2)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 61), (256, 256), (96, 40)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_size_and_colour(height, width, channels):
    dataset = synthesise(train=6, test=2, seed=0, height=height, width=width, channels=channels, classes=3)
    assert dataset.images.shape[:3] == (6, height, width)
    assert dataset.channels == channels
    assert dataset.test_images.shape == (2, *dataset.images.shape[1:])
    assert dataset.images.std() > 5


def test_colour_says_more_than_grey():
    dataset = synthesise(train=20, test=0, seed=0, channels=3)
    assert (dataset.images.astype(float).std(axis=3) > 2).mean() > 0.5


def test_a_single_sample_is_a_data_set(tmp_path):
    dataset = synthesise(train=1, test=1, seed=0)
    write_dataset(dataset, tmp_path / "one.npz")
    assert read_dataset(tmp_path / "one.npz").digest == dataset.digest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"train": 0}, "0 training"),
        ({"test": -1}, "-1 test"),
        ({"height": 15}, "15x128 tiles"),
        ({"channels": 2}, "2 channels"),
        ({"classes": 1}, "1 classes"),
        ({"classes": 33}, "expected 2 to 32"),
    ],
)
def test_arguments_out_of_range(changes, words):
    with pytest.raises(DataError, match=words):
        synthesise(**{"train": 2, "test": 1, "seed": 0, **changes})


def test_its_time_is_linear_in_the_images_and_a_few_times_that_of_packing_them():
    few, many = (cpu_seconds(partial(synthesise, train=n, test=0, seed=0)) for n in (30, 300))
    made = synthesise(train=300, test=0, seed=0)
    packing = cpu_seconds(lambda: np.savez_compressed(io.BytesIO(), images=made.images, masks=made.masks))
    assert many < 30 * few  # measured: 10
    assert many < 50 * packing
