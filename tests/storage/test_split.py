"""The promises of a split: disjoint, complete, groups whole, validation clean, rare classes on both sides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from storage.data.dataset import build_dataset
from storage.data.quality.outliers import find_outliers
from storage.data.split import split_dataset, split_folds
from storage.data.synthetic import synthesise
from storage.errors import DataError
from support.examples import examples

CLASSES = 4


def make(classes_of_samples, groups=None):
    """One sample per set of classes; label 0 fills the rest."""
    masks = np.zeros((len(classes_of_samples), 8, 8), dtype=np.uint8)
    for mask, classes in zip(masks, classes_of_samples, strict=True):
        mask.reshape(-1)[: len(classes)] = sorted(classes)
    names = tuple(f"class {number}" for number in range(CLASSES))
    group = None if groups is None else np.array([str(number) for number in groups])
    return build_dataset(images=np.zeros_like(masks), masks=masks, class_names=names, group=group)


@st.composite
def cases(draw):
    samples = draw(st.integers(2, 40))
    classes = draw(st.lists(st.sets(st.integers(1, CLASSES - 1)), min_size=samples, max_size=samples))
    numbers = st.integers(0, draw(st.integers(1, 12)))
    groups = draw(st.none() | st.lists(numbers, min_size=samples, max_size=samples))
    spoiled = draw(st.lists(st.sampled_from([False, False, False, True]), min_size=samples, max_size=samples))
    return make(classes, groups), np.array(spoiled)


@settings(max_examples=examples(150), deadline=None)
@given(case=cases(), seed=st.integers(0, 2**31), holdout=st.sampled_from([0.0, 0.1, 0.3]))
def test_every_split_keeps_its_promises(case, seed, holdout):
    dataset, contaminated = case
    group = np.arange(len(contaminated)) if dataset.group is None else dataset.group
    parts_wanted = 3 if holdout else 2
    assume(len(np.unique(group[~contaminated])) >= parts_wanted)
    split = split_dataset(dataset, seed=seed, holdout=holdout, contaminated=contaminated)
    parts = [split.train, split.validation, split.holdout]
    placed = np.concatenate(parts)
    assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() for part in parts)
    assert len(np.unique(placed)) == len(placed)
    assert all(len(part) > 0 for part in parts[:parts_wanted])
    assert (len(split.holdout) == 0) == (holdout == 0)
    assert not contaminated[split.validation].any()
    assert not contaminated[split.holdout].any()
    lost = np.setdiff1d(np.arange(len(contaminated)), placed)
    scored = np.concatenate([split.validation, split.holdout])
    assert contaminated[lost].all()
    assert np.isin(group[lost], group[scored]).all()
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.isin(group[parts[one]], group[parts[other]]).any()
    again = split_dataset(dataset, seed=seed, holdout=holdout, contaminated=contaminated)
    assert all(map(np.array_equal, parts, [again.train, again.validation, again.holdout]))
    assert split.method == ("stratified" if dataset.group is None else "group")


@settings(max_examples=examples(60), deadline=None)
@given(data=st.data(), seed=st.integers(0, 1000))
def test_a_rare_class_is_on_both_sides(data, seed):
    groups = data.draw(st.integers(4, 30))
    rare = data.draw(st.sets(st.integers(0, groups - 1), min_size=2, max_size=3))
    dataset = make([{1, 2, 3} if group in rare else {1, 2} for group in range(groups)], range(groups))
    split = split_dataset(dataset, seed=seed, contaminated=np.zeros(groups, dtype=bool))
    for part in (split.train, split.validation):
        assert (dataset.masks[part] == 3).any()


def test_a_class_of_one_group_stays_in_training():
    dataset = make([{1, 3}] + [{1, 2}] * 9, range(10))
    for seed in range(10):
        split = split_dataset(dataset, seed=seed, contaminated=np.zeros(10, dtype=bool))
        assert 0 in split.train


@pytest.mark.parametrize("grouped", [True, False])
def test_shares_on_mars_like_tiles(grouped):
    dataset = synthesise(train=400, test=0, seed=2)
    contaminated = find_outliers(dataset, "mask")
    if not grouped:
        dataset = build_dataset(images=dataset.images, masks=dataset.masks, class_names=dataset.class_names)
    split = split_dataset(dataset, seed=0, holdout=0.1, contaminated=contaminated)
    clean = (~contaminated).sum()
    assert len(split.validation) / clean == pytest.approx(0.2, abs=0.02)
    assert len(split.holdout) / clean == pytest.approx(0.1, abs=0.02)
    for label in range(5):
        pixels = (dataset.masks == label).sum(axis=(1, 2))
        share = pixels[split.validation].sum() / pixels[~contaminated].sum()
        assert share == pytest.approx(0.2, abs=0.06)


def test_another_seed_is_another_split():
    dataset = make([{1, 2}] * 30, range(30))
    clean = np.zeros(30, dtype=bool)
    found = {tuple(split_dataset(dataset, seed=seed, contaminated=clean).validation) for seed in range(8)}
    assert len(found) > 4


def test_contaminated_samples_are_for_training():
    contaminated = np.array([True, True] + [False] * 8)
    split = split_dataset(make([{1, 2}] * 10), seed=0, contaminated=contaminated)
    assert {0, 1} <= set(split.train.tolist())
    assert len(split.validation) == 2
    split = split_dataset(make([{1, 2}] * 10, [9, 9, *range(8)]), seed=0, contaminated=contaminated)
    assert {0, 1} <= set(split.train.tolist())  # a group of contaminated samples only


@pytest.mark.parametrize(("validation", "holdout"), [(0, 0), (1, 0), (0.6, 0.4), (0.2, -0.1), (float("nan"), 0)])
def test_impossible_shares(validation, holdout):
    with pytest.raises(DataError, match="expected validation above 0"):
        split_dataset(
            make([{1}] * 9), seed=0, validation=validation, holdout=holdout, contaminated=np.zeros(9, dtype=bool)
        )


def test_too_few_groups_or_samples():
    with pytest.raises(DataError, match="2 parts needs as many groups with clean samples, but there are 1"):
        split_dataset(make([{1}] * 9, [4] * 9), seed=0, contaminated=np.zeros(9, dtype=bool))
    with pytest.raises(DataError, match="3 parts needs as many different clean images, but there are 2"):
        split_dataset(make([{1}] * 3), seed=0, holdout=0.2, contaminated=np.array([True, False, False]))
    with pytest.raises(DataError, match="but there are 0"):
        split_dataset(make([{1}] * 3), seed=0, contaminated=np.ones(3, dtype=bool))


@settings(max_examples=examples(100), deadline=None)
@given(case=cases(), seed=st.integers(0, 2**31), folds=st.integers(2, 5))
def test_folds_score_every_clean_sample_once_and_never_divide_a_group(case, seed, folds):
    dataset, contaminated = case
    group = np.arange(len(contaminated)) if dataset.group is None else dataset.group
    assume(len(np.unique(group[~contaminated])) >= folds)
    splits = split_folds(dataset, seed=seed, folds=folds, contaminated=contaminated)
    assert len(splits) == folds
    scored = np.concatenate([split.validation for split in splits])
    assert sorted(scored) == np.flatnonzero(~contaminated).tolist()
    for split in splits:
        assert len(split.validation) > 0
        assert len(split.holdout) == 0
        assert not np.isin(group[split.train], group[split.validation]).any()
        lost = np.setdiff1d(np.arange(len(group)), np.concatenate([split.train, split.validation]))
        assert contaminated[lost].all()
        assert np.isin(group[lost], group[split.validation]).all()
        assert all((np.diff(part) > 0).all() for part in (split.train, split.validation))
    again = split_folds(dataset, seed=seed, folds=folds, contaminated=contaminated)
    assert all(np.array_equal(a.train, b.train) for a, b in zip(splits, again, strict=True))


@pytest.mark.parametrize("folds", [3, 5])
def test_folds_of_mars_like_tiles_are_alike(folds):
    dataset = synthesise(train=400, test=0, seed=2)
    contaminated = find_outliers(dataset, "mask")
    splits = split_folds(dataset, seed=0, folds=folds, contaminated=contaminated)
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= 6
    for label in range(5):
        pixels = [(dataset.masks[split.validation] == label).sum() for split in splits]
        share = np.array(pixels) / (dataset.masks[~contaminated] == label).sum()
        assert share == pytest.approx(np.full(folds, 1 / folds), abs=0.06)


def test_impossible_folds():
    clean = np.zeros(9, dtype=bool)
    with pytest.raises(DataError, match="cannot make 1 folds; expected at least 2"):
        split_folds(make([{1}] * 9), seed=0, folds=1, contaminated=clean)
    with pytest.raises(DataError, match="4 parts needs as many groups with clean samples, but there are 3"):
        split_folds(make([{1}] * 9, [0, 1, 2] * 3), seed=0, folds=4, contaminated=clean)
