"""A data set written as a folder of PNGs, which reads back to the same contents."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from storage.atomic_write import replacing_folder
from storage.data.canvas import own_part
from storage.data.dataset import Dataset
from storage.data.folder.classes_file import NAME
from storage.data.folder.png import write_image, write_labels
from storage.data.folder.sources import GROUPS, IMAGES, MASKS, TESTS
from storage.errors import DataError


def write_folder(dataset: Dataset, out: Path, colours: Sequence[str]) -> None:
    """Write images, masks and classes.yaml into a new or empty folder, whole or not at all.

    colours: in which labels are shown, ``#RRGGBB`` for each class. Raises DataError for images that no PNG can hold and
    for a folder that cannot be written.
    """
    if dataset.images.dtype.name not in (("uint8", "uint16") if dataset.channels == 1 else ("uint8",)):
        raise DataError(
            f"images of {dataset.images.dtype.name} in {dataset.channels} channels fit in no PNG; write an .npz instead"
        )
    try:
        with replacing_folder(out) as part:
            _write(dataset, part, colours)
    except OSError as error:
        raise DataError(
            f"{out}: cannot be written ({error.strerror or error}); name a new or an empty folder"
        ) from error


def _write(dataset: Dataset, folder: Path, colours: Sequence[str]) -> None:
    for name in (IMAGES, MASKS, *([TESTS] if dataset.test_images is not None else [])):
        (folder / name).mkdir()
    names = stems(len(dataset.images))
    for sample, name in enumerate(names):
        write_image(folder / IMAGES / f"{name}.png", dataset.image(sample))
        write_labels(folder / MASKS / f"{name}.png", own_part(dataset.masks, dataset.sizes, sample), colours)
    if dataset.test_images is not None:
        for place, name in enumerate(stems(len(dataset.test_images))):
            image = own_part(dataset.test_images, dataset.test_sizes, place)
            write_image(folder / TESTS / f"test{name}.png", image)
    (folder / NAME).write_text(_class_list(dataset, colours), "utf-8")
    if dataset.group is not None:
        with (folder / GROUPS).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("stem", "group"), *zip(names, dataset.group.tolist(), strict=True)])


def stems(count: int) -> list[str]:
    """Names for so many images, in their order: 00000, 00001, ..."""
    return [f"{number:05d}" for number in range(count)]


def _class_list(dataset: Dataset, colours: Sequence[str]) -> str:
    """The classes as YAML; a text in JSON's quotes is one in YAML's."""
    lines = ["classes:"]
    for label, (name, colour) in enumerate(zip(dataset.class_names, colours, strict=True)):
        lines.append(f'  - {{name: {_quoted(name)}, value: {label}, colour: "{colour}"}}')
    if dataset.ignore_label is not None:
        lines.append(f"void: {dataset.ignore_label}")
    if dataset.excluded:
        lines.append(f"excluded_from_mean: [{', '.join(map(_quoted, dataset.excluded))}]")
    said = dataset.card.said()
    lines += [f"{key}: {_quoted(said[key])}" for key in ("licence", "source") if key in said]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
