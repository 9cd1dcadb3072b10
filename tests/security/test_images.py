"""Image files as strangers write them: refused in one sentence, at no price of memory, time or other files."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from storage.data.dataset import read_dataset
from storage.data.folder.decoding import probe, read_image, read_numbers
from storage.data.folder.unlabelled import open_unlabelled
from storage.errors import DataError
from support.examples import examples
from support.folders import save, write_folder

PIXELS = np.arange(16 * 24 * 3).reshape(16, 24, 3).astype(np.uint8)


def content(kind: str, pixels: np.ndarray = PIXELS, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


GOOD = [
    content("PNG"),
    content("JPEG"),
    content("TIFF"),
    content("TIFF", compression="tiff_lzw"),
    content("PNG", PIXELS[..., 0].astype(np.uint16) * 257),
]


@settings(max_examples=examples(300))
@given(
    good=st.sampled_from(GOOD),
    cut=st.floats(0, 1),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=4),
    whole=st.booleans(),
)
def test_a_broken_file_is_read_or_refused_in_a_sentence(good, cut, flips, whole, tmp_path_factory) -> None:
    broken = bytearray(good if whole else good[: int(cut * len(good))])
    for place, flip in flips:
        if broken:
            broken[int(place * len(broken))] ^= flip
    path = tmp_path_factory.mktemp("images") / "a.png"
    path.write_bytes(bytes(broken))
    refusal = "a.png "
    try:
        header = probe(path, "a.png")
        assert read_image(header).shape[:2] == header.size
        assert read_numbers(header).shape[:2] == header.size
    except DataError as error:
        refusal = str(error)
    assert refusal.startswith("a.png ")
    assert "\n" not in refusal


def png(
    width: int, height: int, data: bytes, *chunks: tuple[bytes, bytes], late: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    def chunk(name: bytes, inside: bytes) -> bytes:
        return struct.pack(">I", len(inside)) + name + inside + struct.pack(">I", zlib.crc32(name + inside))

    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        *chunks,
        (b"IDAT", data),
        *late,
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_a_header_that_announces_more_than_there_is_memory_takes_none(tmp_path, monkeypatch) -> None:
    root = write_folder(tmp_path / "train", "void", count=4, tests=0)
    (root / "images/scene00.png").write_bytes(png(12_000, 12_000, b""))
    (root / "masks/scene00.png").write_bytes(png(12_000, 12_000, b""))
    monkeypatch.setattr("storage.data.folder.headers.memory_limit", lambda: 1_000_000_000)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("pixels were read"))
    with pytest.raises(
        DataError, match=r"would take .* more than the 1,000,000,000 bytes allowed \(the largest is images/s"
    ):
        read_dataset(root)


def test_text_that_unpacks_without_end_is_refused(tmp_path) -> None:
    rows = zlib.compress(b"\0" * (9 * 8))
    text = (b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 5_000_000))
    (tmp_path / "a.png").write_bytes(png(8, 8, rows, text))
    with pytest.raises(DataError, match=r"a\.png is truncated or damaged"):
        read_image(probe(tmp_path / "a.png", "a.png"))


def test_a_turn_behind_the_pixels_is_seen(tmp_path) -> None:
    exif = Image.Exif()
    exif[274] = 3
    rows = zlib.compress((b"\0" + bytes(8)) * 8)
    (tmp_path / "a.png").write_bytes(png(8, 8, rows, late=((b"eXIf", exif.tobytes()[6:]),)))
    with pytest.raises(DataError, match="only behind its pixels that it is to be turned"):
        read_image(probe(tmp_path / "a.png", "a.png"))


def test_an_image_that_is_exchanged_between_header_and_pixels_is_refused(tmp_path) -> None:
    save(tmp_path / "a.png", PIXELS)
    header = probe(tmp_path / "a.png", "a.png")
    save(tmp_path / "a.png", PIXELS[:12])
    with pytest.raises(DataError, match=r"a\.png was changed while it was read"):
        read_image(header)


@pytest.mark.parametrize("target", ["/etc/hostname", "../../outside.png", "scene00.png"])
def test_links_that_lead_out_or_in_a_circle_are_refused(target: str, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", count=2, tests=0)
    save(root.parent / "outside.png", PIXELS)
    (root / "images/scene00.png").unlink()
    (root / "images/scene00.png").symlink_to(target)
    with pytest.raises(DataError, match=r"images/scene00\.png is a link that leads out of the folder"):
        read_dataset(root)


def test_links_within_the_folder_are_followed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", count=2, tests=0)
    (root / "images/scene00.png").rename(root / "first.png")
    (root / "images/scene00.png").symlink_to("../first.png")
    assert len(read_dataset(root).images) == 2


def test_a_pipe_is_no_image_and_nobody_waits_for_it(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", count=2, tests=0)
    (root / "images/scene00.png").unlink()
    os.mkfifo(root / "images/scene00.png")
    with pytest.raises(DataError, match=r"images/scene00\.png is no file that can be read"):
        read_dataset(root)


@pytest.mark.parametrize("name", ["a\x1b[2Jb", "a\nb", "a\u202eb", "a\udcffb"])
def test_a_name_that_steers_a_terminal_is_refused_by_its_number(name: str, tmp_path: Path) -> None:
    save(tmp_path / "set/a.png", PIXELS)
    (tmp_path / "set/a.png").rename(tmp_path / "set" / f"{name}.png")
    with pytest.raises(DataError) as refused:
        open_unlabelled(tmp_path / "set")
    assert "cannot be written; rename it" in str(refused.value)
    assert str(refused.value).removeprefix(str(tmp_path)).isascii()
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "text", ["classes: " + "[" * 5000, "classes: !!python/name:os.system [a]", "? [a]\n: b", "- a", "\0"]
)
def test_a_hostile_classes_file_is_refused(text: str, tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", count=2, tests=0)
    (root / "classes.yaml").write_text(text)
    with pytest.raises(DataError, match=r"train: classes\.yaml "):
        read_dataset(root)


def test_a_folder_is_read_in_linear_time(tmp_path, monkeypatch) -> None:
    opened = []
    known = Image.open
    monkeypatch.setattr(Image, "open", lambda path, **options: opened.append(path) or known(path, **options))
    root = write_folder(tmp_path / "train", "void", count=30, tests=0)
    read_dataset(root)
    assert len(opened) == 30 * 4  # the header and the pixels of each image and mask
