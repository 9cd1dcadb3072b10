"""From a folder to PNGs by the real commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from storage.data.dataset import read_dataset
from support.commands import Command, command_here
from support.folders import COLOURS, KINDS, picture, save, write_folder
from support.readme import folder_commands

RECIPE = "model: {depth: 2, filters: 4}\noptimisation: {batch_size: 16}"
PALETTE = [number for colour in COLOURS for number in colour]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set `train` and a bundle of it, trained for an epoch."""
    folder = tmp_path_factory.mktemp("folders")
    write_folder(folder / "train", "rgb", count=16)
    (folder / "mine.yaml").write_text(RECIPE)
    return folder


@pytest.fixture
def ask(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """A command in an empty folder with links to the bundle and its data."""
    if not (trained / "bundle").exists():
        options = ("--data", "train", "--out", "bundle", "--epochs", "1", "--device", "cpu")
        ended = command_here(trained, capsys)("train", "mine.yaml", *options)
        assert ended.returncode == 0, ended.stderr
    for name in ("train", "bundle"):
        (tmp_path / name).symlink_to(trained / name)
    return command_here(tmp_path, capsys)


def test_a_folder_becomes_a_folder_of_the_same_names(ask: Command, tmp_path: Path) -> None:
    ended = ask("predict", "bundle", "train", "labels")
    assert ended.returncode == 0
    assert ended.stderr.startswith("train: the images are those in test/\nlabels: masks of 3 images\n")
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == [f"scene{n}.png" for n in (16, 17, 18)]
    for path in (tmp_path / "labels").iterdir():
        labels = picture(path)
        assert (labels.mode, labels.size) == ("P", (48, 32))
        assert labels.getpalette("RGB")[:9] == PALETTE


def test_every_way_out_holds_the_same_labels(ask: Command, tmp_path: Path) -> None:
    for out in ("labels", "masks.npz", "masks.csv"):
        assert ask("predict", "bundle", "train/test", out).returncode == 0
    pictures = np.stack([np.array(picture(path)) for path in sorted((tmp_path / "labels").iterdir())])
    with np.load(tmp_path / "masks.npz") as file:
        np.testing.assert_array_equal(file["masks"], pictures)
        assert file["names"].tolist() == ["scene16", "scene17", "scene18"]
    rows = (tmp_path / "masks.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1:] for row in rows] == pictures.reshape(3, -1).astype(str).tolist()


def test_one_image_becomes_one_png(ask: Command, tmp_path: Path) -> None:
    image = tmp_path / "train/test/scene16.png"
    assert ask("predict", "bundle", image, "one.png").stderr.startswith("one.png: masks of 1 image\n")
    assert ask("predict", "bundle", image, "over.png", "--overlay").returncode == 0
    labels, over = (np.array(picture(tmp_path / name)) for name in ("one.png", "over.png"))
    expected = (np.array(picture(image)).astype(int) + np.array(COLOURS)[labels]) // 2
    np.testing.assert_array_equal(over, expected)


def test_images_of_several_sizes_and_kinds_keep_their_own(ask: Command, tmp_path: Path) -> None:
    pixels = np.array(picture(tmp_path / "train/test/scene16.png"))
    save(tmp_path / "new/a.png", pixels)
    save(tmp_path / "new/b.tif", np.tile(pixels, (2, 3, 1)))
    save(tmp_path / "new/c.jpg", pixels[:20, :30, 0])
    (tmp_path / "new/readme.md").write_text("hello")
    ended = ask("predict", "bundle", "new", "labels")
    assert ended.returncode == 0
    assert "new: readme.md in new is no PNG, JPEG or TIFF and left out\n" in ended.stderr
    assert "new: 1 grey image is taken as colour, like the others\n" in ended.stderr
    assert "new: the images have 20x30 to 64x144 pixels, the network was trained on 32x48" in ended.stderr
    sizes = {path.name: picture(path).size for path in (tmp_path / "labels").iterdir()}
    assert sizes == {"a.png": (48, 32), "b.png": (144, 64), "c.png": (30, 20)}
    assert ask("predict", "bundle", "new", "masks.npz").returncode == 0
    with np.load(tmp_path / "masks.npz") as file:
        assert file["sizes"].tolist() == [[32, 48], [64, 144], [20, 30]]


def test_a_folder_is_scored(ask: Command) -> None:
    ended = ask("evaluate", "bundle", "train", "--json")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["images"] == 16
    assert "is the data set that the network was trained on" in ended.stderr


def test_colours_licence_and_source_stay_with_the_bundle(ask: Command, tmp_path: Path) -> None:
    card = (tmp_path / "bundle/README.md").read_text()
    assert "Source of the data: drawn by the tests.\nLicence of the data: CC-BY-4.0." in card
    metrics = json.loads((tmp_path / "bundle/metrics.json").read_text())
    assert metrics["facts"]["colours"] == ["#B45A28", "#3C3C46", "#C8DCF0"]
    shown = ask("data", "inspect", "train").stdout
    assert "licence          CC-BY-4.0\nsource           drawn by the tests\n" in shown


def spoiled(folder: Path) -> None:
    """Three images, the last of which is damaged."""
    for name in "abc":
        save(folder / "spoiled" / f"{name}.png", np.zeros((32, 48, 3), np.uint8))
    path = folder / "spoiled/c.png"
    path.write_bytes(path.read_bytes()[:-20])


def dark(folder: Path) -> None:
    save(folder / "dark/a.tif", np.zeros((32, 48), np.uint16) + 60_000)


REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing there": (("nowhere", "labels"), "nowhere: no such file"),
    "no image there": (("bundle", "labels"), "holds no PNG, JPEG or TIFF, neither directly nor in test/ or images/"),
    "a missing image": (("a.png", "labels"), "a.png: a.png cannot be read (No such file"),
    "a bad ending": (("train", "out.jpg"), "out.jpg: is no place for labels, name a file that ends in .npz, .csv or"),
    "no such folder": (("train", "no/labels"), "no/labels: the folder no does not exist, make it first"),
    "a full folder": (("train", "spoiled"), "spoiled: is a folder that holds something, name a new or an empty one"),
    "its own folder": (("train/test", "train/test"), "is the file train/test that is read"),
    "several in one": (("train", "one.png"), "one.png: holds one image, and there are 3: name a folder instead"),
    "an overlay of arrays": (("train", "m.npz", "--overlay"), "--overlay: m.npz holds labels alone"),
    "a long name": (("train", "x" * 300), "cannot be looked at (File name too long)"),
    "a damaged image": (("spoiled", "labels"), "spoiled: c.png is truncated or damaged"),
    "a damaged image in arrays": (("spoiled", "m.npz"), "spoiled: c.png is truncated or damaged"),
    "grey for colour": (("dark", "labels"), "dark: 1 channels, the bundle was trained on 3"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_wrong_use_of_predict_leaves_nothing(what: str, ask: Command, tmp_path: Path) -> None:
    arguments, expected = REFUSED[what]
    spoiled(tmp_path)
    dark(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    refused = ask("predict", "bundle", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert expected in refused.stderr.splitlines()[-1]
    assert sorted(tmp_path.rglob("*")) == before


def test_a_written_folder_is_the_data_set_that_was_drawn(marsearch: Command, tmp_path: Path) -> None:
    options = ("--train", "8", "--test", "2", "--size", "16x24", "--channels", "3", "--classes", "3")
    assert marsearch("data", "synth", "set", "--folder", *options).returncode == 0
    assert marsearch("data", "synth", "set.npz", *options).returncode == 0
    folder, file = read_dataset(tmp_path / "set"), read_dataset(tmp_path / "set.npz")
    for name in ("images", "masks", "test_images", "group"):
        np.testing.assert_array_equal(getattr(folder, name), getattr(file, name))
    assert (folder.class_names, folder.excluded) == (file.class_names, file.excluded)
    again = marsearch("data", "synth", "set", "--folder", *options)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "set: cannot be written" in again.stderr


def test_an_import_is_the_same_data_as_the_folder(marsearch: Command, tmp_path: Path) -> None:
    write_folder(tmp_path / "train", "void", count=6)
    ended = marsearch("data", "import", "train", "set.npz")
    digest = read_dataset(tmp_path / "train").digest
    assert ended.stderr.splitlines()[1] == f"set.npz: 6 labelled and 3 test images, digest {digest[:12]}"
    assert "255 is taken for void" in ended.stderr
    assert read_dataset(tmp_path / "set.npz").digest == digest


@pytest.mark.whole
@pytest.mark.parametrize("kind", KINDS)
def test_from_a_folder_to_pngs(kind: str, marsearch: Command, space: Path, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", kind, count=16)
    inspect, run, export, predict = folder_commands()
    assert marsearch(*inspect).returncode == 0
    search = (*run, "--space", space, "--trials", "1", "--epochs", "1", "--workers", "1")  # the last ones count
    ran = marsearch(*search)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("(name them in classes.yaml)") == (kind != "rgb")  # said once
    again = marsearch(*search)
    assert again.returncode == 0
    assert "is there already, with the same data" in again.stderr
    assert marsearch(*export).returncode == 0
    ended = marsearch(*predict)
    assert ended.returncode == 0, ended.stderr
    for path in (root / "test").iterdir():
        labels = picture(tmp_path / "labels" / f"{path.stem}.png")
        assert labels.size == picture(path).size
        assert np.array(labels).max() < (2 if kind == "binary" else 3)
        if kind in ("rgb", "palette"):
            assert labels.getpalette("RGB")[:9] == PALETTE
