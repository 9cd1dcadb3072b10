"""Data files that want to hurt: no code runs, nothing is written elsewhere, and no memory is taken for a lie."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from storage.data.dataset import read_dataset
from storage.errors import DataError

IMAGES = np.zeros((4, 8, 8), np.uint8)
GOOD = {"images": IMAGES, "masks": IMAGES, "class_names": np.array(["a", "b"])}
MANY = 10**8


class Hurt:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def member(array: np.ndarray | None = None, *, shape=(), descr="|u1", body=b"") -> bytes:
    """A member's bytes: of an array, or with a header that says what it likes."""
    file = io.BytesIO()
    if array is not None:
        npy.write_array(file, array)
    else:
        npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + body


def forge(path: Path, **changes: bytes) -> Path:
    """A good data set with other bytes for some of its members."""
    members = {f"{key}.npy": member(array) for key, array in GOOD.items()} | {f"{k}.npy": v for k, v in changes.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def refusal(path: Path, most_bytes: int = 1 << 21) -> str:
    """What is said of the file, without more than so much memory."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError) as caught:
            read_dataset(path)
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said


@pytest.mark.parametrize("key", ["images", "masks", "class_names", "group", "excluded_from_mean"])
def test_a_pickle_in_an_array_is_not_run(tmp_path: Path, key: str) -> None:
    marker = tmp_path / "hurt"
    lie = member(shape=(1,), descr="|O", body=pickle.dumps(np.array([Hurt(marker)], dtype=object)))
    assert "pickled" in refusal(forge(tmp_path / "set.npz", **{key: lie}))
    assert not marker.exists()


def test_a_pickle_instead_of_an_archive_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "hurt"
    (tmp_path / "set.npz").write_bytes(pickle.dumps(Hurt(marker)))
    assert "not an .npz file" in refusal(tmp_path / "set.npz")
    assert not marker.exists()


@pytest.mark.parametrize("name", ["../out.npy", "/tmp/out.npy", "images/../../out.npy", "C:\\out.npy", "a\0b.npy"])
def test_members_with_paths_write_nothing(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    forge(inner / "set.npz")
    with zipfile.ZipFile(inner / "set.npz", "a") as archive:
        archive.writestr(name, member(IMAGES))
    assert len(read_dataset(inner / "set.npz").images) == 4
    assert [path.name for path in tmp_path.rglob("*")] == ["inner", "set.npz"]


def inflated(path: Path, start: bytes, filler: bytes) -> Path:
    """A small file whose one member begins so and goes on for 64 MiB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("training_set.npy", start + filler * (64 << 20))
    assert path.stat().st_size < 100_000
    return path


def test_a_header_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    start = b"\x93NUMPY\x02\x00" + struct.pack("<I", 64 << 20)
    assert "damaged" in refusal(inflated(tmp_path / "set.npz", start, b" "))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    start = member(shape=(10**9, 2, 64, 64))
    assert "announces 8,192,000,000,000 bytes" in refusal(inflated(tmp_path / "set.npz", start, b"\0"))


@pytest.mark.parametrize("descr", ["<U0", "|S0", "|V0"])
@pytest.mark.parametrize("key", ["class_names", "group", "excluded_from_mean", "images"])
def test_items_of_no_bytes_are_not_counted_out(tmp_path: Path, key: str, descr: str) -> None:
    assert "items of no bytes" in refusal(forge(tmp_path / "set.npz", **{key: member(shape=(MANY,), descr=descr)}))


@pytest.mark.parametrize(
    ("key", "descr", "words"),
    [("class_names", "<U1", "class names"), ("excluded_from_mean", "|u1", "entries"), ("group", "|u1", "group")],
)
def test_lists_that_are_too_long_are_not_turned_into_lists(tmp_path: Path, key: str, descr: str, words: str) -> None:
    lie = member(shape=(10**6,), descr=descr, body=bytes(10**6 * np.dtype(descr).itemsize))
    assert words in refusal(forge(tmp_path / "set.npz", **{key: lie}), most_bytes=3 * 4 * 10**6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\0b", "cannot be written"),
        ("a\nb", "cannot be written"),
        ("\x1b[2J", "cannot be written"),
        ("\ud800", "cannot be written"),
        ("x" * 201, "201 characters"),
    ],
)
def test_a_class_name_that_no_database_or_terminal_takes_is_refused(tmp_path: Path, name: str, words: str) -> None:
    said = refusal(forge(tmp_path / "set.npz", class_names=member(np.array([name, "c"]))))
    assert words in said
    assert said.isprintable()


def test_words_of_any_language_are_class_names(tmp_path: Path) -> None:
    names = ("Sol érodé", "سنگ‌بستر", "大きな岩", "👩‍🚀 tracks")
    forge(tmp_path / "set.npz", class_names=member(np.array(names)))
    assert read_dataset(tmp_path / "set.npz").class_names == names


@pytest.mark.parametrize("key", ["class_names", "group"])
def test_text_of_numbers_that_are_no_characters_is_refused(tmp_path: Path, key: str) -> None:
    count = 2 if key == "class_names" else 4
    lie = member(shape=(count,), descr="<U1", body=struct.pack("<I", 0x7FFFFFFF) * count)
    assert "no characters" in refusal(forge(tmp_path / "set.npz", **{key: lie}))


def test_a_name_that_is_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    assert "too long" in refusal(tmp_path / ("x" * 300))
