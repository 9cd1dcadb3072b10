"""Contaminated samples are found by the mask that they share, by distance, and by mean."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from storage.data.dataset import build_dataset, read_dataset
from storage.data.quality.outliers import METHODS, clean_dataset, find_outliers
from storage.data.synthetic import synthesise
from storage.errors import DataError


def make(masks, images=None, **changes):
    masks = np.asarray(masks, dtype=np.uint8)
    images = np.zeros_like(masks) if images is None else images
    names = ("background", "soil", "rock")
    return build_dataset(
        images=images, masks=masks, class_names=names, **{"excluded": ("background",), "ignore_label": 255, **changes}
    )


def mask(*labels):
    """A mask whose columns carry these labels, one after the other."""
    return np.tile(np.resize(np.array(labels, dtype=np.uint8), 8), (8, 1))


def test_a_shared_mask_with_two_foreground_classes_is_suspicious():
    dataset = make([mask(0, 1, 2), mask(1), mask(0, 1, 2), mask(2, 1)])
    assert find_outliers(dataset, "mask").tolist() == [True, False, True, False]


@pytest.mark.parametrize("honest", [mask(1), mask(0, 1), mask(0), mask(1, 255)])
def test_masks_with_one_foreground_class_repeat_honestly(honest):
    assert not find_outliers(make([honest, honest, honest]), "mask").any()


def test_two_classes_count_where_nothing_is_excluded():
    dataset = make([mask(0, 1), mask(0, 1), mask(1)], excluded=())
    assert find_outliers(dataset, "mask").tolist() == [True, True, False]


def test_none_suspects_nobody():
    assert not find_outliers(make([mask(1, 2), mask(1, 2)]), "none").any()


def test_mean_finds_badly_exposed_frames():
    images = np.linspace(55, 65, 40, dtype=np.float32)[:, None, None] * np.ones((8, 8), dtype=np.float32)
    images[7] += 40
    images[20] -= 40
    found = find_outliers(make([mask(1)] * 40, images), "mean")
    assert np.flatnonzero(found).tolist() == [7, 20]


def test_mean_of_equal_images_suspects_nobody():
    assert not find_outliers(make([mask(1)] * 20), "mean").any()


@pytest.mark.parametrize("channels", [1, 3])
def test_all_methods_on_synthetic_tiles(channels):
    dataset = synthesise(train=200, test=0, seed=4, channels=channels)
    shared = find_outliers(dataset, "mask")
    assert shared.sum() == 8
    far = find_outliers(dataset, "mahalanobis")
    assert (far & shared).sum() >= 6
    assert far.sum() <= 20


@pytest.mark.parametrize("method", METHODS)
def test_few_or_constant_images_do_no_harm(method):
    assert not find_outliers(make([mask(1)]), method).any()
    assert not find_outliers(make([mask(1)] * 12), method).any()


def test_clean_drops_the_suspects_and_keeps_the_rest():
    groups = np.array(list("abcdefghij"))
    tests = np.zeros((2, 8, 8), dtype=np.uint8)
    images = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((8, 8), dtype=np.uint8)
    masks = [mask(0, 1, 2), mask(1), mask(0, 1, 2), mask(2, 1), *[mask(1)] * 6]
    dataset = make(masks, images, group=groups, test_images=tests)
    clean = clean_dataset(dataset, "mask")
    assert clean.group.tolist() == list("bdefghij")
    assert clean.images[:, 0, 0].tolist() == [1, *range(3, 10)]
    assert len(clean.test_images) == 2
    assert clean.digest != dataset.digest
    assert clean_dataset(dataset, "none").digest == dataset.digest


def test_clean_never_leaves_nothing():
    with pytest.raises(DataError, match=r"all 2 samples are used: 2 share a mask .* nothing is written"):
        clean_dataset(make([mask(1, 2), mask(1, 2)]), "mask")


def test_unknown_method_names_the_known_ones():
    with pytest.raises(DataError, match="'magic'; expected one of none, auto, mask, mahalanobis, mean"):
        find_outliers(make([mask(1)]), "magic")


@pytest.mark.skipif("MARSEARCH_TEST_DATA" not in os.environ, reason="MARSEARCH_TEST_DATA names no AI4Mars tiles")
def test_the_real_tiles():
    dataset = read_dataset(Path(os.environ["MARSEARCH_TEST_DATA"]))
    shared = find_outliers(dataset, "mask")
    assert (len(shared), shared.sum()) == (2615, 110)
    assert len(clean_dataset(dataset, "mask").images) == 2505
    far = find_outliers(dataset, "mahalanobis")
    assert (far & shared).sum() >= 100
    assert far.sum() <= 160
    assert find_outliers(dataset, "mean").sum() <= 30
