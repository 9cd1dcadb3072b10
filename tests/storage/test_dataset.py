"""Reading, validating and writing data sets: one digest whatever the file, and both layouts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from storage.data.dataset import build_dataset, class_shares, read_dataset, write_dataset
from storage.data.layouts import HOMEWORK_CLASSES
from storage.errors import DataError
from support.examples import examples

NAMES = ("ground", "rock", "ice")


def contents(samples=6, height=9, width=12, **changes):
    random = np.random.default_rng(5)
    values = {
        "images": random.integers(0, 256, (samples, height, width), dtype=np.uint8),
        "masks": random.integers(0, 3, (samples, height, width), dtype=np.uint8),
        "class_names": NAMES,
    }
    return {**values, **changes}


@st.composite
def datasets(draw):
    samples, height, width = draw(st.integers(1, 4)), draw(st.integers(8, 10)), draw(st.integers(8, 10))
    shape = draw(st.sampled_from([(height, width), (height, width, 3)]))
    dtype = draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    of_images = {"elements": st.floats(-1e6, 1e6, width=32)} if dtype == np.float32 else {}
    ignore = draw(st.sampled_from([None, 3, 255]))
    labels = st.sampled_from([0, 1, 2] if ignore is None else [0, 1, 2, ignore])
    masks = draw(arrays(np.uint8, (samples, height, width), elements=labels))
    masks[0, 0, 0] = 1
    tests = draw(st.integers(0, 2))
    text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=5)
    return build_dataset(
        images=draw(arrays(dtype, (samples, *shape), **of_images)),
        masks=masks,
        class_names=NAMES,
        excluded=draw(st.sampled_from([(), ("ground",), ("ice", "rock")])),
        ignore_label=ignore,
        group=draw(st.none() | arrays(np.str_, samples, elements=text).map(lambda array: array.astype("U9"))),
        test_images=draw(arrays(dtype, (tests, *shape), **of_images)) if tests else None,
    )


@settings(max_examples=examples(40), deadline=None)
@given(dataset=datasets())
def test_a_written_file_reads_back_the_same(dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "set.npz"
    write_dataset(dataset, path)
    again = read_dataset(path)
    assert again.digest == dataset.digest
    assert again.images.dtype == dataset.images.dtype
    np.testing.assert_array_equal(again.images, dataset.images)
    np.testing.assert_array_equal(again.masks, dataset.masks)
    assert (again.class_names, again.excluded, again.ignore_label) == (NAMES, dataset.excluded, dataset.ignore_label)
    for name in ("group", "test_images"):
        ours, theirs = getattr(again, name), getattr(dataset, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs)


def test_homework_layout(tmp_path):
    random = np.random.default_rng(0)
    pairs = random.integers(0, 5, (5, 2, 16, 24), dtype=np.uint8)
    pairs[:, 0] *= 50
    tests = random.integers(0, 256, (3, 16, 24), dtype=np.uint8)
    groups = np.array(["a", "a", "b", "b", "c"])
    extra = {"note": np.array("made by hand"), "test_group": np.array(["x", "y", "z"])}
    np.savez(tmp_path / "set.npz", training_set=pairs, test_set=tests, group=groups, **extra)
    dataset = read_dataset(tmp_path / "set.npz")
    np.testing.assert_array_equal(dataset.images, pairs[:, 0])
    np.testing.assert_array_equal(dataset.masks, pairs[:, 1])
    np.testing.assert_array_equal(dataset.test_images, tests)
    assert dataset.group.tolist() == groups.tolist()
    assert dataset.class_names == HOMEWORK_CLASSES
    assert (dataset.excluded, dataset.excluded_labels) == (("background",), (0,))
    assert (dataset.channels, dataset.height, dataset.width, dataset.classes) == (1, 16, 24, 5)


@pytest.mark.parametrize(
    ("names", "excluded"), [(["soil", "background", "ice"], "background"), (["other", "soil", "ice"], "other")]
)
def test_homework_layout_with_its_own_class_names(tmp_path, names, excluded):
    pairs = np.zeros((2, 2, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", training_set=pairs, class_names=np.array(names))
    dataset = read_dataset(tmp_path / "set.npz")
    assert dataset.class_names == tuple(names)
    assert dataset.excluded == (excluded,)
    assert dataset.test_images is None


def test_general_layout_excludes_nothing_unless_told(tmp_path):
    plain = {**contents(), "class_names": np.array(["background", "rock", "ice"])}
    np.savez(tmp_path / "a.npz", **plain)
    np.savez(tmp_path / "b.npz", **plain, excluded_from_mean=np.array(["rock"]))
    np.savez(tmp_path / "c.npz", **plain, excluded_from_mean=np.array([1]))
    assert read_dataset(tmp_path / "a.npz").excluded == ()
    assert read_dataset(tmp_path / "b.npz").excluded == read_dataset(tmp_path / "c.npz").excluded == ("rock",)


def test_the_digest_is_of_the_contents_not_of_the_file(tmp_path):
    values = contents(images=np.arange(6 * 9 * 12, dtype=np.uint16).reshape(6, 9, 12), group=np.array(list("aabbcc")))
    digest = build_dataset(**values).digest
    values["class_names"] = np.array(NAMES)
    np.savez(tmp_path / "plain.npz", **values)
    values["images"] = np.asfortranarray(values["images"].astype(">u2"))
    values["masks"] = values["masks"].astype(np.int64)
    values["group"] = values["group"].astype("U30")
    np.savez_compressed(tmp_path / "packed.npz", **dict(reversed(values.items())))
    assert read_dataset(tmp_path / "plain.npz").digest == digest
    assert read_dataset(tmp_path / "packed.npz").digest == digest


@pytest.mark.parametrize("key", ["images", "masks", "test_images", "group", "class_names", "excluded", "ignore_label"])
def test_each_part_of_the_contents_changes_the_digest(key):
    base = contents(group=np.array(list("aabbcc")), test_images=np.zeros((2, 9, 12), np.uint8))
    other = {
        "images": base["images"] ^ np.eye(9, 12, dtype=np.uint8),
        "masks": (base["masks"] + 1) % 3,
        "test_images": np.ones((2, 9, 12), np.uint8),
        "group": np.array(list("aabbcd")),
        "class_names": ("ground", "rock", "snow"),
        "excluded": ("ice",),
        "ignore_label": 255,
    }
    assert build_dataset(**base).digest != build_dataset(**{**base, key: other[key]}).digest


def test_equal_contents_write_equal_bytes(tmp_path):
    dataset = build_dataset(**contents())
    write_dataset(dataset, tmp_path / "a.npz")
    write_dataset(dataset, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_writing_into_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"set\.npz: cannot be written .*folder"):
        write_dataset(build_dataset(**contents()), tmp_path / "nowhere" / "set.npz")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "set.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", lambda file: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DataError, match="No space left"):
        write_dataset(build_dataset(**contents()), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_class_shares():
    masks = np.array([[[0, 1], [1, 255]]], dtype=np.uint8)
    assert class_shares(masks, 3, 255) == pytest.approx((1 / 3, 2 / 3, 0))
    assert class_shares(np.full((1, 2, 2), 255, np.uint8), 3, 255) == (0.0, 0.0, 0.0)


def test_importing_the_data_modules_is_light():
    code = (
        "import sys, storage.data.dataset, storage.data.quality.outliers, storage.data.split, storage.data.synthetic;"
        "heavy = {'torch', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'optuna'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
