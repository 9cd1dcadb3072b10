"""A labelled data set in memory, as read from a file and checked once; everything later may trust it.

Legend: N samples, M test images, H x W pixels, K classes; label k is ``class_names[k]``. Of images of several sizes
H and W are the largest, and each stands at the top left of that canvas (`storage.data.canvas`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.canvas import (
    Sizes,
    checked_sizes,
    own_part,
    trimmed,
    with_label_outside,
    with_means_outside,
)
from storage.data.card import EMPTY, DataCard, checked_card
from storage.data.casts import as_images, as_labels, of_one_type
from storage.data.class_names import canonical_names, check_names, check_writable
from storage.data.folder.reader import is_source, read_contents
from storage.data.image_checks import check_images, check_tests
from storage.data.labels import IGNORED, checked_ignore_label, checked_labels
from storage.data.layouts import (
    KEYS,
    Checked,
    class_names_of,
    from_arrays,
    no_data_of,
    sizes_key,
    to_arrays,
    unlabelled,
)
from storage.data.missing import filled, without_labels
from storage.data.npz import array_names, read_arrays, write_arrays
from storage.errors import DataError


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A labelled data set; make one with `build_dataset`, `read_dataset` or `storage.data.synthetic.synthesise`.

    images: (N,H,W) grey or (N,H,W,3) colour, uint8, uint16 or float32 in the data's own scale, all finite.
    masks: (N,H,W) uint8, each label under K or equal to ignore_label.
    class_names: K different names in label order, K from 2 to 255; at most 200 printable characters each.
    excluded: the names of the classes left out of the mean IoU, fewer than K.
    ignore_label: the label of pixels that never count, K to 255, or None.
    group: (N,) strings, samples of one group never straddle a split; or None.
    test_images: (M,H',W') or (M,H',W',3), M >= 1, of the images' dtype, of any size; or None.
    sizes, test_sizes: (N,2) and (M,2) int32, height and width of each image, 8 pixels or more; None where all are
        equal. Outside an image stand its mean and, in masks, the ignore_label, which is set then.
    digest: 64 hex digits, the sha256 of the contents, whatever the layout or compression of the file.
    card: colours of classes, licence and source, as far as they are known.
    notes: what was assumed or left out when it was read from single files, in sentences; no part of the contents.
    """

    images: NDArray[Any]
    masks: NDArray[np.uint8]
    class_names: tuple[str, ...]
    excluded: tuple[str, ...]
    ignore_label: int | None
    group: NDArray[np.str_] | None
    test_images: NDArray[Any] | None
    digest: str
    sizes: Sizes | None = None
    test_sizes: Sizes | None = None
    card: DataCard = EMPTY
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (colour)."""
        return 1 if self.images.ndim == 3 else int(self.images.shape[3])

    @property
    def height(self) -> int:
        """H, in pixels, of the highest image."""
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        """W, in pixels, of the widest image."""
        return int(self.images.shape[2])

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def excluded_labels(self) -> tuple[int, ...]:
        """The labels of the excluded classes, in label order."""
        return tuple(k for k, name in enumerate(self.class_names) if name in self.excluded)

    def size(self, sample: int) -> tuple[int, int]:
        """Height and width of that image."""
        height, width = (self.height, self.width) if self.sizes is None else self.sizes[sample].tolist()
        return height, width

    def image(self, sample: int) -> NDArray[Any]:
        """That image in its own size, (h,w) or (h,w,3)."""
        return own_part(self.images, self.sizes, sample)


def read_dataset(path: Path, class_names: Sequence[str] = (), *, shrink: int = 1) -> Dataset:
    """Read and check a data file of either layout (`storage.data.layouts`), a folder of images, or a CSV of paths.

    class_names: of data that have none. shrink: by which each side of single images is divided. Raises DataError, one
    sentence that names the file, for anything that cannot be trained on.
    """
    if is_source(path):
        return _from_single_files(path, class_names, shrink)
    arrays = read_arrays(path, KEYS)
    if class_names:
        arrays = {"class_names": np.array(class_names, dtype=np.str_)} | arrays
    try:
        return build_dataset(**from_arrays(arrays, found=array_names(path)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _from_single_files(path: Path, class_names: Sequence[str], shrink: int) -> Dataset:
    try:
        contents, notes = read_contents(path, class_names, shrink)
        return replace(build_dataset(**contents), notes=notes)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def read_images(path: Path) -> tuple[NDArray[Any], Sizes | None]:
    """The images of a file that wait for labels: a data set's test images, or all images of a file without masks.

    In a file without masks they may have any name, if no other array is there. (M,H,W) or (M,H,W,3), M >= 1, and their
    sizes, (M,2), None where all are equal.
    Raises DataError as `read_dataset`.
    """
    names = array_names(path)
    name = unlabelled(names)
    arrays = read_arrays(path, (name, "no_data", sizes_key(name))) if name else {}
    images = arrays.get(name) if name else None
    try:
        if images is None or not len(images):
            raise DataError(
                "has no test images (test_images, test_set), nothing to predict; store images without masks in a file"
                " of their own, np.savez('new.npz', images=images), labelled ones are for marsearch evaluate"
            )
        key = sizes_key(str(name))
        images, sizes = _laid_out(as_images(images, f"'{name}'"), arrays.get(key), f"'{key}'")
        images = _completed(images, sizes, no_data_of(arrays))
        check_images(images, f"'{name}'")
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return _canonical(images), sizes


def read_class_names(path: Path) -> tuple[str, ...]:
    """The names of the classes in a file, none where it has none. Raises DataError as `read_dataset`."""
    try:
        names = canonical_names(class_names_of(read_arrays(path, ("class_names",))))
        check_writable(names)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return names


def write_dataset(dataset: Dataset, path: Path) -> None:
    """Write a data set in the general layout, whole or not at all; it reads back to the same digest.

    Raises DataError when the file cannot be written.
    """
    write_arrays(path, to_arrays(_contents(dataset)))


def build_dataset(
    *,
    images: NDArray[Any],
    masks: NDArray[Any],
    class_names: tuple[str, ...],
    excluded: tuple[str, ...] = (),
    ignore_label: int | None = None,
    group: NDArray[Any] | None = None,
    test_images: NDArray[Any] | None = None,
    no_data: float | None = None,
    sizes: NDArray[Any] | None = None,
    test_sizes: NDArray[Any] | None = None,
    card: DataCard = EMPTY,
) -> Dataset:
    """Check the contents against each other, bring them to canonical types and take their digest.

    Images and masks of any type are accepted from which nothing is lost, groups of strings or whole numbers.
    no_data: the value of pixels that hold no measurement: they become the mean of their image, and are not labelled.
    sizes, test_sizes: height and width of each image, (N,2) and (M,2), where they stand on a canvas (`on_canvas`).
    card: what is said of the data. Raises DataError.
    """
    class_names, excluded = canonical_names(class_names), canonical_names(excluded)
    check_names(class_names)
    _check_excluded(class_names, excluded)
    label = None if ignore_label is None else checked_ignore_label(ignore_label, len(class_names))
    images, masks = as_images(images, "images"), as_labels(masks)
    if test_images is not None:
        images, test_images = of_one_type(images, as_images(test_images, "test_images"))
    whole = images.shape[:3]
    images, own = _laid_out(images, sizes, "sizes")
    if own is not None or whole != images.shape[:3]:
        masks = masks[:, : images.shape[1], : images.shape[2]] if masks.shape == whole else masks
    if no_data is not None:
        label = IGNORED if label is None else label
        ignore_label = label if ignore_label is None else ignore_label
        masks = without_labels(images, masks, no_data, ignore_label)
    images = _completed(images, own, no_data)
    check_images(images, "images")
    own_tests = None
    if test_images is not None:
        test_images, own_tests = _laid_out(test_images, test_sizes, "test_sizes")
        test_images = _completed(test_images, own_tests, no_data)
        check_tests(test_images, images)
    label = IGNORED if label is None and own is not None else label
    contents = Checked(
        images=_canonical(images),
        masks=_labels(masks, images, own, len(class_names), ignore_label, label),
        class_names=class_names,
        excluded=excluded,
        ignore_label=label,
        group=None if group is None else _checked_group(group, len(images)),
        test_images=None if test_images is None or len(test_images) == 0 else _canonical(test_images),
        sizes=own,
        test_sizes=own_tests,
        card=checked_card(card, class_names),
    )
    return Dataset(**contents, digest=_digest(contents))


def select_samples(dataset: Dataset, samples: NDArray[np.int64] | NDArray[np.bool_]) -> Dataset:
    """The data set with these of its samples only, by their indices or as a mask; test images stay as they are."""
    group = None if dataset.group is None else dataset.group[samples]
    kept = _contents(dataset) | {"images": dataset.images[samples], "masks": dataset.masks[samples], "group": group}
    kept["sizes"] = None if dataset.sizes is None else dataset.sizes[samples]
    return build_dataset(**kept)


def class_shares(masks: NDArray[np.uint8], classes: int, ignore_label: int | None) -> tuple[float, ...]:
    """The share of each class among the pixels that count, K numbers that sum to 1 (to 0 if no pixel counts)."""
    counts = np.array([np.count_nonzero(masks == label) for label in range(classes)], dtype=np.float64)
    if ignore_label is not None and ignore_label < classes:
        counts[ignore_label] = 0
    shares = counts / max(counts.sum(), 1.0)
    return tuple(float(share) for share in shares)


def _contents(dataset: Dataset) -> Checked:
    return Checked(
        images=dataset.images,
        masks=dataset.masks,
        class_names=dataset.class_names,
        excluded=dataset.excluded,
        ignore_label=dataset.ignore_label,
        group=dataset.group,
        test_images=dataset.test_images,
        sizes=dataset.sizes,
        test_sizes=dataset.test_sizes,
        card=dataset.card,
    )


def _digest(contents: Checked) -> str:
    """The sha256 over a JSON line of the plain facts, then each array's little-endian bytes in C order."""
    arrays = [contents["images"], contents["masks"], contents["test_images"]]
    facts = {
        "class_names": contents["class_names"],
        "excluded": contents["excluded"],
        "ignore_label": contents["ignore_label"],
        "group": None if contents["group"] is None else contents["group"].tolist(),
        "arrays": [None if array is None else [array.dtype.name, array.shape] for array in arrays],
    } | {name: sizes.tolist() for name in ("sizes", "test_sizes") if (sizes := contents[name]) is not None}
    if said := contents["card"].said():
        facts["card"] = said
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _laid_out(images: NDArray[Any], sizes: NDArray[Any] | None, name: str) -> tuple[NDArray[Any], Sizes | None]:
    """The images on a canvas that is no larger than they need, and their sizes where they differ."""
    if sizes is None or len(images) == 0:
        return images, None
    return trimmed(images, checked_sizes(sizes, images, name))


def _completed(images: NDArray[Any], sizes: Sizes | None, no_data: float | None) -> NDArray[Any]:
    """The images with a mean in each pixel that holds no measurement or lies outside its image."""
    images = images if no_data is None else filled(images, no_data, sizes)
    return images if sizes is None else with_means_outside(images, sizes)


def _labels(
    masks: NDArray[Any],
    images: NDArray[Any],
    sizes: Sizes | None,
    classes: int,
    ignore_label: int | None,
    label: int | None,
) -> NDArray[np.uint8]:
    """The masks checked against the images; outside them stands label, which nobody may have meant before."""
    shape = images.shape[:3]
    if sizes is None or label is None or masks.shape != shape:
        return checked_labels(masks, shape, classes, ignore_label)
    own = with_label_outside(masks, sizes, 0 if ignore_label is None else ignore_label)
    return np.ascontiguousarray(with_label_outside(checked_labels(own, shape, classes, ignore_label), sizes, label))


def _canonical(images: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(images, dtype=images.dtype.newbyteorder("="))


def _check_excluded(class_names: tuple[str, ...], excluded: tuple[str, ...]) -> None:
    if unknown := sorted(set(excluded) - set(class_names)):
        raise DataError(
            f"excludes the classes {unknown} from the mean; expected some of {list(class_names)}: correct"
            " excluded_from_mean or leave it out"
        )
    if len(set(excluded)) == len(class_names):
        raise DataError("excludes every class from the mean; leave at least one in")


def _checked_group(group: NDArray[Any], samples: int) -> NDArray[np.str_]:
    if group.shape != (samples,):
        mend = "group.ravel()" if group.size == samples else "say where each image comes from, or leave group out"
        raise DataError(f"group has shape {group.shape}; expected ({samples},), one name per sample: {mend}")
    if group.dtype.kind not in "Uiu":
        raise DataError(f"group has dtype {group.dtype}; expected strings or whole numbers, such as group.astype(str)")
    # through the shortest type that holds the names, so that equal names give an equal array
    return np.array([str(name) for name in group.tolist()], dtype=np.str_)
