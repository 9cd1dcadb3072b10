"""Data files that must be refused: one sentence that names the file, before memory is taken."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy

from storage.data import npz
from storage.data.dataset import read_dataset
from storage.errors import DataError
from support.examples import examples

GOOD = {
    "images": np.zeros((4, 8, 8), dtype=np.uint8),
    "masks": np.ones((4, 8, 8), dtype=np.uint8),
    "class_names": np.array(["a", "b", "c"]),
}
PAIRS = np.zeros((4, 2, 8, 8), dtype=np.uint8)
NAN = np.full((4, 8, 8), np.nan, dtype=np.float32)
INFINITE = np.where(np.arange(8) == 3, np.inf, 0).astype(np.float32) * np.ones((4, 8, 1), np.float32)


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_dataset(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


def header(shape, descr="|u1") -> bytes:
    file = io.BytesIO()
    npy.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


def forge(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def as_npy(array) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, array)
    return file.getvalue()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros(3)}, "has no 'images', 'masks', 'class_names', but 'x'; expected 'images'"),
        ({"images": GOOD["images"], "class_names": GOOD["class_names"]}, "has no 'masks'"),
        ({**GOOD, "training_set": PAIRS}, "both 'images' and 'training_set'"),
        ({"training_set": PAIRS[:, 0]}, r"shape (4, 8, 8); expected (N, 2, H, W)"),
        ({"training_set": PAIRS + np.uint8(5)}, "labels [5], but there are 5 classes; expected 0 to 4"),
        ({"training_set": PAIRS[:0]}, "no samples"),
        ({**GOOD, "sizes": np.full((2, 2), 8)}, "sizes have shape (2, 2)"),
        ({**GOOD, "sizes": np.full((len(GOOD["images"]), 2), 8.5)}, "dtype float64"),
        ({**GOOD, "sizes": np.full((len(GOOD["images"]), 2), 7)}, "give 7x7 pixels to number 0; expected 8x8 to"),
        ({**GOOD, "sizes": np.full((len(GOOD["images"]), 2), 5000)}, "give 5000x5000 pixels"),
        ({**GOOD, "images": np.zeros((4, 3, 8, 8), np.uint8)}, "images have shape (4, 3, 8, 8); expected (N, H, W)"),
        ({**GOOD, "images": np.zeros((4, 7, 8), np.uint8)}, "images are 7x8 pixels; expected at least 8x8"),
        ({**GOOD, "images": np.array(0, np.uint8)}, "images have shape ()"),
        ({**GOOD, "images": NAN}, "NaN or infinity (first in number 0)"),
        ({**GOOD, "images": INFINITE}, "NaN or infinity"),
        ({**GOOD, "images": np.ones_like(NAN), "test_images": NAN}, "test images hold NaN"),
        ({**GOOD, "images": GOOD["images"][:0], "masks": GOOD["masks"][:0]}, "no samples"),
        ({**GOOD, "masks": GOOD["masks"][:3]}, "masks have shape (3, 8, 8); expected (4, 8, 8)"),
        ({**GOOD, "images": GOOD["images"].astype(np.complex64)}, "images.astype(np.uint8)"),
        ({**GOOD, "images": GOOD["images"] + np.int64(2**40)}, "images / 1099511627776 makes floats"),
        ({**GOOD, "masks": GOOD["masks"] + np.float32(0.5)}, "no whole numbers, such as 1.5"),
        ({**GOOD, "masks": GOOD["masks"].astype("U1")}, "masks.astype(np.uint8)"),
        (
            {**GOOD, "masks": GOOD["masks"] * 255},
            "labels [255], but there are 3 classes; expected 0 to 2: no pixel",
        ),
        ({**GOOD, "masks": GOOD["masks"] * 7}, "labels [7], but there are 3 classes; expected 0 to 2"),
        ({**GOOD, "masks": GOOD["masks"].astype(np.int8) * -1}, "labels [-1], but there are 3 classes"),
        ({**GOOD, "masks": GOOD["masks"].astype(np.int64) * 256}, "labels [256], but there are 3 classes"),
        ({**GOOD, "masks": GOOD["masks"] * 255, "ignore_label": np.array(255)}, "nothing but the ignored label 255"),
        ({**GOOD, "ignore_label": np.array(2)}, "ignore_label 2; expected a label that no class has, such as 255"),
        ({**GOOD, "ignore_label": np.array(0.5)}, "'ignore_label' has shape () and dtype float64"),
        ({**GOOD, "class_names": np.array(["a", "b", "a"])}, "duplicate class names ['a']"),
        ({**GOOD, "class_names": np.array(["a"])}, "has 1 class name; expected 2 to 255"),
        ({**GOOD, "class_names": np.array(["a", " "])}, "empty class name"),
        ({**GOOD, "class_names": np.array([1, 2])}, "'class_names' has shape (2,) and dtype int64"),
        ({**GOOD, "excluded_from_mean": np.array(["z"])}, "excludes the classes ['z'] from the mean; expected some of"),
        ({**GOOD, "excluded_from_mean": np.array([3])}, "labels [3]; expected 0 to 2"),
        ({**GOOD, "excluded_from_mean": np.array([0, 1, 2])}, "excludes every class"),
        ({**GOOD, "group": np.array(["a", "b"])}, "group has shape (2,); expected (4,)"),
        ({**GOOD, "group": np.ones(4)}, "group has dtype float64"),
    ],
)
def test_wrong_contents(tmp_path, arrays, words):
    np.savez(tmp_path / "set.npz", **arrays)
    assert words in refusal(tmp_path / "set.npz")


def test_missing_file_and_folder(tmp_path):
    assert "no such file" in refusal(tmp_path / "nothing.npz")
    assert "has no folder images/, there are no folders in it" in refusal(tmp_path)


def test_not_an_npz(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.save(tmp_path / "single.npy", PAIRS)
    assert "is not an .npz file" in refusal(tmp_path / "text.npz")
    assert "is an empty file" in refusal(tmp_path / "empty.npz")
    assert "single .npy array" in refusal(tmp_path / "single.npy")
    assert "has no 'images'" in refusal(forge(tmp_path / "zip.npz", {"readme.txt": b"hello"}))


def test_pickled_objects_are_never_loaded(tmp_path):
    np.savez(tmp_path / "set.npz", training_set=np.array([{"a": 1}, None], dtype=object))
    assert "pickled Python objects" in refusal(tmp_path / "set.npz")


@pytest.mark.parametrize("packed", [np.savez, np.savez_compressed])
def test_every_truncation_is_refused(tmp_path, packed):
    random = np.random.default_rng(0)
    packed(tmp_path / "whole.npz", **{**GOOD, "images": random.integers(0, 255, (4, 8, 8), dtype=np.uint8)})
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(4, len(whole), 37):
        (tmp_path / "cut.npz").write_bytes(whole[:length])
        assert "truncated or damaged" in refusal(tmp_path / "cut.npz")


@settings(max_examples=examples(150), deadline=None)
@given(data=st.data())
def test_flipped_bytes_never_crash(tmp_path_factory, data):
    file = io.BytesIO()
    np.savez_compressed(file, **GOOD)
    damaged = bytearray(file.getvalue())
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("flip") / "set.npz"
    path.write_bytes(damaged)
    with contextlib.suppress(DataError):  # read or refused are both right, a crash is not
        read_dataset(path)


@pytest.mark.parametrize("shape", [(10**6, 2, 64, 128), (2**62, 2, 2**62, 8), (-4, 2, 8, 8)])
def test_header_announces_more_than_the_member_holds(tmp_path, shape):
    path = forge(tmp_path / "set.npz", {"training_set.npy": header(shape) + bytes(512)})
    tracemalloc.start()
    try:
        text = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "announces" in text
    assert peak < 2**20


def test_header_announces_less_than_the_member_holds(tmp_path):
    path = forge(tmp_path / "set.npz", {"training_set.npy": header((1, 2, 8, 8)) + bytes(5000)})
    assert "announces 128 bytes in its header but the file holds 5,000" in refusal(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_directory_announces_more_than_the_file_holds(tmp_path, compression):
    shape = (7000, 2, 64, 1024)
    whole = header(shape) + bytes(512)
    data = bytearray(forge(tmp_path / "set.npz", {"training_set.npy": whole}, compression).read_bytes())
    announced = len(header(shape)) + 7000 * 2 * 64 * 1024
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # the uncompressed size, twice
        start = data.rindex(signature) + offset
        data[start : start + 4] = struct.pack("<I", announced)
    (tmp_path / "set.npz").write_bytes(data)
    assert f"announces {announced:,} bytes but the file holds only" in refusal(tmp_path / "set.npz")


def test_arrays_beyond_the_memory_limit_are_refused_unread(tmp_path, monkeypatch):
    zeros = forge(tmp_path / "set.npz", {"training_set.npy": as_npy(np.zeros((400, 2, 64, 64), np.uint8))})
    assert zeros.stat().st_size < 20_000
    monkeypatch.setattr(npz, "MAX_BYTES", 1_000_000)
    monkeypatch.setattr(npz, "_read_member", lambda archive, name: pytest.fail("was read"))
    assert "would take 3,276,800 bytes of memory, more than the 1,000,000 bytes allowed" in refusal(zeros)


def test_the_limit_is_over_all_arrays_together(tmp_path, monkeypatch):
    np.savez(tmp_path / "set.npz", **GOOD)
    monkeypatch.setattr(npz, "MAX_BYTES", 300)
    assert "would take" in refusal(tmp_path / "set.npz")


def test_packings_that_numpy_never_writes(tmp_path):
    path = forge(tmp_path / "set.npz", {"training_set.npy": as_npy(PAIRS)}, zipfile.ZIP_LZMA)
    assert "numpy never uses" in refusal(path)


def test_encrypted_member(tmp_path):
    data = bytearray(forge(tmp_path / "set.npz", {"training_set.npy": as_npy(PAIRS)}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(signature) + offset] |= 1
    (tmp_path / "set.npz").write_bytes(data)
    assert "is encrypted" in refusal(tmp_path / "set.npz")
