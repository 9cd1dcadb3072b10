"""What a refusal of a data file tells to do is done, word for word, and the file is taken."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.data.dataset import Dataset, read_class_names, read_dataset, read_images
from storage.errors import DataError

LABELS = np.arange(4 * 8 * 8).reshape(4, 8, 8) % 3
BYTES = LABELS.astype(np.uint8)
GOOD: dict[str, Any] = {"images": BYTES * 90, "masks": BYTES, "class_names": np.array(["ground", "rock", "sand"])}
COLOURS = np.array([[200, 0, 10], [0, 100, 0], [7, 7, 7]], np.uint8)[BYTES]
ONE_HOT = np.eye(3, dtype=np.uint8)[BYTES]
VOID = np.where(LABELS == 2, -1, LABELS)
WIDE = np.zeros((4, 8, 12), np.uint8)
ALL = {"images": "images", "masks": "masks"}

# What is wrong, and what mends it by the name of the array: an expression that the refusal tells, or None for left out.
CURES: dict[str, tuple[dict[str, Any], dict[str, str | None]]] = {
    "object class names": ({"class_names": np.array(["a", "b", None], object)}, {"class_names": "astype(str)"}),
    "object group": ({"group": np.array(["a", 1, 2, 3], object)}, {"group": "np.array(group).astype(str)"}),
    "object masks": ({"masks": BYTES.astype(object)}, {"masks": "np.array(masks.tolist())"}),
    "ragged images": (
        {"images": np.array([*BYTES, None], object)[:4]},
        {"images": "np.array(images.tolist())"},
    ),
    "no ignored label": ({"ignore_label": np.array(None)}, {"ignore_label": None}),
    "label -1": ({"masks": VOID}, {"ignore_label": "-1"}),
    "labels -1 and -2 in a byte": (
        {"masks": np.where(LABELS == 1, -2, VOID).astype(np.int8)},
        {"masks": "np.where(masks < 0, 255, masks.astype(np.int16))", "ignore_label": "255"},
    ),
    "label -1 and a class without a name": (
        {"masks": np.where(LABELS == 1, 9, VOID)},
        {"masks": "np.where((masks < 0) | (masks >= 3), 255, masks)", "ignore_label": "255"},
    ),
    "several unnamed labels beside the ignored one": (
        {"masks": BYTES * 100, "ignore_label": np.array(100)},
        {"ignore_label": "255", "masks": "np.where(masks >= 3, 255, masks)"},
    ),
    "one unnamed label": ({"masks": np.where(LABELS == 2, 7, LABELS)}, {"ignore_label": "7"}),
    "labels from 1": ({"masks": BYTES + 1}, {"masks": "masks - 1"}),
    "labels from 1 and an ignored one": (
        {"masks": np.where(np.arange(8) == 0, 255, BYTES + 1), "ignore_label": np.array(255)},
        {"masks": "np.where(masks == 255, masks, masks - 1)"},
    ),
    "white masks": (
        {"masks": (BYTES > 0) * np.uint8(255), "class_names": np.array(["ground", "rock"])},
        {"masks": "masks // 255"},
    ),
    "one-hot masks": ({"masks": ONE_HOT}, {"masks": "masks.argmax(axis=-1)"}),
    "one-hot masks, channels first": (
        {"masks": ONE_HOT.transpose(0, 3, 1, 2)},
        {"masks": "masks.transpose(0, 2, 3, 1).argmax(axis=-1)"},
    ),
    "masks in equal channels": ({"masks": np.stack([BYTES] * 3, -1)}, {"masks": "masks[..., 0]"}),
    "masks in colours": (
        {"masks": COLOURS},
        {
            "masks": "np.unique(masks.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(4, 8, 8)",
        },
    ),
    "flat masks": ({"masks": BYTES.reshape(4, 64)}, {"masks": "masks.reshape(4, 8, 8)"}),
    "masks the other way round": (
        {"images": WIDE, "masks": WIDE.transpose(0, 2, 1)},
        {"masks": "masks.transpose(0, 2, 1)"},
    ),
    "masks with the samples last": ({"masks": BYTES.transpose(1, 2, 0)}, {"masks": "masks.transpose(2, 0, 1)"}),
    "masks too few": ({"masks": BYTES[:3]}, {"images": "images[:3]"}),
    "masks too many": ({"masks": np.concatenate([BYTES, BYTES])}, {"masks": "masks[:4]"}),
    "masks of another size": (
        {"masks": BYTES.repeat(2, axis=1)},
        {"masks": "masks[:, np.arange(8) * 16 // 8][:, :, np.arange(8) * 8 // 8]"},
    ),
    "images beyond float32": ({"images": BYTES * 1e302}, {"images": "images / 1e302"}),
    "images of 5 axes": (
        {"images": BYTES.reshape(2, 1, 2, 8, 8), "masks": BYTES},
        {"images": "images.reshape(-1, 8, 8)"},
    ),
    "images of 5 channels": ({"images": BYTES[..., None].repeat(5, -1)}, {"images": "images[..., :3]"}),
    "images of 5 channels first": ({"images": BYTES[:, None].repeat(5, 1)}, {"images": "images[:, 0]"}),
    "low images": (
        {"images": BYTES[:, :7], "masks": BYTES[:, :7]},
        dict.fromkeys(("images", "masks"), "np.pad(images, ((0, 0), (0, 1), (0, 0)), 'edge')"),
    ),
    "small images in colour": (
        {"images": COLOURS[:, :6, :5]},
        {"images": "np.pad(images, ((0, 0), (0, 2), (0, 3), (0, 0)), 'edge')"},
    ),
    "colour tests": (
        {"test_images": COLOURS},
        {"test_images": "test_images.mean(axis=-1).astype(np.uint8)"},
    ),
    "grey tests": (
        {"images": COLOURS, "test_images": BYTES},
        {"test_images": "np.repeat(test_images[..., None], 3, axis=-1)"},
    ),
    "tests without a pixel": ({"test_images": WIDE[:, :0]}, {"test_images": None}),
    "numbers for names": ({"class_names": np.arange(3)}, {"class_names": "np.array(class_names).astype(str)"}),
    "names in a table": ({"class_names": GOOD["class_names"][None]}, {"class_names": "np.ravel(class_names)"}),
    "one name": (
        {"class_names": np.array(["rock"]), "masks": BYTES // 2},
        {"class_names": "['background', 'rock']"},
    ),
    "one word for names": (
        {"class_names": np.array("rock"), "masks": BYTES // 2},
        {"class_names": "['ground', 'rock']"},
    ),
    "a long name": (
        {"class_names": np.array(["a" * 300, "b", "c"])},
        {"class_names": "np.array(class_names).astype('U200')"},
    ),
    "300 names": (
        {"class_names": np.array([f"c{number}" for number in range(300)]), "masks": LABELS * 140},
        {"class_names": "class_names[:255]", "masks": "np.minimum(masks, 254)"},
    ),
    "a group too short": ({"group": np.arange(3)}, {"group": None}),
    "a group in a table": ({"group": np.arange(4)[None]}, {"group": "group.ravel()"}),
    "a group of fractions": ({"group": np.ones(4)}, {"group": "group.astype(str)"}),
    "a group of bytes": ({"group": np.array([b"a"] * 4)}, {"group": "group.astype(str)"}),
    "two ignored labels": (
        {"ignore_label": np.array([254, 255]), "masks": np.where(LABELS == 2, 254, LABELS)},
        {"masks": "np.where(np.isin(masks, [254, 255]), 255, masks)", "ignore_label": "255"},
    ),
    "an ignored word": ({"ignore_label": np.array("void")}, {"ignore_label": "255"}),
    "an ignored class": (
        {"ignore_label": np.array(2)},
        {"masks": "np.where(masks == 2, 255, masks)", "ignore_label": "255"},
    ),
    "no_data as a word": ({"no_data": np.array("none")}, {"no_data": None}),
    "no_data of two values": ({"no_data": np.array([0, 1])}, {"no_data": "-9999"}),
    "an unknown class out of the mean": ({"excluded_from_mean": np.array(["sky"])}, {"excluded_from_mean": None}),
    "an unknown label out of the mean": ({"excluded_from_mean": np.array([7])}, {"excluded_from_mean": None}),
    "a fraction out of the mean": ({"excluded_from_mean": np.array(0.5)}, {"excluded_from_mean": "['ground']"}),
}
for _sign in ("\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad", "\x1b"):
    CURES[f"a name with {_sign!a}"] = (
        {"class_names": np.array(["ground", f"r{_sign}ock", "sand"])},
        {"class_names": f"np.char.replace(class_names, {_sign!a}, '')"},
    )

HOMEWORK = np.stack([BYTES, BYTES], axis=1)
STACKS = {
    "three channels": (HOMEWORK[:, [0, 0, 1]], "training_set[:, [0, -1]]"),
    "images alone": (BYTES, "np.stack([images, masks], axis=1)"),
}


def refusal(path: Path, **arrays: Any) -> str:
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=re.escape(f"{path}: ")) as caught:
        read_dataset(path)
    said = str(caught.value)
    assert said.isprintable()
    return said


def taken(path: Path, **arrays: Any) -> Dataset:
    np.savez(path, **arrays)
    return read_dataset(path)


@pytest.mark.parametrize("name", CURES)
def test_what_is_told_to_do_makes_a_file_that_is_taken(tmp_path: Path, name: str) -> None:
    changed, cures = CURES[name]
    arrays = GOOD | changed
    said = refusal(tmp_path / "odd.npz", **arrays)
    mended = dict(arrays)
    for key, cure in cures.items():
        if cure is None:
            assert re.search(rf"leave ({key}|it|them) out|{key}.* or leave it out", said), said
            del mended[key]
        else:
            cure = f"np.array({key}).astype(str)" if cure == "astype(str)" else cure
            assert (f"{key}={cure}" if cure[0] in "[-0123456789" else cure) in said, said
            mended[key] = eval(cure.replace("images", key) if cure.startswith("np.pad") else cure, {"np": np, **arrays})
    if name == "small images in colour":
        mended["masks"] = BYTES
    assert len(taken(tmp_path / "mended.npz", **mended).images) in (3, 4)


@pytest.mark.parametrize("name", STACKS)
def test_what_is_told_to_do_with_stacked_images_and_masks(tmp_path: Path, name: str) -> None:
    stacked, cure = STACKS[name]
    assert cure in refusal(tmp_path / "odd.npz", training_set=stacked)
    mended = eval(cure, {"np": np, "training_set": stacked, "images": BYTES, "masks": BYTES})
    assert np.array_equal(taken(tmp_path / "mended.npz", training_set=mended).masks, BYTES)


@pytest.mark.parametrize("name", ["empty.npz", "text.npz", "single.npz"])
def test_what_is_told_to_do_with_a_file_that_is_no_archive(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = {"empty.npz": b"", "text.npz": b"label,image\n", "single.npz": (tmp_path / "a.npy")}[name]
    if isinstance(content, Path):
        np.save(content, GOOD["images"])
        content = content.read_bytes()
    Path(name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_dataset(Path(name))
    line = re.search(r"np\.savez\(.*=class_names\)", str(caught.value))
    assert line, caught.value
    eval(line[0], {"np": np, **GOOD})
    assert np.array_equal(read_dataset(Path("train.npz")).images, GOOD["images"])


def test_test_images_of_another_size_are_taken(tmp_path: Path) -> None:
    made = taken(tmp_path / "set.npz", **GOOD, test_images=WIDE)
    assert made.test_images is not None
    assert made.test_images.shape == WIDE.shape
    assert read_images(tmp_path / "set.npz")[0].shape == WIDE.shape


@pytest.mark.parametrize("label", [-1, 300, -9999])
@pytest.mark.parametrize("kind", [np.int16, np.int64, np.float64])
def test_an_ignored_label_that_is_no_byte_is_taken(tmp_path: Path, label: int, kind: type) -> None:
    masks = np.where(LABELS == 2, label, LABELS).astype(kind)
    made = taken(tmp_path / "set.npz", **(GOOD | {"masks": masks, "ignore_label": np.array(label)}))
    assert made.ignore_label == 255
    assert np.array_equal(made.masks, np.where(LABELS == 2, 255, LABELS))
    assert "labels [255]" in refusal(
        tmp_path / "both.npz", **(GOOD | {"masks": np.where(LABELS == 1, 255, masks), "ignore_label": np.array(label)})
    )


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64])
@pytest.mark.parametrize("label", [None, -1, 200])
def test_pixels_without_a_measurement_are_ignored_in_masks_of_any_type(
    tmp_path: Path, kind: type, label: int | None
) -> None:
    images = GOOD["images"].astype(np.float32)
    images[:, 0] = -9999
    more = {} if label is None else {"ignore_label": np.array(label)}
    arrays = GOOD | {"images": images, "masks": LABELS.astype(kind), "no_data": np.array(-9999)} | more
    made = taken(tmp_path / "set.npz", **arrays)
    assert made.ignore_label == (200 if label == 200 else 255)
    assert np.array_equal(made.masks[:, 1:], BYTES[:, 1:])
    assert (made.masks[:, 0] == made.ignore_label).all()


@pytest.mark.parametrize("sign", ["\u202e", "\x1b"])
def test_names_in_a_file_of_images_alone_are_checked_before_they_are_shown(tmp_path: Path, sign: str) -> None:
    np.savez(tmp_path / "new.npz", images=BYTES, class_names=np.array([f"r{sign}ock", "sand"]))
    with pytest.raises(DataError, match="cannot be written"):
        read_class_names(tmp_path / "new.npz")


def test_names_that_are_written_with_joiners_are_taken(tmp_path: Path) -> None:
    names = np.array(["می\u200cروم", "👩\u200d🚀", "क\u094d\u200dष"])
    assert taken(tmp_path / "set.npz", **(GOOD | {"class_names": names})).class_names == tuple(names)
    assert "look alike" in refusal(
        tmp_path / "odd.npz", **(GOOD | {"class_names": np.array(["rock", "ro\u200dck", "c"])})
    )
