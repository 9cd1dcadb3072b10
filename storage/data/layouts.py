"""The two layouts of a data file, each turned into the same contents.

homework: ``training_set`` (N,2,H,W) uint8 = image, mask; ``test_set`` (M,H,W); the first class (or the one named
background) is left out of the mean.
general: ``images`` (N,H,W) or (N,H,W,3), ``masks`` (N,H,W), ``class_names`` (K,), ``test_images`` as images.
Both: ``group`` (N,), ``ignore_label``, ``excluded_from_mean`` (names or labels), and of images of several sizes, each
at the top left, ``sizes`` (N,2) and ``test_sizes`` (M,2); ``class_colours`` (K,), ``data_licence``, ``data_source``:
all optional. Other keys are let be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from storage.data.card import CARD_KEYS, DataCard, card_arrays, card_of
from storage.data.class_names import MOST_CLASSES, check_count
from storage.errors import DataError

HOMEWORK_CLASSES = ("background", "soil", "bedrock", "sand", "big rock")
HOMEWORK_KEYS = ("training_set", "test_set")
GENERAL_KEYS = ("images", "masks", "class_names", "test_images")
SIZE_KEYS: tuple[Literal["sizes"], Literal["test_sizes"]] = ("sizes", "test_sizes")
COMMON_KEYS = ("class_names", "group", "ignore_label", "excluded_from_mean", "no_data")
MOST_NAMED = 8  # arrays that a sentence lists
KEYS = frozenset((*HOMEWORK_KEYS, *GENERAL_KEYS, *SIZE_KEYS, *COMMON_KEYS, *CARD_KEYS))


class Checked(TypedDict):
    """What a data set consists of."""

    images: NDArray[Any]
    masks: NDArray[Any]
    class_names: tuple[str, ...]
    excluded: tuple[str, ...]
    ignore_label: int | None
    group: NDArray[Any] | None
    test_images: NDArray[Any] | None
    sizes: NDArray[Any] | None
    test_sizes: NDArray[Any] | None
    card: DataCard


class Contents(Checked):
    """What a file says, not yet validated against itself (`storage.data.dataset.build_dataset` does that)."""

    no_data: float | None


def from_arrays(arrays: Mapping[str, NDArray[Any]], found: Sequence[str] = ()) -> Contents:
    """The contents of whichever layout the keys belong to; DataError when they belong to none, or to both.

    found: the names of all arrays of the file, for the message.
    """
    if "training_set" in arrays and "images" in arrays:
        raise DataError("holds both 'images' and 'training_set'; keep one of them")
    if "training_set" in arrays:
        return _from_homework(arrays)
    missing = [key for key in ("images", "masks", "class_names") if key not in arrays]
    if missing:
        raise DataError(
            f"has no {_listed(missing)}, but {_listed(found or sorted(arrays)) or 'no array'}; expected 'images',"
            " 'masks' and 'class_names', such as np.savez_compressed('train.npz', images=images, masks=masks,"
            " class_names=['ground', 'rock']), or 'training_set' (N, 2, H, W) with image and mask stacked"
        )
    return _from_general(arrays)


def unlabelled(names: Sequence[str]) -> str | None:
    """Which array of a file with these names holds images that wait for labels; None when none does."""
    for name in ("test_images", "test_set"):
        if name in names:
            return name
    if "masks" in names or "training_set" in names:
        return None
    others = [name for name in names if name not in SIZE_KEYS]
    return "images" if "images" in names else others[0] if len(others) == 1 else None


def sizes_key(name: str | None) -> str:
    """The name of the array with the sizes of the images in the array of that name."""
    return "test_sizes" if name in ("test_images", "test_set") else "sizes"


def to_arrays(contents: Checked) -> dict[str, NDArray[Any]]:
    """The general layout of the contents, the only one that we write."""
    arrays: dict[str, NDArray[Any]] = {
        "images": contents["images"],
        "masks": contents["masks"],
        "class_names": np.array(contents["class_names"], dtype=np.str_),
        "excluded_from_mean": np.array(contents["excluded"], dtype=np.str_),
    }
    if contents["ignore_label"] is not None:
        arrays["ignore_label"] = np.array(contents["ignore_label"], dtype=np.int64)
    if contents["group"] is not None:
        arrays["group"] = contents["group"]
    if contents["test_images"] is not None:
        arrays["test_images"] = contents["test_images"]
    arrays |= card_arrays(contents["card"])
    return arrays | {name: sizes for name in SIZE_KEYS if (sizes := contents[name]) is not None}


def _from_homework(arrays: Mapping[str, NDArray[Any]]) -> Contents:
    pairs = arrays["training_set"]
    if pairs.ndim != 4 or pairs.shape[1] != 2:
        mend = "np.stack([images, masks], axis=1) stacks them"
        if pairs.ndim == 4 and pairs.shape[1] > 2:
            mend = "training_set[:, [0, -1]] takes the first for the image and the last for the mask"
        raise DataError(f"'training_set' has shape {pairs.shape}; expected (N, 2, H, W) = image and mask: {mend}")
    names = class_names_of(arrays) if "class_names" in arrays else HOMEWORK_CLASSES
    background = ("background",) if "background" in names else names[:1]
    return Contents(
        images=pairs[:, 0],
        masks=pairs[:, 1],
        class_names=names,
        excluded=_excluded(arrays, names, default=background),
        ignore_label=_ignore_label(arrays),
        group=arrays.get("group"),
        test_images=arrays.get("test_set"),
        sizes=arrays.get("sizes"),
        test_sizes=arrays.get("test_sizes"),
        no_data=no_data_of(arrays),
        card=card_of(arrays),
    )


def _from_general(arrays: Mapping[str, NDArray[Any]]) -> Contents:
    names = class_names_of(arrays)
    return Contents(
        images=arrays["images"],
        masks=arrays["masks"],
        class_names=names,
        excluded=_excluded(arrays, names, default=()),
        ignore_label=_ignore_label(arrays),
        group=arrays.get("group"),
        test_images=arrays.get("test_images"),
        sizes=arrays.get("sizes"),
        test_sizes=arrays.get("test_sizes"),
        no_data=no_data_of(arrays),
        card=card_of(arrays),
    )


def class_names_of(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """The names of the classes in label order, none where the file has none. Raises DataError."""
    if "class_names" not in arrays:
        return ()
    array = arrays["class_names"]
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    if array.ndim != 1 or array.dtype.kind != "U":
        raise DataError(
            f"'class_names' has shape {array.shape} and dtype {array.dtype}; expected one row of strings in label"
            f" order, such as {_mend_of_names(array)}"
        )
    if len(array) > MOST_CLASSES:  # before a tuple is made of them: deflate packs a million into a kilobyte
        check_count(len(array))
    return tuple(str(name) for name in array)


def _mend_of_names(array: NDArray[Any]) -> str:
    """What to do about names of another type or shape."""
    if array.ndim == 0:
        return "class_names=['ground', 'rock']"
    return "np.array(class_names).astype(str)" if array.ndim == 1 else "np.ravel(class_names).astype(str)"


def _excluded(arrays: Mapping[str, NDArray[Any]], names: Sequence[str], default: tuple[str, ...]) -> tuple[str, ...]:
    if "excluded_from_mean" not in arrays:
        return default
    array = np.atleast_1d(arrays["excluded_from_mean"])
    if array.ndim != 1 or (array.size and array.dtype.kind not in "Uiu"):
        raise DataError(
            f"'excluded_from_mean' has dtype {array.dtype}; expected class names or labels, such as"
            f" excluded_from_mean={[*names[:1]]!a}"
        )
    if array.size > len(names):
        raise DataError(
            f"'excluded_from_mean' has {array.size} entries, but there are {len(names)} classes; name each once"
        )
    if array.dtype.kind == "U" or not array.size:
        return tuple(str(name) for name in array)
    wrong = [int(label) for label in array if not 0 <= label < len(names)]
    if wrong:
        raise DataError(
            f"'excluded_from_mean' holds the labels {wrong}; expected 0 to {len(names) - 1}: correct it or leave it out"
        )
    return tuple(names[int(label)] for label in array)


def _ignore_label(arrays: Mapping[str, NDArray[Any]]) -> int | None:
    if "ignore_label" not in arrays:
        return None
    array = arrays["ignore_label"]
    if array.size != 1 or array.dtype.kind not in "iu":
        several = f"np.where(np.isin(masks, {array.ravel().tolist()}), 255, masks) with ignore_label=255"
        mend = several if 1 < array.size <= MOST_NAMED and array.dtype.kind in "iu" else "ignore_label=255"
        raise DataError(
            f"'ignore_label' has shape {array.shape} and dtype {array.dtype}; expected one whole number, such as {mend}"
        )
    return int(array.reshape(()))


def no_data_of(arrays: Mapping[str, NDArray[Any]]) -> float | None:
    """The value that means no data; None where the file names none. Raises DataError."""
    if "no_data" not in arrays:
        return None
    array = arrays["no_data"]
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise DataError(
            f"'no_data' has shape {array.shape} and dtype {array.dtype}; expected one number or NaN, such as"
            " no_data=-9999; where every pixel is measured, leave it out"
        )
    return float(array.reshape(()))


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else ""
    return ", ".join(repr(str(key)) for key in keys[:MOST_NAMED]) + more
