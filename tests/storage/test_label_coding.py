"""Labels for what stands in masks: whatever way they are saved in, the labels that come back are those that went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from storage.data.folder.classes_file import parse_class_list
from storage.data.folder.codes import CodeBook, grey_of, in_words, packed
from storage.data.folder.coding import by_colour, listed_coding
from storage.data.folder.decoding import probe
from storage.data.folder.guessing import guessed_coding
from storage.data.folder.png import write_labels
from storage.errors import DataError
from support.examples import examples

COLOUR = st.tuples(*[st.integers(0, 255)] * 3)


def read(paths: list[Path], text: str = "", names: tuple[str, ...] = ()) -> tuple[np.ndarray, tuple[str, ...]]:
    """The labels of masks, and the names of the classes, by this classes.yaml."""
    book, classes = CodeBook(), parse_class_list(text) if text else None
    places = [book.read(probe(path, path.name), by_colour=by_colour(classes)) for path in paths]
    coding = guessed_coding(book, names) if classes is None else listed_coding(book, classes)
    return np.stack([coding.table[place] for place in places]), coding.names


@settings(max_examples=examples(40))
@given(data=st.data())
def test_labels_survive_every_way_of_saving_them(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("masks")
    colours = data.draw(st.lists(COLOUR, min_size=2, max_size=6, unique=True))
    count = len(colours)
    values = data.draw(st.lists(st.integers(0, 65535), min_size=count, max_size=count, unique=True))
    labels = data.draw(arrays(np.uint8, (2, 8, 9), elements=st.integers(0, count - 1)))
    spelt = [in_words(packed(colour)) for colour in colours]
    by_value = "classes:\n" + "".join(f"  - {{name: c{k}, value: {value}}}\n" for k, value in enumerate(values))
    by_colours = "classes:\n" + "".join(f"  c{k}: '{colour}'\n" for k, colour in enumerate(spelt))
    way = data.draw(st.sampled_from(["numbers", "colours", "palette numbers", "palette colours"]))
    paths = [folder / f"{sample}.png" for sample in range(2)]
    for path, mask in zip(paths, labels, strict=True):
        if way == "numbers":
            Image.fromarray(np.array(values, np.uint16)[mask]).save(path)
        elif way == "colours":
            Image.fromarray(np.array(colours, np.uint8)[mask]).save(path)
        else:
            write_labels(path, mask, spelt)
    text = {"numbers": by_value, "palette numbers": f"classes: [{', '.join(f'c{k}' for k in range(count))}]"}
    found, names = read(paths, text.get(way, by_colours))
    np.testing.assert_array_equal(found, labels)
    assert names == tuple(f"c{k}" for k in range(count))


@settings(max_examples=examples(40))
@given(
    labels=arrays(np.uint8, (8, 9), elements=st.integers(0, 3)),
    void=st.booleans(),
    first=st.sampled_from([0, 1]),
)
def test_gapless_labels_are_guessed_whole(labels, void, first, tmp_path_factory) -> None:
    labels[0, :4] = range(4)
    mask = labels + np.uint8(first)
    mask[7] = np.where(void, 255, mask[7])
    path = tmp_path_factory.mktemp("masks") / "mask.png"
    Image.fromarray(mask).save(path)
    found, names = read([path])
    np.testing.assert_array_equal(found[0], np.where(mask == 255, 255, labels))
    assert names == tuple(f"class {first + k}" for k in range(4))


@pytest.mark.parametrize("numbers", [(0, 2), (3, 4), (0, 1, 3), (0, 1, 3, 255), (0, 128, 255), (1, 255), (0, 1, 300)])
def test_doubtful_numbers_are_refused_with_a_line_that_names_them(numbers: tuple[int, ...], tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    mask = np.resize(np.array(numbers, np.uint16), (8, 9))
    Image.fromarray(mask).save(path)
    with pytest.raises(DataError) as refused:
        read([path])
    line = str(refused.value).split("such as ")[1]
    found, _ = read([path], line)  # what the sentence says is taken, word for word
    np.testing.assert_array_equal(found[0], np.searchsorted(numbers, mask))


def test_names_of_a_bundle_are_taken_for_gapless_numbers_only(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(np.resize(np.array([0, 2], np.uint8), (8, 9))).save(path)
    found, names = read([path], names=("ground", "rock", "sky"))
    assert names == ("ground", "rock", "sky")
    assert np.unique(found).tolist() == [0, 2]
    with pytest.raises(DataError):
        read([path], names=("ground", "rock"))


@pytest.mark.parametrize("text", ["no", "on", "1", "null", "0x10", "1_000", "~", "2026-01-01"])
def test_a_name_stays_the_word_that_stands_there(text: str) -> None:
    assert parse_class_list(f"classes: [{text}, other]").names == (text, "other")


@given(colour=COLOUR)
def test_a_grey_stands_for_its_number_and_nothing_else_does(colour: tuple[int, int, int]) -> None:
    assert grey_of(packed(colour)) == (colour[0] if len(set(colour)) == 1 else None)
    assert in_words(packed(colour)) == "#" + bytes(colour).hex().upper()
