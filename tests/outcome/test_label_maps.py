"""Label maps as a file from which a page draws: every label comes back from its colour, and files are small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.outcome.pictures.label_maps import HEAD, LONGEST, LabelSheet, draw_label_maps, read_sheet, sheet_colours
from search.outcome.pictures.worst import draw_worst
from search.worker.worst import PER_CLASS, image_iou, read_worst, worst_of, worst_places
from spaces import DataFacts


def facts(classes: int, excluded: tuple[int, ...] = ()) -> DataFacts:
    names = tuple(f"class {k}" for k in range(classes))
    return DataFacts(channels=1, height=8, width=12, class_names=names, excluded=tuple(names[k] for k in excluded))


def labels_in(path: Path, known: DataFacts) -> np.ndarray:
    """The labels that a reader finds by the colours, 255 for others."""
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    table = {int(colour[1:], 16): label for label, colour in enumerate(sheet_colours(known))}
    values = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
    return np.vectorize(lambda value: table.get(value, 255))(values)


@pytest.mark.parametrize("classes", [2, 5, 64, 250])
def test_every_label_is_read_from_its_colour(tmp_path: Path, classes: int) -> None:
    known, chance = facts(classes, (0, 1) if classes > 4 else ()), np.random.default_rng(0)
    truth = [chance.integers(0, classes, (8, 12)).astype(np.uint8) for _ in range(3)]
    said = [chance.integers(0, classes, (8, 12)).astype(np.uint8) for _ in range(3)]
    truth[1][2, 3] = 255
    draw_label_maps(tmp_path / "x.png", truth=truth, moments={7: said, 2: truth}, facts=known, ignore_label=255)
    found = labels_in(tmp_path / "x.png", known)
    assert np.array_equal(found, np.hstack([np.vstack(truth), np.vstack(truth), np.vstack(said)]))
    sheet = read_sheet((tmp_path / "x.png").read_bytes()[:HEAD])
    assert sheet == LabelSheet(epochs=(2, 7), sizes=((8, 12),) * 3)
    assert len(set(sheet_colours(facts(250, tuple(range(200)))))) == 250


def test_images_of_several_sizes_stand_below_each_other_and_large_ones_are_thinned(tmp_path: Path) -> None:
    known = facts(2)
    truth = [np.zeros((600, 1000), np.uint8), np.ones((8, 12), np.uint8)]
    draw_label_maps(tmp_path / "x.png", truth=truth, moments={1: truth}, facts=known, ignore_label=None)
    sheet = read_sheet((tmp_path / "x.png").read_bytes()[:HEAD])
    assert sheet == LabelSheet(epochs=(1,), sizes=((150, 250), (8, 12)))
    assert max(max(size) for size in sheet.sizes) <= LONGEST
    found = labels_in(tmp_path / "x.png", known)
    assert found.shape == (158, 500)
    assert (found[150:, :12] == 1).all()
    assert (tmp_path / "x.png").stat().st_size < 3000


@pytest.mark.parametrize("head", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + b"\xff" * 64, b"<svg>" * 99])
def test_something_else_is_no_sheet(head: bytes) -> None:
    assert read_sheet(head) is None


@pytest.mark.parametrize(
    "told", ["{}", "[]", '{"epochs": [], "sizes": [[1, 1]]}', '{"epochs": [1], "sizes": [[1, 9999]]}']
)
def test_a_sheet_that_says_nonsense_is_none(told: str) -> None:
    body = b"marsearch\0" + told.encode()
    assert read_sheet(b"\x89PNG\r\n\x1a\n" + len(body).to_bytes(4, "big") + b"tEXt" + body + b"crc!") is None


def test_the_worst_images_of_a_class_are_those_that_show_it_and_score_lowest() -> None:
    iou = np.full((40, 3), np.nan)
    iou[:30, 1] = np.linspace(0.9, 0.1, 30)
    iou[5, 2] = 0.5
    assert worst_of(iou[:, 1]) == list(range(29, 29 - PER_CLASS, -1))
    assert worst_of(iou[:, 0]) == []
    assert worst_places(iou) == [5, *range(18, 30)]


def test_iou_of_an_image_leaves_out_what_is_not_judged() -> None:
    truth = np.array([[0, 1, 1, 2], [0, 1, 255, 2]], np.uint8)
    said = np.array([[1, 1, 0, 2], [1, 1, 1, 1]], np.uint8)
    found = image_iou(said, truth, facts(4, (0,)), 255)
    assert np.allclose(found, [np.nan, 2 / 4, 1 / 2, np.nan], equal_nan=True)


def test_worst_images_become_files(tmp_path: Path) -> None:
    assert read_worst(tmp_path) is None
    truth = [np.zeros((8, 12), np.uint8), np.ones((8, 12), np.uint8)]
    files = draw_worst(
        tmp_path,
        epoch=3,
        samples=[17, 4],
        iou=np.array([[0.25, np.nan], [np.nan, 1.0]]),
        images=[np.full((8, 12), k * 1000, np.uint16) for k in range(2)],
        truth=truth,
        labels=truth[::-1],
        facts=facts(2),
        ignore_label=None,
    )
    labels, photos, table = files
    assert read_sheet(labels.read_bytes()[:HEAD]) == LabelSheet(epochs=(3,), sizes=((8, 12),) * 2)
    with Image.open(photos) as picture:
        assert picture.size == (12, 16)
    assert table.read_text() == '{"samples": [17, 4], "iou": [[0.25, null], [null, 1.0]]}'
