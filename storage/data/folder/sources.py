"""Where images, masks and groups lie: in a folder of ours, in the AI4Mars release, or where a CSV says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.data.folder.classes_file import ClassList, read_class_list
from storage.data.folder.files import Files, folder_names, image_files, is_folder, left_out_note, listed, shown
from storage.data.folder.tables import read_table
from storage.errors import DataError

IMAGES, MASKS, TESTS, GROUPS = "images", "masks", "test", "groups.csv"
_OTHER_NAMES = {
    IMAGES: ("image", "img", "imgs", "jpegimages", "pictures", "photos"),
    MASKS: ("mask", "labels", "label", "annotations", "segmentationclass", "gt"),
}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One labelled image. void: masks whose pixels other than 0 are void, too."""

    image: Path
    mask: Path
    void: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set before it is read.

    root: from which messages count. group: of each pair, or none. classes: None where nothing is said of them.
    notes: sentences on what was left out or assumed.
    """

    root: Path
    pairs: tuple[Pair, ...]
    tests: tuple[Path, ...] = ()
    group: tuple[str, ...] = ()
    classes: ClassList | None = None
    notes: tuple[str, ...] = ()


def folder_source(root: Path) -> Source:
    """A folder with ``images/`` and ``masks/``, perhaps ``test/``, ``classes.yaml`` and ``groups.csv``.

    Raises DataError where a part is missing, or an image has no mask of its stem.
    """
    names = folder_names(root)
    for name in (IMAGES, MASKS):
        if name not in names:
            raise DataError(_missing(root, name, names))
    images, masks = (image_files(root / name, root) for name in (IMAGES, MASKS))
    _check_stems(images, masks, root)
    tests = image_files(_tests_folder(root), root) if TESTS in names else Files(paths={})
    notes = [left_out_note(files, name) for files, name in ((images, IMAGES), (masks, MASKS), (tests, TESTS))]
    return Source(
        root=root,
        pairs=tuple(Pair(image=path, mask=masks.paths[stem]) for stem, path in images.paths.items()),
        tests=tuple(tests.paths.values()),
        group=_groups(root, images.paths, tests.paths),
        classes=read_class_list(root),
        notes=tuple(filter(None, notes)),
    )


def unlabelled_images(path: Path) -> tuple[Files, Path, str]:
    """The images that wait for labels in a folder, or the one image: its ``test/``, else ``images/``, else itself.

    With the folder from which messages count, and the name of the part that was taken, "" for the folder itself.
    Raises DataError where there is none.
    """
    if not is_folder(path):
        return Files(paths={path.stem: path}), path.parent, ""
    for part in (_tests_folder(path), path / IMAGES, path):
        if part.is_dir() and (files := image_files(part, path)).paths:
            return files, path, "" if part == path else shown(part, path)
    raise DataError("holds no PNG, JPEG or TIFF, neither directly nor in test/ or images/; put the images there")


def _tests_folder(root: Path) -> Path:
    inner = root / TESTS / IMAGES
    return inner if inner.is_dir() else root / TESTS


def _missing(root: Path, name: str, names: list[str]) -> str:
    """What to do about a folder that is not there."""
    there = f"there are {listed([f'{other}/' for other in names])}" if names else "there are no folders in it"
    meant = [other for other in names if other.lower() in _OTHER_NAMES[name]]
    if meant:
        return f"has no folder {name}/, but {meant[0]}/; rename it"
    if name == MASKS and IMAGES in names:
        return (
            "has images/ but no masks/; put a mask of each image there, a PNG of the same stem (images/a.jpg,"
            " masks/a.png); images without masks are for marsearch predict"
        )
    return f"has no folder {name}/, {there}; expected images/ and masks/ with files of equal stems"


def _check_stems(images: Files, masks: Files, root: Path) -> None:
    """Raise DataError unless there are images, and each has its mask and each mask its image."""
    if not images.paths:
        raise DataError(f"images/ holds no PNG, JPEG or TIFF directly{_but(images)}; put the images there")
    for having, lacking, what, other in ((images, masks, "mask", MASKS), (masks, images, "image", IMAGES)):
        without = [stem for stem in having.paths if stem not in lacking.paths]
        if not without:
            continue
        path = shown(having.paths[without[0]], root)
        counted = f" and {len(without) - 1:,} others" if len(without) > 1 else ""
        close = next((p for stem, p in lacking.paths.items() if stem.startswith(without[0])), None)
        near = f" ({shown(close, root)} has another stem, rename it)" if close else ""
        mend = "or move it to test/" if what == "mask" else "or remove it"
        raise DataError(
            f"{path}{counted} has no {what} of the stem {without[0]} in {other}/{near}; give it one, {mend}"
        )


def _but(files: Files) -> str:
    return f", but {listed(files.others)}" if files.others else ""


def _groups(root: Path, images: Mapping[str, Path], tests: Mapping[str, Path]) -> tuple[str, ...]:
    """The group of each image, of groups.csv."""
    path = root / GROUPS
    if not path.exists():
        return ()
    rows = read_table(path, ("stem", "group"), GROUPS, inside=root)
    found: dict[str, str] = {}
    for row in rows:
        if row["stem"] in found:
            raise DataError(f"{GROUPS} names the stem {row['stem']} twice; keep one row for each image")
        if row["stem"] not in images and row["stem"] not in tests:
            raise DataError(
                f"{GROUPS} names the stem {row['stem']}, which no image has; correct it (without .png or .jpg)"
            )
        found[row["stem"]] = row["group"]
    if lacking := [stem for stem in images if not found.get(stem)]:
        raise DataError(f"{GROUPS} has no group for {listed(lacking)}; name one for each image, or remove the file")
    return tuple(found[stem] for stem in images)
