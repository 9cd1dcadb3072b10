"""A labelled data set in memory, as read from a file and checked once; everything later may trust it.

Legend: N samples, M test images, H x W pixels, K classes; label k is ``class_names[k]``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from storage.data.casts import as_images, as_labels, of_one_type
from storage.data.class_names import canonical_names, check_names, check_writable
from storage.data.labels import checked_ignore_label, checked_labels
from storage.data.layouts import KEYS, Checked, class_names_of, from_arrays, no_data_of, to_arrays, unlabelled
from storage.data.missing import filled, without_labels
from storage.data.npz import array_names, read_arrays, write_arrays
from storage.errors import DataError

SMALLEST = 8  # pixels a side: less leaves nothing after the two halvings of the shallowest network


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """A labelled data set; make one with `build_dataset`, `read_dataset` or `storage.data.synthetic.synthesise`.

    images: (N,H,W) grey or (N,H,W,3) colour, uint8, uint16 or float32 in the data's own scale, all finite.
    masks: (N,H,W) uint8, each label under K or equal to ignore_label.
    class_names: K different names in label order, K from 2 to 255; at most 200 printable characters each.
    excluded: the names of the classes left out of the mean IoU, fewer than K.
    ignore_label: the label of pixels that never count, K to 255, or None.
    group: (N,) strings, samples of one group never straddle a split; or None.
    test_images: (M,H,W) or (M,H,W,3), M >= 1, of the images' size and dtype; or None.
    digest: 64 hex digits, the sha256 of the contents, whatever the layout or compression of the file.
    """

    images: NDArray[Any]
    masks: NDArray[np.uint8]
    class_names: tuple[str, ...]
    excluded: tuple[str, ...]
    ignore_label: int | None
    group: NDArray[np.str_] | None
    test_images: NDArray[Any] | None
    digest: str

    @property
    def channels(self) -> int:
        """1 (grey) or 3 (colour)."""
        return 1 if self.images.ndim == 3 else int(self.images.shape[3])

    @property
    def height(self) -> int:
        """H, in pixels."""
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        """W, in pixels."""
        return int(self.images.shape[2])

    @property
    def classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def excluded_labels(self) -> tuple[int, ...]:
        """The labels of the excluded classes, in label order."""
        return tuple(k for k, name in enumerate(self.class_names) if name in self.excluded)


def read_dataset(path: Path, class_names: Sequence[str] = ()) -> Dataset:
    """Read and check a data file of either layout (`storage.data.layouts`).

    class_names: of a file that has none. Raises DataError, one sentence that names the file, for anything that cannot
    be trained on.
    """
    arrays = read_arrays(path, KEYS)
    if class_names:
        arrays = {"class_names": np.array(class_names, dtype=np.str_)} | arrays
    try:
        return build_dataset(**from_arrays(arrays, found=array_names(path)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def read_images(path: Path) -> NDArray[Any]:
    """The images of a file that wait for labels: a data set's test images, or all images of a file without masks.

    In a file without masks they may have any name, if no other array is there. (M,H,W) or (M,H,W,3), M >= 1.
    Raises DataError as `read_dataset`.
    """
    names = array_names(path)
    name = unlabelled(names)
    arrays = read_arrays(path, (name, "no_data")) if name else {}
    images = arrays.get(name) if name else None
    try:
        if images is None or not len(images):
            raise DataError(
                "has no test images (test_images, test_set), nothing to predict; store images without masks in a file"
                " of their own, np.savez('new.npz', images=images), labelled ones are for marsearch evaluate"
            )
        images, no_data = as_images(images, f"'{name}'"), no_data_of(arrays)
        images = images if no_data is None else filled(images, no_data)
        _check_images(images, f"'{name}'")
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    return _canonical(images)


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
) -> Dataset:
    """Check the contents against each other, bring them to canonical types and take their digest.

    Images and masks of any type are accepted from which nothing is lost, groups of strings or whole numbers.
    no_data: the value of pixels that hold no measurement: they become the mean of their image, and are not labelled.
    Raises DataError.
    """
    class_names, excluded = canonical_names(class_names), canonical_names(excluded)
    check_names(class_names)
    _check_excluded(class_names, excluded)
    label = None if ignore_label is None else checked_ignore_label(ignore_label, len(class_names))
    images, masks = as_images(images, "images"), as_labels(masks)
    if test_images is not None:
        images, test_images = of_one_type(images, as_images(test_images, "test_images"))
    if no_data is not None:
        label = 255 if label is None else label
        ignore_label = label if ignore_label is None else ignore_label
        masks = without_labels(images, masks, no_data, ignore_label)
        images = filled(images, no_data)
        test_images = None if test_images is None else filled(test_images, no_data)
    _check_images(images, "images")
    if test_images is not None:
        _check_tests(test_images, images)
    contents = Checked(
        images=_canonical(images),
        masks=checked_labels(masks, images.shape[:3], len(class_names), ignore_label),
        class_names=class_names,
        excluded=excluded,
        ignore_label=label,
        group=None if group is None else _checked_group(group, len(images)),
        test_images=None if test_images is None or len(test_images) == 0 else _canonical(test_images),
    )
    return Dataset(**contents, digest=_digest(contents))


def select_samples(dataset: Dataset, samples: NDArray[np.int64] | NDArray[np.bool_]) -> Dataset:
    """The data set with these of its samples only, by their indices or as a mask; test images stay as they are."""
    group = None if dataset.group is None else dataset.group[samples]
    kept = _contents(dataset) | {"images": dataset.images[samples], "masks": dataset.masks[samples], "group": group}
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
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for array in arrays:
        if array is not None:
            digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


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


def _check_images(images: NDArray[Any], name: str) -> None:
    if len(images) == 0 and name == "images":
        raise DataError("holds no samples; give at least one image with its mask")
    if min(images.shape[1:3]) < SMALLEST:
        size = f"{images.shape[1]}x{images.shape[2]}"
        raise DataError(f"{name} are {size} pixels; expected at least 8x8: {_mend_of_size(images, name)}")
    if images.dtype.kind == "f" and (broken := _not_finite(images)):
        mend = f"np.nan_to_num({name}) replaces them, no_data=np.nan says that they hold no measurement"
        raise DataError(f"{name} hold NaN or infinity (first in number {broken[0]}); {mend}")


def _mend_of_size(images: NDArray[Any], name: str) -> str:
    """What to do about images that are too small."""
    if not min(images.shape[1:3]):
        return "they hold no pixels, leave them out"
    more = [max(0, SMALLEST - side) for side in images.shape[1:3]]
    mend = f"np.pad(images, {((0, 0), (0, more[0]), (0, more[1]), (0, 0))[: images.ndim]}, 'edge') makes them larger"
    return f"{mend}, and the masks likewise" if name == "images" else mend.replace("images", name.strip("'"), 1)


def _not_finite(images: NDArray[Any]) -> list[int]:
    """The first image that is not finite, found one by one so that no large temporary is made."""
    return next(([index] for index, image in enumerate(images) if not np.isfinite(image).all()), [])


def _check_tests(test_images: NDArray[Any], images: NDArray[Any]) -> None:
    _check_images(test_images, "test images")
    if test_images.shape[1:] != images.shape[1:]:
        raise DataError(
            f"test images are {test_images.shape[1:]} each; expected {images.shape[1:]} like the images:"
            f" {_mend_of_tests(test_images, images)}"
        )


def _mend_of_tests(test_images: NDArray[Any], images: NDArray[Any]) -> str:
    """What to do about test images of another size or number of channels."""
    if test_images.shape[1:3] != images.shape[1:3]:
        return "leave them out, predict takes them from a file of their own, np.savez('new.npz', images=test_images)"
    if images.ndim == 4:
        return "np.repeat(test_images[..., None], 3, axis=-1) makes colour of grey"
    return f"test_images.mean(axis=-1).astype(np.{test_images.dtype.name}) makes grey of colour"


def _checked_group(group: NDArray[Any], samples: int) -> NDArray[np.str_]:
    if group.shape != (samples,):
        mend = "group.ravel()" if group.size == samples else "say where each image comes from, or leave group out"
        raise DataError(f"group has shape {group.shape}; expected ({samples},), one name per sample: {mend}")
    if group.dtype.kind not in "Uiu":
        raise DataError(f"group has dtype {group.dtype}; expected strings or whole numbers, such as group.astype(str)")
    # through the shortest type that holds the names, so that equal names give an equal array
    return np.array([str(name) for name in group.tolist()], dtype=np.str_)
