"""A folder, a list of paths and the AI4Mars release as data sets: what is read, what is guessed and said."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import storage.data.folder.headers
from storage.data.card import DataCard
from storage.data.dataset import build_dataset, read_dataset, write_dataset
from storage.data.folder.writer import write_folder as write_data_set
from storage.data.synthetic import synthesise
from storage.errors import DataError
from support.folders import CLASSES, COLOURS, KINDS, SIZES, picture, save, save_palette, scene, write_folder

NAMED = tuple(f"#{red:02X}{green:02X}{blue:02X}" for red, green, blue in COLOURS)
SHORT = {"count": 4, "tests": 1}


def labels_of(count: int = 4, size: tuple[int, int] = (32, 48)) -> np.ndarray:
    random = np.random.default_rng(0)
    return np.stack([scene(random, *size)[1] for _ in range(count)])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("mixed", "few")])
def test_the_labels_are_those_that_were_drawn(kind: str, tmp_path: Path) -> None:
    dataset = read_dataset(write_folder(tmp_path / "train", kind, **SHORT))
    random = np.random.default_rng(0)
    drawn = np.stack([scene(random, 32, 48, 2 if kind == "binary" else 3)[1] for _ in range(4)])
    if kind == "void":
        drawn[:, :, :4] = 255
    np.testing.assert_array_equal(dataset.masks, drawn)
    assert dataset.ignore_label == (255 if kind == "void" else None)
    assert dataset.images.shape == (4, 32, 48, 3)
    assert dataset.test_images is not None


def test_what_is_guessed_is_said(tmp_path: Path) -> None:
    said = {kind: read_dataset(write_folder(tmp_path / kind, kind, **SHORT)).notes for kind in KINDS}
    assert said["rgb"] == ()
    assert said["binary"] == (
        "the masks hold 0 and 255, taken for the classes background, foreground (name them in classes.yaml)",
    )
    assert said["void"] == (
        "the masks hold 0, 1, 2, taken for the classes class 0, class 1, class 2; 255 is taken for void, which counts"
        " nowhere (name them in classes.yaml)",
    )
    assert "with the colours of their palette" in said["palette"][0]


def test_classes_yaml_says_names_colours_licence_and_source(tmp_path: Path) -> None:
    dataset = read_dataset(write_folder(tmp_path / "train", "rgb", **SHORT))
    assert dataset.class_names == ("ground", "rock", "sky")
    assert dataset.card == DataCard(colours=NAMED, licence="CC-BY-4.0", source="drawn by the tests")


def test_coloured_masks_without_classes_yaml_are_guessed(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "rgb", **SHORT)
    (root / "classes.yaml").unlink()
    dataset = read_dataset(root)
    assert dataset.class_names == dataset.card.colours == tuple(sorted(NAMED))
    assert "the masks are in 3 colours, each taken for a class: #3C3C46, #B45A28, #C8DCF0" in dataset.notes[0]


def test_classes_with_value_and_colour_fit_masks_of_either_kind(tmp_path: Path) -> None:
    both = "classes:\n" + "".join(
        f"  - {{name: {name}, value: {value}, colour: '{colour}'}}\n"
        for name, value, colour in zip(("ground", "rock", "sky"), range(3), NAMED, strict=True)
    )
    roots = [write_folder(tmp_path / kind, kind, **SHORT) for kind in ("rgb", "palette", "few")]
    for root in roots:
        (root / "classes.yaml").write_text(both)
    coloured, numbered, grey = map(read_dataset, roots)
    assert coloured.card.colours == grey.card.colours == NAMED
    np.testing.assert_array_equal(coloured.masks, labels_of())
    np.testing.assert_array_equal(numbered.masks, labels_of())
    assert np.unique(grey.masks).tolist() == [0, 1, 2]


def test_palette_masks_by_number_or_by_colour(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "palette", **SHORT)
    assert read_dataset(root).card.colours == NAMED
    numbers = read_dataset(root).masks
    (root / "classes.yaml").write_text("classes: {sky: '#C8DCF0', rock: '#3C3C46', ground: '#B45A28'}")
    np.testing.assert_array_equal(read_dataset(root).masks, 2 - numbers)
    (root / "classes.yaml").write_text("classes: {sky: 2, rock: 1, ground: 0}")
    np.testing.assert_array_equal(read_dataset(root).masks, 2 - numbers)
    save_palette(root / "masks/scene00.png", numbers[0], COLOURS[::-1])  # the same colours in another order
    np.testing.assert_array_equal(read_dataset(root).masks, 2 - numbers)


def test_values_void_and_excluded_of_classes_yaml(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    drawn = read_dataset(root).masks
    (root / "classes.yaml").write_text(
        "classes:\n  - {name: sky, value: 2, display: '#0000FF'}\n  - {name: no, value: 0, display: [1, 2, 3]}\n"
        "void: [1, 255]\nexcluded_from_mean: [no]\nlicense: CC0\n"
    )
    dataset = read_dataset(root)
    assert (dataset.class_names, dataset.excluded, dataset.card.licence) == (("sky", "no"), ("no",), "CC0")
    assert dataset.card.colours == ("#0000FF", "#010203")
    np.testing.assert_array_equal(dataset.masks, np.array([1, 255, 0, *[255] * 253], np.uint8)[drawn])


def test_images_of_several_sizes_stand_on_one_canvas(tmp_path: Path) -> None:
    dataset = read_dataset(write_folder(tmp_path / "train", "mixed", **SHORT))
    assert dataset.sizes is not None
    assert dataset.sizes.tolist() == [list(size) for size in SIZES]
    random = np.random.default_rng(0)
    for sample, size in enumerate(SIZES):
        image, labels = scene(random, *size)
        np.testing.assert_array_equal(dataset.image(sample), image)
        np.testing.assert_array_equal(dataset.masks[sample, : size[0], : size[1]], labels)


def test_the_same_folder_again_is_the_same_data(tmp_path: Path) -> None:
    one, other = (write_folder(tmp_path / name, "palette", **SHORT) for name in ("one", "other"))
    digest = read_dataset(one).digest
    assert read_dataset(other).digest == digest
    write_dataset(read_dataset(one), tmp_path / "set.npz")
    assert read_dataset(tmp_path / "set.npz").digest == digest
    picture(other / "images/scene00.png").save(other / "images/scene00.tif")
    (other / "images/scene00.png").unlink()
    assert read_dataset(other).digest == digest
    pixels = np.array(picture(one / "images/scene01.png"))
    pixels[0, 0, 0] ^= 1
    save(one / "images/scene01.png", pixels)
    assert read_dataset(one).digest != digest


@pytest.mark.parametrize("channels", [1, 3])
def test_a_data_set_written_as_a_folder_reads_back(channels: int, tmp_path: Path) -> None:
    made = synthesise(train=8, test=2, seed=0, height=16, width=24, channels=channels, classes=4)
    write_data_set(made, tmp_path / "set", ("#000000", "#AA0000", "#00AA00", "#0000AA"))
    read = read_dataset(tmp_path / "set")
    for name in ("images", "masks", "test_images", "group"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    assert (read.class_names, read.excluded, read.notes) == (made.class_names, made.excluded, ())
    with pytest.raises(DataError, match=r"cannot be written .*new or an empty folder"):
        write_data_set(made, tmp_path / "set", ("#000000",) * 4)
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def grey_folder(root: Path, **images: np.ndarray) -> Path:
    """A folder with labels 0 and 1 for each of these images."""
    for name, pixels in images.items():
        save(root / "images" / f"{name}.tif", pixels)
        save(
            root / "masks" / f"{name}.png",
            (np.arange(pixels.shape[0] * pixels.shape[1]) % 2).astype(np.uint8).reshape(pixels.shape[:2]),
        )
    return root


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_grey_numbers_are_kept(dtype: type, tmp_path: Path) -> None:
    pixels = (np.arange(16 * 8).reshape(8, 16) * (1 if dtype == np.uint8 else 500)).astype(dtype)
    read = read_dataset(grey_folder(tmp_path / "set", one=pixels, two=pixels[::-1].copy())).images
    np.testing.assert_array_equal(read, [pixels, pixels[::-1]])


def png(width: int, height: int, bits: int, kind: int, data: bytes) -> bytes:
    """A PNG that Pillow would not write. kind: 0 grey, 2 RGB. data: its rows, packed."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("bits", "factor"), [(1, 255), (2, 85), (4, 17)])
def test_masks_of_few_bits_hold_labels(bits: int, factor: int, tmp_path: Path) -> None:
    root = grey_folder(tmp_path / "set", one=np.zeros((8, 16), np.uint8), two=np.ones((8, 16), np.uint8))
    labels = np.arange(8 * 16).reshape(8, 16) % 2
    shifts = np.arange(8 // bits)[::-1] * bits
    rows = (labels.reshape(8, -1, 8 // bits) << shifts).sum(axis=2).astype(np.uint8)

    content = png(16, 8, bits, 0, zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))
    (root / "masks/one.png").write_bytes(content)
    (root / "masks/two.png").write_bytes(content)
    assert np.array(picture(root / "masks/one.png").convert("L")).max() == factor  # as Pillow shows it
    np.testing.assert_array_equal(read_dataset(root).masks, [labels, labels])


def test_alpha_grey_and_turns_are_said(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    pixels = np.array(picture(root / "images/scene00.png"))
    save(root / "images/scene00.png", np.dstack([pixels, np.full((32, 48), 9, np.uint8)]))
    save(root / "images/scene01.png", pixels[..., 0])
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn to the right is to be made
    turned = np.rot90(pixels).copy()
    save(root / "images/scene02.png", turned, exif=exif)
    (root / "images/notes.txt").write_text("hello")
    dataset = read_dataset(root)
    np.testing.assert_array_equal(dataset.images[0], pixels)
    np.testing.assert_array_equal(dataset.images[1], pixels[..., :1].repeat(3, axis=2))
    np.testing.assert_array_equal(dataset.images[2], pixels)
    assert dataset.notes[0] == "notes.txt in images is no PNG, JPEG or TIFF and left out"
    assert dataset.notes[2:] == (
        "the alpha channel (how transparent a pixel is) of 1 image is left out",
        "1 image is turned as EXIF data say",
        "1 image is grey: taken as colour, like the others",
    )


def test_phone_pictures_and_colours_of_16_bits_are_said(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    first, second = (Image.fromarray(np.full((32, 48, 3), grey, np.uint8)) for grey in (60, 200))
    for number in (0, 1):
        (root / f"images/scene0{number}.png").unlink()
    first.save(root / "images/scene00.jpg", format="MPO", save_all=True, append_images=[second])
    rows = zlib.compress((b"\0" + struct.pack(">3H", 1000, 2000, 60_000) * 48) * 32)
    (root / "images/scene01.png").write_bytes(png(48, 32, 16, 2, rows))
    dataset = read_dataset(root)
    assert dataset.images[0].mean() == pytest.approx(60, abs=2)
    assert dataset.images[1, 0, 0].tolist() == [3, 7, 234]
    assert dataset.notes[1:] == (
        "of 1 image in colours of 16 bits a channel the upper 8 are taken",
        "of 1 image with further pictures inside, as phones make them, the first one is taken",
    )


def test_image_and_mask_that_say_the_same_turn_are_both_turned(tmp_path: Path) -> None:
    random, exif = np.random.default_rng(0), Image.Exif()
    exif[274] = 3
    image, labels = scene(random, 32, 48)
    for name in ("a", "b"):
        save(tmp_path / f"set/images/{name}.jpg", image, exif=exif)
        save(tmp_path / f"set/masks/{name}.png", labels, exif=exif)
    np.testing.assert_array_equal(read_dataset(tmp_path / "set").masks, np.stack([labels[::-1, ::-1]] * 2))


def test_groups_and_names_of_another(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    (root / "groups.csv").write_text("group;stem\nb;scene01\na;scene00\na;scene02\nb;scene03\n")  # as spreadsheets do
    dataset = read_dataset(root, ("ground", "rock", "sky", "hill"))
    assert dataset.group is not None
    assert dataset.group.tolist() == ["a", "b", "a", "b"]
    assert dataset.class_names == ("ground", "rock", "sky", "hill")


def test_sizes_are_checked_before_memory_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    needed = 5 * 32 * 48 * 3 + 4 * 32 * 48
    for limit, refused in ((needed, False), (needed - 1, True)):
        monkeypatch.setattr(storage.data.folder.headers, "memory_limit", lambda limit=limit: limit)
        if not refused:
            read_dataset(root)
            continue
        monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("pixels were read"))
        with pytest.raises(DataError, match=rf"would take {needed:,} bytes of memory.*--shrink 4"):
            read_dataset(root)


def test_a_shrunk_set_has_means_and_middles(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "void", **SHORT)
    whole, small = read_dataset(root), read_dataset(root, shrink=2)
    assert small.images.shape == (4, 16, 24, 3)
    means = whole.images.reshape(4, 16, 2, 24, 2, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(small.images, np.rint(means).astype(np.uint8))
    np.testing.assert_array_equal(small.masks, whole.masks[:, 1::2, 1::2])
    assert small.notes[-1] == "every side is divided by 2"


def test_a_list_of_paths(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "train", "rgb", **SHORT)
    rows = [f"train/images/scene0{n}.png,train/masks/scene0{n}.png,{'ab'[n % 2]}" for n in range(4)]
    (tmp_path / "list.csv").write_text("\n".join(["image,mask,group", *rows, "train/test/scene04.png,,"]))
    (tmp_path / "classes.yaml").write_text(CLASSES)
    listed, folder = read_dataset(tmp_path / "list.csv"), read_dataset(root)
    for name in ("images", "masks", "test_images"):
        np.testing.assert_array_equal(getattr(listed, name), getattr(folder, name))
    assert listed.group is not None
    assert listed.group.tolist() == ["a", "b", "a", "b"]
    assert listed.notes == (
        "images without a mask are test images: 1",
        "the classes are those of classes.yaml beside list.csv",
    )


def test_the_ai4mars_release(tmp_path: Path) -> None:
    root = tmp_path / "ai4mars-dataset-merged-0.1" / "msl"
    stems = [f"NLA_39768145{number}EDR_F00{number // 2}0000AUT_04096M1" for number in range(5)]
    labels = labels_of()
    for stem in stems:
        save(root / f"images/edr/{stem}.JPG", np.full((32, 48), 90, np.uint8))
    for stem, mask in zip(stems, labels, strict=False):
        mask[0, 0] = 255
        save(root / f"labels/train/{stem}.png", mask)
        rover = np.zeros((32, 48), np.uint8)
        rover[-1] = 1
        save(root / f"images/mxy/{stem.replace('EDR', 'MXY')}.png", rover)
        save(root / f"images/rng-30m/{stem.replace('EDR', 'RNG')}.png", rover[::-1].copy())
    save(root / f"labels/test/masked-gold-min3-100agree/{stems[4]}_merged.png", labels[0])
    dataset = read_dataset(root.parent)
    expected = labels.copy()
    expected[:, [0, -1]] = 255
    np.testing.assert_array_equal(dataset.masks, expected)
    assert dataset.class_names == ("soil", "bedrock", "sand", "big rock")
    assert dataset.ignore_label == 255
    assert dataset.group is not None
    assert dataset.group.tolist() == ["0000000", "0000000", "0010000", "0010000"]
    assert dataset.test_images is not None
    assert len(dataset.test_images) == 1
    assert "AI4Mars" in dataset.card.source
    assert "in 4 of 4 labelled images pixels of the rover and beyond 30 metres are void" in dataset.notes[0]


def test_a_card_is_in_the_digest_only_where_there_is_one(tmp_path: Path) -> None:
    images = np.arange(4 * 8 * 9, dtype=np.uint16).reshape(4, 8, 9)
    contents = {
        "images": images,
        "masks": (images % 3).astype(np.uint8),
        "class_names": ("a", "b", "c"),
        "excluded": ("a",),
        "group": np.array(list("aabb")),
    }
    plain = build_dataset(**contents)
    # as it was before there were cards
    assert plain.digest == "bf7b042a2972060d994dd2b92b9461b2415c5ddc6b5b3d5818c3c0dff6196664"
    cards = [
        DataCard(colours=("#000000", "#ABCDEF", "#ffffff")),
        DataCard(licence="CC0"),
        DataCard(source="CC0"),
    ]
    made = [build_dataset(**contents, card=card) for card in cards]
    assert len({plain.digest, *(dataset.digest for dataset in made)}) == 4
    for dataset in made:
        write_dataset(dataset, tmp_path / "set.npz")
        again = read_dataset(tmp_path / "set.npz")
        assert (again.digest, again.card) == (dataset.digest, dataset.card)
    assert made[0].card.colours[2] == "#FFFFFF"


@pytest.mark.parametrize(
    ("card", "sentence"),
    [
        (DataCard(colours=("#000000",)), "has 1 class colours for 3 classes"),
        (DataCard(colours=("#000000", "red", "#000001")), "has the class colour 'RED'; expected #RRGGBB"),
        (DataCard(licence="x" * 2000), "has a licence of 2,000 characters"),
        (DataCard(source="a\x1b[2J"), "has a source with the character"),
    ],
)
def test_a_wrong_card_is_refused(card: DataCard, sentence: str) -> None:
    images = np.zeros((2, 8, 8), np.uint8)
    with pytest.raises(DataError) as refused:
        build_dataset(images=images, masks=images, class_names=("a", "b", "c"), card=card)
    assert sentence in str(refused.value)
