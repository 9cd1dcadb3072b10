"""Data as people have them: no sample is lost without a word, and what makes a score mean less is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from search.training.metrics import scores
from search.worker.job_files import facts_of
from storage.data.dataset import Dataset, build_dataset, read_dataset
from storage.data.layouts import from_arrays
from storage.data.quality.examination import examine
from storage.data.quality.examination import inspect as report_on
from storage.data.quality.outliers import contamination
from storage.errors import DataError
from support.commands import Command, command_here

NAMES = ("ground", "rock", "sand")
Images = NDArray[Any]


def scenes(count: int, size: int = 32, seed: int = 0) -> tuple[Images, Images]:
    """Grey images whose brightness tells the class, each of its own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    masks = np.zeros((count, size, size), np.uint8)
    for mask in masks:
        for label in (1, 2):
            row, column, radius = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(size / 6, size / 2.5)
            mask[(y - row) ** 2 + (x - column) ** 2 < radius**2] = label
    bright = (masks + 0.5) / 3 + rng.normal(0, 0.06, masks.shape)
    return (bright.clip(0, 1) * 255).astype(np.uint8), masks


def dataset(images: Images, masks: Images, **more: Any) -> Dataset:
    return build_dataset(images=images, masks=masks, class_names=more.pop("class_names", NAMES), **more)


def straight_borders() -> Dataset:
    rng = np.random.default_rng(1)
    masks = np.zeros((60, 32, 32), np.uint8)
    for mask in masks:
        mask[:, rng.integers(10, 22) :] = 1
    images = (masks * 90 + 60 + rng.normal(0, 15, masks.shape)).clip(0, 255).astype(np.uint8)
    return dataset(images, masks, class_names=NAMES[:2])


def augmented_beforehand() -> Dataset:
    images, masks = scenes(20)
    more, other = scenes(12, seed=5)
    copies = [np.clip(images * factor, 0, 255).astype(np.uint8) for factor in (0.7, 1.2)]
    mirrored = images[:, :, ::-1], masks[:, :, ::-1]
    return dataset(
        np.concatenate([images, *copies, mirrored[0], more]), np.concatenate([masks, masks, masks, mirrored[1], other])
    )


def fixed_camera() -> Dataset:
    rng = np.random.default_rng(2)
    images, masks = scenes(1)
    lit = images * rng.uniform(0.6, 1.0, (40, 1, 1)) + rng.normal(0, 3, (40, 32, 32))
    return dataset(lit.clip(0, 255).astype(np.uint8), np.repeat(masks, 40, axis=0))


def one_camera_of_several() -> Dataset:
    """A tenth of the images are of a fixed camera, with one mask."""
    camera, (images, masks) = fixed_camera(), scenes(90)
    return dataset(np.concatenate([images, camera.images[:10]]), np.concatenate([masks, camera.masks[:10]]))


def one_class_masks() -> Dataset:
    images, masks = scenes(30)
    masks[:20] = 1
    return dataset(images, masks)


def changing_light() -> Dataset:
    """One border for a few images, and sides that are bright or dark by chance."""
    rng = np.random.default_rng(3)
    images, masks = scenes(90)
    border = (np.arange(32) >= 16).astype(np.uint8)[None] * np.ones((32, 1), np.uint8)
    lit = 128 + rng.choice([-60, 60], (10, 1, 1)) * (border - 0.5) + rng.normal(0, 10, (10, 32, 32))
    return dataset(np.concatenate([images, lit.astype(np.uint8)]), np.concatenate([masks, [border] * 10]))


def textures() -> Dataset:
    """A few images whose classes differ in grain alone, which no comparison of brightness sees, under six masks."""
    rng = np.random.default_rng(4)
    images, masks = scenes(120, seed=6)
    borders = np.repeat(np.arange(16, 28, 2), 3)
    masks = np.concatenate([masks, [np.tile(np.arange(32) >= border, (32, 1)) for border in borders]])
    grain = np.where(masks[120:] == 0, rng.normal(0, 20, (18, 32, 32)), rng.choice([-20, 20], (18, 32, 32)))
    return dataset(np.concatenate([images, (128 + grain).clip(0, 255).astype(np.uint8)]), masks)


HONEST = (
    straight_borders,
    augmented_beforehand,
    fixed_camera,
    one_camera_of_several,
    one_class_masks,
    changing_light,
    textures,
)


@pytest.mark.parametrize("made", HONEST)
def test_honest_samples_are_used_though_their_masks_repeat(made: Any) -> None:
    """ultralytics/ultralytics#8515: repeated masks counted as contaminated, on every data set."""
    found = examine(made(), "data", clean="auto", seed=0)
    used = np.concatenate([found.split.train, found.split.validation])
    assert found.report.left_out == 0
    assert len(found.split.contaminated) == 0
    assert sorted(used.tolist()) == list(range(found.report.samples))


def contaminated(share: float) -> Dataset:
    """Images of which some have another one's mask, all the same."""
    images, masks = scenes(100)
    masks[: int(100 * share)] = scenes(1, seed=9)[1]
    return dataset(images, masks)


def test_a_mask_that_fits_none_of_its_images_is_left_out_and_said() -> None:
    """ultralytics/ultralytics#8515: what is left out was never said."""
    found = examine(contaminated(0.1), "data", clean="auto", seed=0)
    assert found.report.left_out == 10
    assert not set(range(10)) & set(found.split.validation.tolist())
    [note] = [note for note in found.report.notes if "used" in note]
    assert note.startswith("90 of 100 samples are used: 10 share one mask that fits none of their images")
    assert "--clean none" in note


@pytest.mark.parametrize("rule", ["auto", "mask"])
def test_a_rule_that_would_take_a_large_share_takes_nothing_and_says_so(rule: str) -> None:
    """ultralytics/ultralytics#8515: a training on 10 of 72 images, silently."""
    found = contamination(contaminated(0.3), rule)
    assert not found.samples.any()
    assert "all 100 samples are used: 30 share" in found.note


def test_what_is_contaminated_is_a_choice_of_the_study(here: Command, npz: Any) -> None:
    """ultralytics/ultralytics#8515: no option turned the removal off."""
    data = npz("ten", contaminated(0.1))
    for rule, left_out in (("auto", 10), ("none", 0)):
        made = here("create", rule, "--data", data, "--clean", rule, "--warm-start", "none")
        assert made.returncode == 0
        assert ("90 of 100 samples are used" in made.stderr) == bool(left_out)
        told = json.loads(here("status", rule, "--json").stdout)
        assert (told["clean"], told["data"]["left_out"]) == (rule, left_out)
    again = here("create", "auto", "--data", data, "--clean", "none", "--warm-start", "none")
    assert again.returncode == 2
    assert "--clean" in again.stderr


def together(made: Dataset) -> list[set[int]]:
    split = examine(made, "data", clean="none", seed=0).split
    return [set(split.train.tolist()), set(split.validation.tolist())]


def test_equal_images_fall_on_one_side_and_it_is_said() -> None:
    """hci-unihd/plant-seg#11: every image stood twice, eight of eight validation images were trained on."""
    images, masks = scenes(20)
    again = masks.copy()
    again[:, 0, 0] = 2
    made = dataset(np.tile(images, (2, 1, 1)), np.concatenate([masks, again]))
    for part in together(made):
        assert {index % 20 for index in part} == {index % 20 for index in part if index < 20}
        assert len(part) == 2 * len({index % 20 for index in part})
    assert "40 images are equal to another one" in " ".join(report_on(made, clean="auto", seed=0).notes)


def test_near_equal_images_fall_on_one_side() -> None:
    """hci-unihd/plant-seg#11: copies in another brightness, or mirrored, on both sides of the split."""
    made = augmented_beforehand()
    sources = [*range(20)] * 4
    train, validation = ({sources[index] for index in part if index < 80} for part in together(made))
    assert not train & validation
    assert report_on(made, clean="auto", seed=0).near_equal_images == 80


def test_equal_images_join_the_groups_that_hold_them() -> None:
    """hci-unihd/plant-seg#11: a group per visit does not part an image that two visits share."""
    images, masks = scenes(30)
    images[20:] = images[:10]
    made = dataset(images, masks, group=np.array([f"visit {index // 5}" for index in range(30)]))
    train, validation = together(made)
    assert all((index in train) == (index + 20 in train) for index in range(10))
    assert validation


def test_images_that_are_all_alike_are_still_split_and_it_is_said() -> None:
    """hci-unihd/plant-seg#11: what the split cannot tell."""
    report = report_on(fixed_camera(), clean="auto", seed=0)
    assert report.parts["validation"].samples == 8
    assert any("nearly equal" in note and "other scenes" in note for note in report.notes)


def stripes() -> tuple[Images, Images]:
    """Float images with a strip that is not labelled and holds a marker."""
    images, masks = scenes(40)
    real = images.astype(np.float32) / 255
    real[:, :, :2], masks[:, :, :2] = -9999, 255
    return real, masks


@pytest.mark.parametrize("marker", [-9999.0, -3.4e38, 1e30])
def test_pixels_without_a_label_do_not_spoil_the_statistics(marker: float) -> None:
    """remicres/otbtf#25: one no-data value in a strip took two thirds of the score, without a word."""
    real, masks = stripes()
    clean = report_on(dataset(real[:, :, 2:], masks[:, :, 2:]), clean="auto", seed=0).pixels
    real[:, :, :2] = marker
    report = report_on(dataset(real, masks, ignore_label=255), clean="auto", seed=0)
    assert report.pixels.mean == pytest.approx(clean.mean)
    assert report.pixels.std == pytest.approx(clean.std)
    assert marker in (pytest.approx(report.pixels.low), pytest.approx(report.pixels.high))
    assert any(f"{report.pixels.far_value:g}, far from all others" in note for note in report.notes)


def test_a_value_for_no_data_can_be_named() -> None:
    """LayerManager/layman#667: the pixels become ordinary, and count nowhere."""
    images, masks = scenes(40)
    real = images.astype(np.float32) / 255
    real[:, 3:6, :] = np.nan
    made = dataset(real, masks, no_data=np.nan)
    assert np.isfinite(made.images).all()
    assert made.ignore_label == 255
    assert (made.masks[:, 3:6] == 255).all()
    assert (made.masks != 255).sum() == made.masks.size - 40 * 3 * 32
    assert 0 <= made.images.min() <= made.images.max() <= 1


def test_values_far_outside_are_drawn_in_before_they_reach_a_network() -> None:
    """remicres/otbtf#25: contrast overflowed, and the message asked for NaN in the images."""
    from search.worker.job_files import samples_of, training_data

    made = dataset(*stripes(), ignore_label=255)
    split = examine(made, "data", clean="auto", seed=0).split
    data = training_data(made, "mask", samples_of(split, Path("data"), ()))
    low, high = data.bounds
    assert -10 < low < 0 < 1 < high < 10
    for part in (data.train_images, data.validation_images):
        assert low <= part.min() <= part.max() <= high


def void_but_one() -> Dataset:
    images, masks = scenes(12, size=16)
    kept = masks[3].copy()
    masks[:] = 255
    masks[3] = kept
    return dataset(images, masks, ignore_label=255)


def test_a_part_without_a_labelled_pixel_is_refused_before_anything_trains(here: Command, npz: Any) -> None:
    """HenriquesLab/ZeroCostDL4Mic#155: "mIoU nan" and status 0 after the training."""
    data = npz("void", void_but_one())
    for command in (("create", "s"), ("train", "baseline", "--out", "bundle")):
        ended = here(*command, "--data", data)
        assert ended.returncode == 2
        assert "has no pixel of a class that counts" in ended.stderr
        assert "1 of 12 images have one" in ended.stderr
    assert "Traceback" not in here("data", "inspect", data).stderr
    assert not (data.parent / "bundle").exists()


def test_a_part_whose_labels_are_all_left_out_of_the_mean_is_refused() -> None:
    """HenriquesLab/ZeroCostDL4Mic#155: no class that counts."""
    images, masks = scenes(12)
    masks[:] = 0
    with pytest.raises(DataError, match="no pixel of a class that counts"):
        examine(dataset(images, masks, excluded=("ground",)), "data", clean="auto", seed=0)


def test_a_class_that_validation_lacks_or_has_once_is_said(here: Command, npz: Any) -> None:
    """alteryx/evalml#760: a class of one site, without a word by anyone."""
    images, masks = scenes(40, size=16)
    masks[:32][masks[:32] == 2] = 1
    group = np.array([f"site{index // 8}" for index in range(40)])
    data = npz("site", dataset(images, masks, group=group))
    made = here("create", "s", "--data", data, "--warm-start", "none")
    said = (
        "class sand is in no validation image: its IoU is 0 where it is predicted, and left out of the mean otherwise"
    )
    assert said in made.stderr
    assert said in here("data", "inspect", data).stdout
    assert any("sand" in note for note in json.loads(here("status", "s", "--json").stdout)["data"]["notes"])


def test_what_is_said_of_a_class_without_a_pixel_is_what_the_mean_does() -> None:
    """A class that no image has: no part in the mean as long as nobody answers it, 0 from the first pixel on."""
    images, masks = scenes(40)
    masks[masks == 2] = 1
    notes = report_on(dataset(images, masks), clean="auto", seed=0).notes
    words = "class sand is in no image: its IoU is 0 where it is predicted, and left out of the mean otherwise"
    assert words in notes
    facts = facts_of(dataset(images, masks))
    right, once = (scores([[8, 0, 0], [0, 8 - wrong, wrong], [0, 0, 0]], facts) for wrong in (0, 1))
    assert np.isnan(right.iou[2])
    assert right.miou == 1
    assert once.iou[2] == 0
    assert once.miou == pytest.approx((1 + 7 / 8 + 0) / 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda images: (images / 255).astype(np.float32), "predict will refuse them"),
        (lambda images: images // 12, "the test images look other than the images"),
        (lambda images: images.astype(np.float32), ""),
    ],
    ids=["floats from 0 to 1", "dark", "another type"],
)
def test_test_images_that_predict_will_not_take_are_told_of_before_the_training(
    here: Command, tmp_path: Path, change: Any, words: str
) -> None:
    """Eight bits beside test images from 0 to 1: only predict, at the end, said a word."""
    images, masks = scenes(40, size=16)
    arrays: dict[str, Any] = {"images": images, "masks": masks, "class_names": NAMES}
    np.savez(tmp_path / "data.npz", **arrays, test_images=change(images[:8]))
    made = here("create", "s", "--data", "data.npz", "--warm-start", "none")
    assert made.returncode == 0
    for said in (made.stderr, here("data", "inspect", "data.npz").stdout):
        assert (words in said) if words else ("test images" not in said)
    if "refuse" in words:
        assert "test_images * 255" in made.stderr
        np.savez(tmp_path / "data.npz", **arrays, test_images=change(images[:8]) * 255)
        assert "the test images" not in here("data", "inspect", "data.npz").stdout


def test_few_validation_images_are_said() -> None:
    """MIC-DKFZ/nnUNet#2976: twelve images give two to validate on."""
    report = report_on(dataset(*scenes(12)), clean="auto", seed=0)
    assert any(note.startswith("validation has 2 images") for note in report.notes)


CASTS = {
    "float masks": lambda images, masks: (images, masks.astype(np.float64)),
    "bool masks": lambda images, masks: (images, masks.astype(bool)),
    "a last axis of masks": lambda images, masks: (images, masks[..., None]),
    "float64 images": lambda images, masks: (images / 255, masks),
    "float16 images": lambda images, masks: ((images / 255).astype(np.float16), masks),
    "int64 images": lambda images, masks: (images.astype(np.int64), masks),
    "int32 of sixteen bits": lambda images, masks: (images.astype(np.int32) * 200, masks),
    "negative images": lambda images, masks: (images.astype(np.int16) - 100, masks),
    "a last axis of images": lambda images, masks: (images[..., None], masks),
}

KEPT_AS = {"int32 of sixteen bits": "uint16"} | dict.fromkeys(
    ("float64 images", "float16 images", "negative images"), "float32"
)


@pytest.mark.parametrize("name", CASTS)
def test_what_loses_nothing_is_taken(name: str) -> None:
    """milesial/Pytorch-UNet#88: refused for its type, though every value could be kept."""
    images, masks = CASTS[name](*scenes(12))
    made = dataset(images, masks)
    assert made.images.dtype.name == KEPT_AS.get(name, "uint8")
    assert np.allclose(made.images, images.reshape(12, 32, 32), rtol=1e-6)
    assert np.array_equal(made.masks, masks.reshape(12, 32, 32).astype(int))


REFUSALS = {
    "channels first": ({"images": np.zeros((4, 3, 8, 8), np.uint8)}, "images.transpose(0, 2, 3, 1)"),
    "an alpha channel": ({"images": np.zeros((4, 8, 8, 4), np.uint8)}, "images[..., :3]"),
    "one image": ({"images": np.zeros((8, 8), np.uint8)}, "images[None]"),
    "fractions": ({"masks": np.full((4, 8, 8), 0.5)}, "np.round(masks)"),
    "labels from 1": ({"masks": np.full((4, 8, 8), 3, np.uint8)}, "masks - 1"),
    "an unnamed label": ({"masks": np.arange(256, dtype=np.uint8).reshape(4, 8, 8) // 128 * 255}, "ignore_label=255"),
    "NaN": ({"images": np.full((4, 8, 8), np.nan)}, "np.nan_to_num(images)"),
}


def test_class_names_that_name_nothing_are_refused_in_either_layout() -> None:
    """milesial/Pytorch-UNet#88: an empty list is no list of usual names."""
    masks = np.zeros((4, 8, 8), np.uint8)
    empty = np.array([], dtype=np.str_)
    for arrays in ({"training_set": np.stack((masks, masks), axis=1)}, {"images": masks, "masks": masks}):
        with pytest.raises(DataError, match="has 0 class names; expected 2 to 255"):
            build_dataset(**from_arrays({**arrays, "class_names": empty}))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_what_was_found_and_the_line_that_mends_it(name: str, tmp_path: Path) -> None:
    """milesial/Pytorch-UNet#88: seventy-five odd files, and no cure in any answer."""
    changed, mend = REFUSALS[name]
    good = {"images": np.zeros((4, 8, 8), np.uint8), "masks": np.zeros((4, 8, 8), np.uint8), "class_names": NAMES}
    np.savez(tmp_path / "odd.npz", **(good | changed))
    with pytest.raises(DataError, match=r"odd\.npz: ") as refused:
        read_dataset(tmp_path / "odd.npz")
    assert mend in str(refused.value)


def test_a_refusal_lists_the_arrays_that_are_there(tmp_path: Path) -> None:
    """milesial/Pytorch-UNet#88: "has no 'images'", but not what it has."""
    np.savez(tmp_path / "odd.npz", X_train=np.zeros(3), y_train=np.zeros(3))
    with pytest.raises(DataError, match=r"but 'X_train', 'y_train'.*np.savez_compressed"):
        read_dataset(tmp_path / "odd.npz")


@pytest.mark.parametrize(
    "pair", [("rock", "Rock"), ("big rock", "big  rock"), ("big_rock", "big rock"), ("\uff52ock", "rock")]
)
def test_class_names_that_look_alike_are_refused(pair: tuple[str, str]) -> None:
    """Two classes that a person cannot tell apart."""
    with pytest.raises(DataError, match="look alike"):
        dataset(*scenes(4), class_names=(*pair, "sand"))


def test_spaces_and_encodings_make_no_other_class() -> None:
    """A name that a person reads as the same is the same."""
    made = dataset(*scenes(4), class_names=("ground ", "cafe\u0301", " sand"), excluded=("ground",))
    assert made.class_names == ("ground", "café", "sand")
    with pytest.raises(DataError, match="duplicate"):
        dataset(*scenes(4), class_names=("岩石", "岩石 ", "sand"))


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


@pytest.fixture
def npz(tmp_path: Path) -> Any:
    def write(name: str, made: Dataset) -> Path:
        from storage.data.dataset import write_dataset

        write_dataset(made, tmp_path / f"{name}.npz")
        return tmp_path / f"{name}.npz"

    return write
