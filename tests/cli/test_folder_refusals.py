"""Folders that are no data set: one sentence that names the file and mends it, status 2, nothing left behind."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.commands import Command
from support.folders import save, save_palette, write_folder

GREY = np.zeros((32, 48), np.uint8)
COLOUR = np.zeros((32, 48, 3), np.uint8)


def exif(turn: int) -> Image.Exif:
    made = Image.Exif()
    made[274] = turn
    return made


def pages(path: Path) -> None:
    first, second = Image.fromarray(COLOUR), Image.fromarray(COLOUR + 9)
    first.save(path, save_all=True, append_images=[second])


def moved(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


def listed(root: Path, text: str) -> None:
    (root / "classes.yaml").write_text(text)


def many_values(root: Path) -> None:
    for number, path in enumerate(sorted((root / "masks").iterdir())):
        save(path, (np.arange(32 * 48).reshape(32, 48) % 60 + number).astype(np.uint8))


def values(root: Path, *numbers: int) -> None:
    """Masks with these numbers."""
    for path in (root / "masks").iterdir():
        save(path, np.resize(np.array(numbers, np.uint8), (32, 48)))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def bomb(path: Path) -> None:
    """A file of a few hundred bytes that announces 400 million pixels."""
    save(path, GREY)
    content = bytearray(path.read_bytes())
    content[16:24] = (20_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(content))


def outside(root: Path) -> None:
    other = root.parent / "secret.png"
    save(other, COLOUR)
    (root / "images" / "scene00.png").unlink()
    (root / "images" / "scene00.png").symlink_to(other)


def linked_folder(root: Path) -> None:
    shutil.move(root / "images", root.parent / "elsewhere")
    (root / "images").symlink_to(root.parent / "elsewhere")


FIRST = "images/scene00.png"
MASK = "masks/scene00.png"
WRONG: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no masks": ("void", lambda p: shutil.rmtree(p / "masks"), "has images/ but no masks/; put a mask of each image"),
    "no images": ("void", lambda p: shutil.rmtree(p / "images"), "has no folder images/, there are masks/, test/"),
    "another name": ("void", lambda p: moved(p / "masks", "labels"), "has no folder masks/, but labels/; rename it"),
    "no image in it": (
        "void",
        lambda p: [path.unlink() for path in (p / "images").iterdir()],
        "images/ holds no PNG, JPEG or TIFF",
    ),
    "mask without image": ("void", lambda p: (p / FIRST).unlink(), f"{MASK} has no image of the stem scene00"),
    "image without mask": (
        "void",
        lambda p: (p / MASK).unlink(),
        f"{FIRST} has no mask of the stem scene00 in masks/; give it one, or move it to test/",
    ),
    "another stem": (
        "void",
        lambda p: moved(p / MASK, "scene00_mask.png"),
        "masks/scene00_mask.png has another stem, rename it",
    ),
    "two of a stem": ("void", lambda p: save(p / "images/scene00.jpg", COLOUR), "have the same stem; which one"),
    "mask of another size": (
        "void",
        lambda p: save(p / MASK, GREY[:30]),
        f"{MASK} has 30x48 pixels, {FIRST} has 32x48; give each image a mask of its size",
    ),
    "image too small": ("void", lambda p: save(p / FIRST, GREY[:5]), f"{FIRST} has 5x48 pixels; expected at least 8x8"),
    "JPEG mask": (
        "void",
        lambda p: (moved(p / MASK, "scene00.jpg"), save(p / "masks/scene00.jpg", GREY)),
        "masks/scene00.jpg is a JPEG, which changes labels along borders; save masks as PNG",
    ),
    "values between": (
        "void",
        lambda p: values(p, 0, 127, 255),
        "classes: {class 0: 0, class 127: 127, class 255: 255}",
    ),
    "one value": ("void", lambda p: values(p, 0), "hold nothing but 0; expected two classes or more"),
    "many values": ("void", many_values, "probably resized or compressed with smooth borders"),
    "a photograph for a mask": (
        "void",
        lambda p: save(p / MASK, np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)),
        "too many for labels: probably a photograph",
    ),
    "numbers and colours": ("rgb", lambda p: (save(p / MASK, GREY + 1), (p / "classes.yaml").unlink()), "in one way"),
    "floating point mask": (
        "void",
        lambda p: (moved(p / MASK, "scene00.tif"), save(p / "masks/scene00.tif", GREY.astype(np.float32))),
        "masks/scene00.tif holds floating point numbers; save masks as whole numbers",
    ),
    "transparent mask": (
        "rgb",
        lambda p: save(p / MASK, np.zeros((32, 48, 4), np.uint8)),
        f"{MASK} has transparent pixels; save masks without an alpha channel",
    ),
    "palettes that differ": (
        "palette",
        lambda p: save_palette(p / MASK, GREY, [(9, 9, 9), (1, 2, 3), (4, 5, 6)]),
        "has other colours for the same numbers than the masks before",
    ),
    "8 and 16 bits": (
        "void",
        lambda p: save(p / FIRST, GREY.astype(np.uint16)),
        "bring all images to one number of bits",
    ),
    "CMYK": (
        "few",
        lambda p: Image.new("CMYK", (48, 32)).save(p / "images/scene00.jpg"),
        "images/scene00.jpg is CMYK; expected grey, RGB or a palette",
    ),
    "several pages": (
        "void",
        lambda p: (pages(p / "images/scene00.tif"), (p / FIRST).unlink()),
        "images/scene00.tif holds several pages or frames; save the one that is meant",
    ),
    "animation": ("void", lambda p: pages(p / FIRST), f"{FIRST} holds several pages or frames"),
    "turned by EXIF": (
        "void",
        lambda p: save(p / FIRST, COLOUR, exif=exif(3)),
        f"{FIRST} says in its EXIF data that it is to be turned, {MASK} does not say so",
    ),
    "truncated": ("void", lambda p: cut(p / FIRST), f"{FIRST} is truncated or damaged"),
    "no image": (
        "void",
        lambda p: (p / FIRST).write_text("hello"),
        f"{FIRST} is no PNG, JPEG or TIFF that can be read",
    ),
    "empty": ("void", lambda p: (p / FIRST).write_bytes(b""), f"{FIRST} is an empty file"),
    "a bomb": ("void", lambda p: bomb(p / FIRST), f"{FIRST} announces more than"),
    "a link out": ("void", outside, f"{FIRST} is a link that leads out of the folder; copy what it points at"),
    "a linked folder": ("void", linked_folder, "images is a link that leads out of the folder"),
    "a name that steers": ("void", lambda p: moved(p / FIRST, "a\x1b[2J.png"), "which cannot be written; rename it"),
    "colour tests of grey": (
        "void",
        lambda p: [save(path, GREY) for path in (p / "images").iterdir()],
        "is a colour image, those in images/ are grey",
    ),
    "unknown key": (
        "rgb",
        lambda p: listed(p, "clases: [a, b]"),
        "has the unknown key 'clases'; did you mean classes?",
    ),
    "no classes": (
        "rgb",
        lambda p: listed(p, "void: 255"),
        "classes.yaml has no key classes; expected classes: [ground",
    ),
    "no YAML": ("rgb", lambda p: listed(p, "classes: [a, b"), "classes.yaml is not readable as YAML"),
    "a key twice": ("rgb", lambda p: listed(p, "classes: [a, b]\nclasses: [c, d]"), "says classes twice (line 2)"),
    "an alias": ("rgb", lambda p: listed(p, "classes: &a [b, *a]"), "classes.yaml has an alias (*a)"),
    "a colour in no quotes": (
        "rgb",
        lambda p: listed(p, "classes:\n- name: a\n  colour: #B45A28\n- name: b\n  colour: #000000"),
        "'#RRGGBB' in quotes",
    ),
    "a value for some": (
        "void",
        lambda p: listed(p, "classes: [{name: a, value: 0}, {name: b}, {name: c, value: 2}]"),
        "classes.yaml has no value for class b, but for others",
    ),
    "a value twice": (
        "void",
        lambda p: listed(p, "classes: {a: 1, b: 1}"),
        "gives the classes a and b the same value 1",
    ),
    "a colour that is not listed": (
        "rgb",
        lambda p: listed(p, "classes: {ground: '#B45A28', rock: '#3C3C46'}"),
        "holds the colour #C8DCF0, which classes.yaml does not name; it has #B45A28, #3C3C46: add a class for it, or",
    ),
    "a value that is not listed": (
        "void",
        lambda p: listed(p, "classes: [a, b]"),
        "holds the value 2, which classes.yaml",
    ),
    "no colours for colours": ("rgb", lambda p: listed(p, "classes: [a, b, c]"), "expected a colour of each class"),
    "void and a class": (
        "void",
        lambda p: listed(p, "classes: {a: 0, b: 1, c: 2}\nvoid: 2"),
        "says that 2 is void and",
    ),
    "unknown excluded": (
        "void",
        lambda p: listed(p, "classes: [a, b, c]\nexcluded_from_mean: d"),
        "excludes d from the",
    ),
    "names alike": (
        "void",
        lambda p: listed(p, "classes: [Rock, rock, c]"),
        "classes.yaml has the class names 'Rock' and",
    ),
    "classes.yml": ("void", lambda p: (p / "classes.yml").write_text("classes: [a, b]"), "holds classes.yml; expected"),
    "groups without header": (
        "void",
        lambda p: (p / "groups.csv").write_text("a,b\n"),
        "groups.csv has no column stem",
    ),
    "a stem without group": (
        "void",
        lambda p: (p / "groups.csv").write_text("stem,group\nscene00,a\n"),
        "groups.csv has no group for scene01, scene02, scene03 and 4 more",
    ),
    "a group of no image": (
        "void",
        lambda p: (p / "groups.csv").write_text("stem,group\nx,a\n"),
        "the stem x, which no",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_folder_is_refused_with_what_mends_it(what: str, tmp_path: Path, marsearch: Command) -> None:
    kind, spoil, expected = WRONG[what]
    spoil(write_folder(tmp_path / "train", kind, count=8, tests=1))
    before = sorted(tmp_path.rglob("*"))
    refused = marsearch("data", "import", "train", "out.npz")
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert refused.stderr.startswith("marsearch: train: ")
    assert expected in refused.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_study_of_a_wrong_folder_is_not_made(tmp_path: Path, marsearch: Command) -> None:
    shutil.rmtree(write_folder(tmp_path / "train", "void", count=8) / "masks")
    for command in (("create", "s", "--data", "train"), ("run", "s", "--data", "train"), ("data", "inspect", "train")):
        refused = marsearch(*command)
        assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
        assert "has images/ but no masks/" in refused.stderr
    assert not (tmp_path / "runs").exists()


CSV: dict[str, tuple[str, str]] = {
    "no column": ("image,label\n", "list.csv has no column mask, but image, label; expected a first line image,mask"),
    "no rows": ("image,mask\n", "has no row with an image and a mask"),
    "no such file": ("image,mask\nimages/x.png,masks/x.png\n", "list.csv, row 1, image: there is no file images/x.png"),
    "twice": (f"image,mask\n{FIRST},{MASK}\n{FIRST},{MASK}\n", "is named twice"),
    "cells": (f"image,mask\n{FIRST}\n", "list.csv, line 2, has 1 cells; expected 2"),
    "half a group": (f"image,mask,group\n{FIRST},{MASK},a\nimages/scene01.png,masks/scene01.png,\n", "no group for"),
}


@pytest.mark.parametrize("what", CSV)
def test_a_wrong_list_of_paths_is_refused(what: str, tmp_path: Path, marsearch: Command) -> None:
    text, expected = CSV[what]
    (write_folder(tmp_path / "train", "void", count=8) / "list.csv").write_text(text)
    refused = marsearch("data", "import", "train/list.csv", "out.npz")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert expected in refused.stderr
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("nowhere", "out.npz"), "nowhere: no such folder or file"),
        (("train", "out.zip"), "out.zip: a name that ends in .npz was expected"),
        (("train/images/scene00.png", "out.npz"), "a folder, or a CSV with the columns image and mask, was expected"),
        (("train", "out.npz", "--shrink", "8"), "too few for --shrink 8"),
        (("train", "out.npz", "--shrink", "0"), "should be greater than or equal to 1"),
    ],
)
def test_wrong_words_for_an_import(
    arguments: tuple[str, ...], expected: str, tmp_path: Path, marsearch: Command
) -> None:
    write_folder(tmp_path / "train", "void", count=2)
    refused = marsearch("data", "import", *arguments)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert expected in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train"]
