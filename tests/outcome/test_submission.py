"""Predicted masks on disk: exact, and whole or not at all."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from search.errors import UsageError
from search.outcome.submission import write_csv, write_masks

MASKS = np.array([[[0, 1, 2], [3, 4, 0]], [[4, 4, 4], [0, 0, 255]]], dtype=np.uint8)


def test_the_csv_is_the_homeworks(tmp_path):
    write_csv(tmp_path / "s.csv", MASKS)
    assert (tmp_path / "s.csv").read_bytes() == b"id,0,1,2,3,4,5\n0,0,1,2,3,4,0\n1,4,4,4,0,0,255\n"


def test_the_csv_of_homework_size_has_a_column_per_pixel(tmp_path):
    masks = np.random.default_rng(0).integers(0, 5, (20, 64, 128)).astype(np.uint8)
    write_csv(tmp_path / "s.csv", masks)
    with (tmp_path / "s.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["id", *map(str, range(8192))]
    assert [int(row[0]) for row in rows] == list(range(20))
    assert (np.array(rows)[:, 1:].astype(np.uint8).reshape(masks.shape) == masks).all()


@pytest.mark.parametrize("masks", [MASKS, MASKS[:0]])
def test_the_npz_holds_the_masks_alone(tmp_path, masks):
    write_masks(tmp_path / "m.npz", masks)
    with np.load(tmp_path / "m.npz", allow_pickle=False) as read:
        assert read.files == ["masks"]
        assert read["masks"].dtype == np.uint8
        assert (read["masks"] == masks).all()
        assert read["masks"].shape == masks.shape


@pytest.mark.parametrize("masks", [MASKS.astype(np.int64), MASKS[0], MASKS[..., None]])
def test_masks_of_another_shape_or_type_are_refused(tmp_path, masks):
    for write in (write_masks, write_csv):
        with pytest.raises(UsageError, match=r"uint8 \(M, H, W\) was expected"):
            write(tmp_path / "m.npz", masks)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_an_interrupt_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch, error):
    path = tmp_path / "m.npz"
    path.write_bytes(b"old")

    def fail(file: object, **_: object) -> None:
        file.write(b"half")
        raise error

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises((UsageError, KeyboardInterrupt)) as caught:
        write_masks(path, MASKS)
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["m.npz"]
    assert path.read_bytes() == b"old"
