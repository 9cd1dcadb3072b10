"""A data set as a CSV of paths: ``image,mask`` and perhaps ``group``; relative paths count from the CSV's folder."""

from __future__ import annotations

from pathlib import Path

from storage.data.folder.classes_file import read_class_list
from storage.data.folder.sources import Pair, Source
from storage.data.folder.tables import read_table
from storage.errors import DataError


def csv_source(path: Path) -> Source:
    """The images of a CSV; those without a mask wait for labels. Raises DataError for a row that names no file."""
    rows = read_table(path, ("image", "mask"), path.name)
    root, seen = path.parent, set[Path]()
    pairs: list[Pair] = []
    tests: list[Path] = []
    groups: list[str] = []
    for place, row in enumerate(rows, start=1):
        image = _file(root, row["image"], f"{path.name}, row {place}, image")
        if image in seen:
            raise DataError(f"{path.name}, row {place}: {row['image']} is named twice; keep one row for each image")
        seen.add(image)
        if not row["mask"]:
            tests.append(image)
            continue
        pairs.append(Pair(image=image, mask=_file(root, row["mask"], f"{path.name}, row {place}, mask")))
        groups.append(row.get("group", ""))
    if not pairs:
        raise DataError(f"{path.name} has no row with an image and a mask; expected one row for each labelled image")
    if any(groups) and not all(groups):
        raise DataError(
            f"{path.name} has no group for {pairs[groups.index('')].image.name}; name one in each row, or in none"
        )
    notes = [f"images without a mask are test images: {len(tests):,}"] if tests else []
    classes = read_class_list(root)
    if classes is not None:
        notes.append(f"the classes are those of classes.yaml beside {path.name}")
    return Source(
        root=root,
        pairs=tuple(pairs),
        tests=tuple(tests),
        group=tuple(groups) if any(groups) else (),
        classes=classes,
        notes=tuple(notes),
    )


def _file(root: Path, text: str, place: str) -> Path:
    if not text or not text.isprintable():
        raise DataError(f"{place}: {text[:40]!a} is no path; expected a file, seen from the CSV's folder")
    path = root / text
    if not path.is_file():
        raise DataError(f"{place}: there is no file {text}; correct the path, which counts from the CSV's folder")
    return path
