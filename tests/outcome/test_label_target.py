"""Where predicted labels go: told by the name, refused where they do not fit, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from search.errors import UsageError
from search.outcome.label_target import label_target, label_writer
from spaces.facts import DataFacts
from support.folders import picture

FACTS = DataFacts(channels=3, height=8, width=8, class_names=("a", "b", "c"), colours=("#FF0000", "#00FF00", "#0000FF"))
IMAGES = [np.full((8, 12, 3), 100, np.uint8), np.full((9, 10, 3), 50, np.uint8)]
LABELS = [np.arange(96).reshape(8, 12) % 3, np.arange(90).reshape(9, 10) % 3]


def written(path: Path, *, overlay: bool = False, with_names: bool = True, count: int = 2) -> None:
    target = label_target(path, overlay=overlay)
    with label_writer(target, ("x", "y")[:count], FACTS, with_names=with_names) as put:
        for place in reversed(range(count)):
            put(place, IMAGES[place], LABELS[place].astype(np.uint8))


def test_a_folder_of_palette_pngs(tmp_path):
    written(tmp_path / "labels")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["labels", "x.png", "y.png"]
    for name, labels in zip("xy", LABELS, strict=True):
        read = picture(tmp_path / "labels" / f"{name}.png")
        assert read.mode == "P"
        np.testing.assert_array_equal(np.array(read), labels)
        assert read.getpalette("RGB")[:9] == [255, 0, 0, 0, 255, 0, 0, 0, 255]


def test_an_overlay_shows_the_image_below(tmp_path):
    written(tmp_path / "one.png", overlay=True, count=1)
    pixels = np.array(picture(tmp_path / "one.png"))
    assert pixels[0, :3].tolist() == [[177, 50, 50], [50, 177, 50], [50, 50, 177]]


def test_an_npz_of_several_sizes(tmp_path):
    written(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as read:
        assert read["names"].tolist() == ["x", "y"]
        assert read["sizes"].tolist() == [[8, 12], [9, 10]]
        np.testing.assert_array_equal(read["masks"][0, :8], LABELS[0])
        assert (read["masks"][0, 8] == 255).all()
        assert (read["masks"][1, :, 10:] == 255).all()


def test_an_npz_of_a_data_file_holds_the_masks_alone(tmp_path):
    written(tmp_path / "m.npz", with_names=False, count=1)
    with np.load(tmp_path / "m.npz") as read:
        assert read.files == ["masks"]


@pytest.mark.parametrize("name", ["m.txt", "m.npz.gz", "missing/m.npz", "folder.csv", "full", "file", "missing/labels"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "full").mkdir()
    for file in ("full/other", "file"):
        (tmp_path / file).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=name.split("/")[-1]):
        written(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_overlay_wants_pictures(tmp_path):
    with pytest.raises(UsageError, match=r"--overlay: .*m\.npz holds labels alone, name a file that ends in \.png"):
        label_target(tmp_path / "m.npz", overlay=True)


def test_what_does_not_fit_in_is_refused_before_anything_is_labelled(tmp_path):
    with pytest.raises(UsageError, match="holds one image, and there are 2: name a folder"):
        label_target(tmp_path / "m.png").check(["x", "y"], [(8, 8), (8, 8)])
    with pytest.raises(UsageError, match="these images have 2 sizes"):
        label_target(tmp_path / "m.csv").check(["x", "y"], [(8, 8), (8, 9)])


@pytest.mark.parametrize("name", ["labels", "one.png", "m.npz"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_nothing(tmp_path, name, error):
    def fail() -> None:
        with label_writer(label_target(tmp_path / name), ("x", "y"), FACTS, with_names=True) as put:
            put(0, IMAGES[0], LABELS[0].astype(np.uint8))
            raise error

    with pytest.raises(UsageError if isinstance(error, OSError) else KeyboardInterrupt):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "labels").mkdir()
    written(tmp_path / "labels")
    assert len(list((tmp_path / "labels").iterdir())) == 2
