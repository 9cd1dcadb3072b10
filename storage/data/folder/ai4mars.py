"""The public AI4Mars release as a source: images of the rover Curiosity (MSL) with labels drawn by many people.

msl/images/edr/NLA_397681455EDR_F0020000AUT_04096M1.JPG      the images
msl/labels/train/NLA_397681455EDR_F0020000AUT_04096M1.png    0 soil, 1 bedrock, 2 sand, 3 big rock, 255 none
msl/labels/test/masked-gold-min3-100agree/..._merged.png     labels by experts, of other images
msl/images/mxy/NLA_397681455MXY_F0020000AUT_04096M1.png      not 0 where the rover itself is seen
msl/images/rng-30m/NLA_397681455RNG_F0020000AUT_04096M1.png  not 0 beyond 30 metres
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from storage.data.folder.classes_file import ClassList, read_class_list
from storage.data.folder.files import Files, image_files
from storage.data.folder.sources import Pair, Source
from storage.data.labels import IGNORED
from storage.errors import DataError

CLASSES = ClassList(
    names=("soil", "bedrock", "sand", "big rock"),
    values=(0, 1, 2, 3),
    void=(IGNORED,),
    source="AI4Mars, merged release 0.1, MSL (Swan et al. 2021)",
)
_PLACE = re.compile(r"(?:_|^)F(\d{7})")  # site and drive of the rover where an image was taken
_MASKED = {"mxy": "MXY", "rng-30m": "RNG"}


def ai4mars_root(path: Path) -> Path | None:
    """The folder with ``images/edr`` and ``labels/train``: this one or its ``msl``; None where neither has them."""
    for root in (path, path / "msl"):
        if (root / "images" / "edr").is_dir() and (root / "labels" / "train").is_dir():
            return root
    return None


def ai4mars_source(root: Path) -> Source:
    """The labelled images, and as test images those that experts have labelled.

    Pixels of the rover and beyond 30 metres are void, as they are in the labels of the experts. Images of one place
    are a group. Raises DataError where a label has no image.
    """
    images = image_files(root / "images" / "edr", root)
    masks = image_files(root / "labels" / "train", root)
    if not masks.paths:
        raise DataError("labels/train holds no labels; unpack the whole archive")
    if lacking := next((stem for stem in masks.paths if stem not in images.paths), ""):
        raise DataError(f"labels/train/{lacking}.png has no image in images/edr; unpack the whole archive")
    covers = {name: image_files(root / "images" / name, root).paths for name in _present(root)}
    void = {stem: _covers(stem, covers) for stem in masks.paths}
    places = [match[1] if (match := _PLACE.search(stem)) else "" for stem in masks.paths]
    return Source(
        root=root,
        pairs=tuple(Pair(image=images.paths[stem], mask=path, void=void[stem]) for stem, path in masks.paths.items()),
        tests=tuple(_tests(root, images, masks)),
        group=tuple(places) if all(places) else (),
        classes=read_class_list(root) or CLASSES,
        notes=tuple(_notes(masks, void, grouped=all(places))),
    )


def _present(root: Path) -> list[str]:
    return [name for name in _MASKED if (root / "images" / name).is_dir()]


def _covers(stem: str, covers: Mapping[str, Mapping[str, Path]]) -> tuple[Path, ...]:
    """The masks of the rover and of what is far away that belong to an image."""
    named = ((paths, stem.replace("EDR", _MASKED[name], 1)) for name, paths in covers.items())
    return tuple(paths[other] for paths, other in named if other in paths)


def _tests(root: Path, images: Files, masks: Files) -> Iterator[Path]:
    """The images that experts have labelled, by the file names of any of their agreements."""
    gold = root / "labels" / "test"
    folders = sorted(path for path in gold.iterdir() if path.is_dir()) if gold.is_dir() else []
    stems = {stem.removesuffix("_merged") for folder in folders for stem in image_files(folder, root).paths}
    yield from (images.paths[stem] for stem in sorted(stems) if stem in images.paths and stem not in masks.paths)


def _notes(masks: Files, void: Mapping[str, tuple[Path, ...]], *, grouped: bool) -> Iterator[str]:
    covered = sum(map(bool, void.values()))
    yield (
        f"the AI4Mars release: in {covered:,} of {len(masks.paths):,} labelled images pixels of the rover and beyond"
        " 30 metres are void, too; images that only experts have labelled are test images"
    )
    if grouped:
        yield "images of one place of the rover (site and drive in the file names) are a group"
    else:
        yield "not all file names tell where an image was taken: there are no groups"
