"""A look at a data set before anything is trained on it: its split, and the one report that everybody tells from.

What makes a score undefined is refused here; what makes it weak becomes a note of the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from storage.data.canvas import own_pixels
from storage.data.dataset import Dataset
from storage.data.quality.outliers import Contamination, contamination
from storage.data.quality.pixels import PixelReport, describe_pixels
from storage.data.quality.report import DataReport, PartReport, facts_of_arrays, report_on_part
from storage.data.quality.resemblance import MOST, Resemblance, find_resemblance
from storage.data.quality.scale import measure_pixels, other_look, other_scale, pixels_of
from storage.data.split import Split, split_dataset
from storage.errors import DataError

VALIDATION_SHARE = 0.2
FEW_IMAGES = 10  # of a validation part: under it a class of one image weighs more than any choice of a recipe
_ABSENT = "its IoU is 0 where it is predicted, and left out of the mean otherwise"
_Parts = Mapping[str, PartReport]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examination:
    """A data set's split and the report on both."""

    split: Split
    report: DataReport


def examine(dataset: Dataset, source: str, *, clean: str, seed: int, holdout: float = 0.0) -> Examination:
    """Find what is contaminated, what is equal, split, and report.

    source: what the data are called in messages. clean: a rule of `storage.data.quality.outliers`.
    Looks at every pixel and at all pairs of images; seconds for thousands of samples. Deterministic.
    Raises DataError for data that cannot be split, or on which no score would be defined.
    """
    try:
        return _examine(dataset, clean, seed, holdout)
    except DataError as error:
        raise DataError(f"{source}: {error}") from error


def inspect(dataset: Dataset, *, clean: str, seed: int) -> DataReport:
    """The report that a study of these data would have; what would be refused is a note, and there are no parts."""
    found, alike = contamination(dataset, clean), find_resemblance(dataset)
    try:
        parts, refusal = _parts(dataset, _split(dataset, found, alike, seed, 0.0)), ""
        _refuse_undefined(dataset, parts)
    except DataError as error:
        parts, refusal = {}, f"no study can be made of these data: {error}"
    report = _report(dataset, clean, found, alike, parts)
    return report.model_copy(update={"notes": (*report.notes, refusal)}) if refusal else report


def _examine(dataset: Dataset, clean: str, seed: int, holdout: float) -> Examination:
    found, alike = contamination(dataset, clean), find_resemblance(dataset)
    split = _split(dataset, found, alike, seed, holdout)
    parts = _parts(dataset, split)
    _refuse_undefined(dataset, parts)
    return Examination(split=split, report=_report(dataset, clean, found, alike, parts))


def _split(dataset: Dataset, found: Contamination, alike: Resemblance, seed: int, holdout: float) -> Split:
    return split_dataset(
        dataset,
        seed=seed,
        validation=VALIDATION_SHARE,
        holdout=holdout,
        contaminated=found.samples,
        together=alike.together,
    )


def _report(dataset: Dataset, clean: str, found: Contamination, alike: Resemblance, parts: _Parts) -> DataReport:
    pixels = describe_pixels(dataset)
    notes = (
        *dataset.notes,
        found.note,
        *_on_pixels(pixels),
        *_on_tests(dataset),
        *_on_resemblance(alike),
        *_on_parts(dataset, parts),
    )
    return DataReport(
        **facts_of_arrays(dataset),
        pixels=pixels,
        clean=clean,
        left_out=int(found.samples.sum()),
        equal_images=alike.equal,
        near_equal_images=alike.near,
        parts=parts,
        notes=tuple(filter(None, notes)),
    )


def _parts(dataset: Dataset, split: Split) -> _Parts:
    clean = np.setdiff1d(split.train, split.contaminated)
    used = {"train": clean, "validation": split.validation, "holdout": split.holdout}
    return {name: report_on_part(dataset, rows) for name, rows in used.items() if len(rows) or name != "holdout"}


def _refuse_undefined(dataset: Dataset, parts: _Parts) -> None:
    """Raise DataError where a part has no pixel of a class that counts."""
    counting = [name for name in dataset.class_names if name not in dataset.excluded]
    for name, part in parts.items():
        if any(part.pixels[label] for label in counting):
            continue
        labelled = np.isin(dataset.masks, [dataset.class_names.index(label) for label in counting])
        images = int(labelled.any(axis=(1, 2)).sum())
        raise DataError(
            f"the {name} part ({part.samples} images) has no pixel of a class that counts ({', '.join(counting[:4])}):"
            f" {images} of {len(dataset.masks)} images have one; each part needs one, label more images"
        )


def _on_pixels(pixels: PixelReport) -> Iterator[str]:
    if pixels.far_value is not None:
        yield (
            f"{pixels.far_share:.1%} of the pixel values are {pixels.far_value:g}, far from all others: if that means"
            f" no data, say so in the file with no_data={pixels.far_value:g}"
        )


def _on_tests(dataset: Dataset) -> Iterator[str]:
    """What predict will say of the test images, before anything is trained."""
    if dataset.test_images is None:
        return
    trained = pixels_of(dataset)
    given = measure_pixels(own_pixels(dataset.test_images, dataset.test_sizes), void=trained.void)
    if factor := other_scale(trained, given):
        yield (
            f"the test images hold {given}, the images {trained}: predict will refuse them, bring them to that scale,"
            f" test_images {factor}"
        )
    elif look := other_look(trained, given):
        yield f"the test images look other than the images: {look}; their labels may be wrong"


def _on_resemblance(alike: Resemblance) -> Iterator[str]:
    if alike.equal:
        yield f"{alike.equal:,} images are equal to another one: equal images stay on one side of the split"
    if alike.alike:
        yield (
            "most images are nearly equal, as a fixed camera's are: validation images resemble training images,"
            " and the score says nothing about other scenes"
        )
    elif alike.near:
        yield f"{alike.near:,} images are nearly equal to another one: they stay on one side of the split, too"
    if not alike.compared:
        yield f"nearly equal images are not looked for among more than {MOST:,}: name what belongs together in group"


def _on_parts(dataset: Dataset, parts: _Parts) -> Iterator[str]:
    if not parts:
        return
    train, validation = parts["train"], parts["validation"]
    for name in dataset.class_names:
        if name not in dataset.excluded:
            yield from _on_class(name, train.images[name], validation.images[name], validation.samples)
    if validation.samples < FEW_IMAGES:
        yield f"validation has {_counted(validation.samples)}: small differences between trials are chance"
    bare = int((dataset.masks == dataset.ignore_label).all(axis=(1, 2)).sum())
    if bare:
        yield f"{_counted(bare)} without any labelled pixel: nothing is learnt from them"


def _on_class(name: str, train: int, validation: int, samples: int) -> Iterator[str]:
    if not train and not validation:
        yield f"class {name} is in no image: {_ABSENT}"
    elif not train:
        yield f"class {name} is in no training image: it cannot be learnt, its IoU will be 0"
    elif not validation:
        yield f"class {name} is in no validation image: {_ABSENT}"
    elif validation == 1 and samples > 1:
        yield f"class {name} is in 1 validation image: its IoU hangs on that one"


def _counted(images: int) -> str:
    return f"{images:,} image{'s' if images != 1 else ''}"
