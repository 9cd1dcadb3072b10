"""Data sets as people have them: folders of images and masks, in the ways that masks are commonly saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOURS = ((180, 90, 40), (60, 60, 70), (200, 220, 240))  # of ground, rock and sky in colour-coded masks
CLASSES = """
classes:
  - {name: ground, colour: "#B45A28"}
  - {name: rock, colour: "#3C3C46"}
  - {name: sky, colour: "#C8DCF0"}
licence: CC-BY-4.0
source: drawn by the tests
"""
SIZES = ((60, 80), (300, 400), (96, 64), (120, 160))
KINDS = ("rgb", "binary", "void", "palette", "mixed", "few")


def scene(
    random: np.random.Generator, height: int, width: int, classes: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A colour image (H, W, 3) and its labels (H, W): ground, a block of rock, sky above."""
    labels = np.zeros((height, width), np.uint8)
    if classes == 3:
        labels[: int(height * random.uniform(0.2, 0.5))] = 2
    top, left = int(height * random.uniform(0.5, 0.7)), int(width * random.uniform(0.0, 0.6))
    labels[top : top + height // 4, left : left + width // 3] = 1
    image = np.array(COLOURS, np.float64)[labels] + random.normal(0, 12, (height, width, 3))
    return np.clip(image, 0, 255).astype(np.uint8), labels


def write_folder(root: Path, kind: str, *, count: int = 24, tests: int = 3, seed: int = 0) -> Path:
    """Write the data set of that kind (`KINDS`) into a new folder.

    rgb: three classes in colours, with classes.yaml. binary: 0 and 255. void: labels 0 to 2 and 255. palette: PNG with
    colours. mixed: images from 60x80 to 300x400. few: 12 images as JPEG.
    """
    random = np.random.default_rng(seed)
    for name in ("images", "masks", "test"):
        (root / name).mkdir(parents=True)
    labelled = 12 if kind == "few" else count
    for number in range(labelled + tests):
        size = SIZES[number % len(SIZES)] if kind == "mixed" else (32, 48)
        image, labels = scene(random, *size, classes=2 if kind == "binary" else 3)
        ending = "jpg" if kind == "few" else "png"
        part = "images" if number < labelled else "test"
        save(root / part / f"scene{number:02d}.{ending}", image)
        if number < labelled:
            save_mask(root / "masks" / f"scene{number:02d}.png", labels, kind)
    if kind == "rgb":
        (root / "classes.yaml").write_text(CLASSES)
    return root


def save(path: Path, pixels: NDArray[Any], **options: Any) -> None:
    """Write pixels as an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


def save_mask(path: Path, labels: NDArray[np.uint8], kind: str) -> None:
    """Write labels in the way of that kind."""
    match kind:
        case "rgb":
            save(path, np.array(COLOURS, np.uint8)[labels])
        case "binary":
            save(path, labels * np.uint8(255))
        case "palette":
            save_palette(path, labels, COLOURS)
        case "void":
            framed = labels.copy()
            framed[:, :4] = 255
            save(path, framed)
        case _:
            save(path, labels)


def save_palette(path: Path, labels: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]]) -> None:
    """Write labels as a PNG with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(labels, mode=None).convert("L")
    picture.putpalette([number for colour in colours for number in colour])
    picture.save(path)


def picture(path: Path) -> Image.Image:
    """An image with its pixels, its file closed."""
    with Image.open(path) as opened:
        opened.load()
        return opened
