"""Images of several sizes are stored as they are: nothing outside an image is ever taken for a part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from storage.data.canvas import inside, on_canvas
from storage.data.dataset import Dataset, build_dataset, read_dataset, read_images, select_samples, write_dataset
from storage.data.quality.examination import examine
from storage.data.quality.outliers import find_outliers
from storage.data.quality.pixels import describe_pixels
from storage.data.quality.resemblance import find_resemblance
from storage.data.quality.scale import pixels_of
from storage.errors import DataError
from support.mixed_sizes import NAMES, SIZES, images_and_masks, mixed_dataset


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_comes_back_as_it_was(tmp_path: Path, channels: int) -> None:
    images, masks = images_and_masks(SIZES, channels=channels)
    canvas, sizes = on_canvas(images)
    assert sizes is not None
    dataset = build_dataset(images=canvas, masks=on_canvas(masks)[0], class_names=NAMES, sizes=sizes)
    write_dataset(dataset, tmp_path / "d.npz")
    read = read_dataset(tmp_path / "d.npz")
    assert read.digest == dataset.digest
    assert (read.height, read.width) == (48, 64)
    assert read.ignore_label == 255
    for place, (image, mask) in enumerate(zip(images, masks, strict=True)):
        assert read.size(place) == mask.shape
        assert np.array_equal(read.image(place), image)
        height, width = mask.shape
        assert np.array_equal(read.masks[place, :height, :width], mask)
        assert (read.masks[place, height:] == 255).all()
        assert (read.masks[place, :, width:] == 255).all()
        means = np.rint(image.reshape(-1, channels).mean(axis=0))
        assert (read.images[place, height:] == means.squeeze()).all()


def test_what_stands_outside_an_image_is_no_part_of_the_digest() -> None:
    dataset = mixed_dataset()
    assert dataset.sizes is not None
    noise = np.where(inside(dataset.masks.shape, dataset.sizes), dataset.images, 77)
    labels = np.where(inside(dataset.masks.shape, dataset.sizes), dataset.masks, 2)
    larger = [np.pad(array, ((0, 0), (0, 5), (0, 3)), constant_values=1) for array in (noise, labels)]
    other = build_dataset(
        images=larger[0],
        masks=larger[1],
        class_names=dataset.class_names,
        excluded=dataset.excluded,
        ignore_label=255,
        sizes=dataset.sizes,
    )
    assert other.digest == dataset.digest


def test_equal_sizes_are_no_sizes() -> None:
    images, masks = images_and_masks([(16, 24)] * 3)
    canvas, sizes = on_canvas(images)
    assert sizes is None
    plain = build_dataset(images=canvas, masks=np.stack(masks), class_names=NAMES)
    padded = [np.pad(array, ((0, 0), (0, 4), (0, 0))) for array in (canvas, np.stack(masks))]
    given = build_dataset(images=padded[0], masks=padded[1], class_names=NAMES, sizes=np.full((3, 2), (16, 24)))
    assert given.sizes is None
    assert given.ignore_label is None
    assert given.digest == plain.digest
    kept = select_samples(mixed_dataset(), np.array([1, 7]))  # both 16x16
    assert kept.sizes is None
    assert kept.images.shape == (2, 16, 16)


def test_an_unnamed_label_255_is_still_a_mistake() -> None:
    images, masks = images_and_masks(SIZES)
    masks[2][3, 3] = 255
    canvas, sizes = on_canvas(images)
    with pytest.raises(DataError, match="masks hold the labels \\[255\\]"):
        build_dataset(images=canvas, masks=on_canvas(masks)[0], class_names=NAMES, sizes=sizes)


def test_no_data_means_the_mean_of_the_own_part() -> None:
    images = [np.full((8, 8), 10, np.int16), np.full((8, 20), 40, np.int16)]
    images[0][0, :4] = -9999
    canvas, sizes = on_canvas(images)
    dataset = build_dataset(
        images=canvas.astype(np.float32),
        masks=np.zeros(canvas.shape, np.uint8),
        class_names=("a", "b"),
        sizes=sizes,
        no_data=-9999,
    )
    assert (dataset.images[0] == 10).all()
    assert (dataset.masks[0, 0, :4] == 255).all()
    assert (dataset.masks[0, 1:, :8] == 0).all()


def test_rules_see_the_images_and_not_the_canvas() -> None:
    """As an image far smaller than the canvas would be found an outlier by its mean, or by its quantiles."""
    dataset = mixed_dataset(24)
    alone = [dataset.image(k).astype(np.float64).mean() for k in range(24)]
    assert np.isclose(pixels_of(dataset).mean, _mean_of_all(dataset))
    assert max(alone) - min(alone) < 60
    assert not find_outliers(dataset, "mean").any()
    assert describe_pixels(dataset).mean == pytest.approx((_mean_of_all(dataset),))
    split = examine(dataset, "d", clean="auto", seed=0).split
    assert sorted([*split.train, *split.validation]) == list(range(24))


def test_equal_and_mirrored_images_are_found_on_a_canvas() -> None:
    images, masks = images_and_masks([(32, 64)] * 20 + [(64, 128)])
    images[3], images[5], images[7] = images[1], images[1][:, ::-1], images[2][::-1]
    canvas, sizes = on_canvas(images)
    dataset = build_dataset(images=canvas, masks=on_canvas(masks)[0], class_names=NAMES, sizes=sizes)
    found = find_resemblance(dataset)
    assert (found.equal, found.near) == (2, 3)
    assert found.together[1] == found.together[3] == found.together[5]
    assert found.together[2] == found.together[7]


def test_a_mask_that_was_slipped_in_is_found_on_a_canvas() -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 255, (24, 40)).astype(np.uint8) for _ in range(30)] + [np.zeros((48, 64), np.uint8)]
    masks = [(random.random(image.shape) > 0.5).astype(np.uint8) for image in images]
    masks[4] = masks[9] = masks[12] = masks[20]
    canvas, sizes = on_canvas(images)
    dataset = build_dataset(images=canvas, masks=on_canvas(masks)[0], class_names=("a", "b"), sizes=sizes)
    assert np.flatnonzero(find_outliers(dataset, "auto")).tolist() == [4, 9, 12, 20]
    assert np.flatnonzero(find_outliers(dataset, "mask")).tolist() == [4, 9, 12, 20]


def test_a_canvas_beyond_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.data.canvas.memory_limit", lambda: 2000)
    with pytest.raises(DataError, match=r"48x64 pixels would take 18,432 bytes.*number 4, 48x48.*or use fewer"):
        on_canvas(images_and_masks(SIZES)[0])
    monkeypatch.undo()
    with pytest.raises(DataError, match="grey and colour"):
        on_canvas([np.zeros((8, 8)), np.zeros((8, 8, 3))])


def test_images_that_wait_for_labels_have_sizes(tmp_path: Path) -> None:
    canvas, sizes = on_canvas(images_and_masks(SIZES)[0])
    assert sizes is not None
    np.savez(tmp_path / "new.npz", pictures=canvas, sizes=sizes)
    images, own = read_images(tmp_path / "new.npz")
    assert own is not None
    assert np.array_equal(own, sizes)
    assert images.shape == canvas.shape
    dataset = mixed_dataset(tests=3)
    write_dataset(dataset, tmp_path / "d.npz")
    images, own = read_images(tmp_path / "d.npz")
    assert own is not None
    assert np.array_equal(own, dataset.test_sizes)
    assert images.shape == (3, 48, 64)


def _mean_of_all(dataset: Dataset) -> float:
    return float(np.concatenate([dataset.image(k).ravel() for k in range(len(dataset.images))]).mean())
