"""Seventy-five odd data files: each is taken without loss, or refused in one sentence with a cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.data.dataset import read_dataset
from storage.errors import DataError

GOOD: dict[str, Any] = {
    "images": np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8),
    "masks": np.arange(4 * 8 * 8, dtype=np.uint8).reshape(4, 8, 8) % 3,
    "class_names": np.array(["ground", "rock", "sand"]),
}
CURES = ("expected", "such as", "give", "name ", "write", "replace", "drop", "copy", "label ", "leave", "keep", "use ")
TYPES = ("bool", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64", "float16", "float32", "float64")
SHAPES = ((4, 8), (8, 8), (4,), (), (4, 8, 8, 2), (4, 8, 8, 4), (4, 3, 8, 8), (4, 1, 8, 8), (2, 2, 4, 8, 8), (0, 8, 8))
OTHER: dict[str, tuple[Any, ...]] = {
    "images": (
        np.full((4, 8, 8), np.nan),
        np.full((4, 8, 8), np.inf),
        np.full((4, 8, 8), 1e300),
        np.full((4, 8, 8), 1j),
    ),
    "masks": (
        np.full((4, 8, 8), 0.5),
        np.full((4, 8, 8), -1),
        np.full((4, 8, 8), 255),
        np.full((4, 8, 8), 3),
        np.full((4, 8, 8), 2**40),
        np.full((4, 8, 8), np.nan),
        np.full((4, 8, 8), "rock"),
        np.zeros((4, 8, 9), np.uint8),
    ),
    "class_names": (
        np.array(["ground"]),
        np.array(["ground", "ground", "sand"]),
        np.array(["ground", "Ground", "sand"]),
        np.array(["", "rock", "sand"]),
        np.array([0, 1, 2]),
        np.array("ground"),
        np.array([["a", "b", "c"]]),
        np.array([b"ground", b"rock", b"sand"]),
        np.array(["a\nb", "rock", "sand"]),
        np.array(["x" * 300, "rock", "sand"]),
        np.array([f"c{number}" for number in range(300)]),
    ),
    "group": (np.arange(3), np.ones(4), np.array([["a"] * 4]), np.array("a"), np.array([b"a"] * 4)),
    "ignore_label": (np.array(2), np.array(-1), np.array(256), np.array(0.5), np.array([255, 254]), np.array("void")),
    "excluded_from_mean": (
        np.array(["sky"]),
        np.array([7]),
        np.array([0, 1, 2]),
        np.array(0.5),
        np.array(["ground"] * 9),
    ),
    "no_data": (np.array("none"), np.array([0, 1])),
    "test_images": (np.zeros((2, 8, 9), np.uint8), np.zeros((2, 8, 8, 3), np.uint8), np.full((2, 8, 8), np.nan)),
}
FILES: list[dict[str, Any]] = [
    *({**GOOD, "images": GOOD["images"].astype(kind)} for kind in TYPES),
    *({**GOOD, "masks": GOOD["masks"].astype(kind)} for kind in TYPES),
    *({**GOOD, "images": np.zeros(shape, np.uint8)} for shape in SHAPES),
    *({**GOOD, "masks": np.zeros(shape, np.uint8)} for shape in SHAPES),
    *({**GOOD, name: value} for name, values in OTHER.items() for value in values),
    *({key: value for key, value in GOOD.items() if key != name} for name in GOOD),
    {"x": np.zeros(3), "y": np.zeros(3)},
    {**GOOD, "training_set": np.zeros((4, 2, 8, 8), np.uint8)},
    {"training_set": np.zeros((4, 8, 8), np.uint8)},
]


def test_there_are_as_many_as_were_tried() -> None:
    """milesial/Pytorch-UNet#88: seventy-five files, and no answer that helped."""
    assert len(FILES) >= 75


@pytest.mark.parametrize("number", range(len(FILES)))
def test_a_file_is_taken_or_refused_with_a_cure(number: int, tmp_path: Path) -> None:
    """milesial/Pytorch-UNet#88: what came, what was expected, what to do."""
    np.savez(tmp_path / "odd.npz", **FILES[number])
    try:
        read = read_dataset(tmp_path / "odd.npz")
    except DataError as error:
        said = str(error)
        assert said.startswith(f"{tmp_path / 'odd.npz'}: ")
        assert "\n" not in said
        assert any(cure in said for cure in CURES), said
        return
    given = FILES[number]
    assert np.array_equal(read.masks, np.asarray(given["masks"]).reshape(read.masks.shape))
    assert np.array_equal(read.images, np.asarray(given["images"]).reshape(read.images.shape))
