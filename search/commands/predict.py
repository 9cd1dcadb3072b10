"""A bundle in use: on images without labels, and on labelled ones, which tell how good it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from search.commands.own_device import own_device
from search.errors import UsageError
from search.outcome.bundle import Bundle, read_bundle
from search.outcome.evaluation import Evaluation, evaluate
from search.outcome.pictures.figures import (
    CONFUSION,
    CONFUSION_CSV,
    IOU,
    PANEL,
    draw_confusion,
    draw_panel,
    write_confusion_csv,
    write_iou_csv,
)
from search.outcome.predict import Mirror, predict_labels
from search.training.pieces.windows import window_of
from search.worker.job_files import panel_samples
from spaces.crops import crop_side
from storage.data.canvas import own_pixels
from storage.data.dataset import Dataset, read_dataset
from storage.data.quality.scale import Pixels, measure_pixels, other_look, other_scale

Say = Callable[[str], object]


def label_images(
    opened: Bundle,
    images: NDArray[Any],
    *,
    source: str,
    tta: bool,
    device: str,
    say: Say,
) -> NDArray[np.uint8]:
    """The labels (N, H, W) of images (N, H, W) or (N, H, W, 3) in the data's own scale.

    source: what the images are called in messages. tta: the mean over images mirrored as in the training. device: as in
    `search.commands.own_device`. say: takes a sentence on images that look other than those of the training.
    Raises UsageError for images that the network cannot label, TrainingFailed where there is no memory for one.
    """
    mirrors = mirrors_of(opened, tta=tta)
    check_images(opened, source, images, say)
    size, where = opened.recipe.optimisation.batch_size, own_device(device, say)
    window = window_of(opened.recipe, opened.facts)
    return predict_labels(opened.network, images, batch_size=size, device=where, mirrors=mirrors, window=window)


def mirrors_of(opened: Bundle, *, tta: bool) -> tuple[Mirror, ...]:
    """The directions in which images are mirrored as well. Raises UsageError where the training mirrored none."""
    mirrors = opened.recipe.augment.mirrors if tta else ()
    if tta and not mirrors:
        raise UsageError(
            "the bundle was trained without mirrored images, so a mirror image tells nothing: leave out --tta"
        )
    return mirrors


def check_images(opened: Bundle, file: Path | str, images: NDArray[Any], say: Say) -> None:
    """Raise UsageError where the network cannot label the images; say what it should not be trusted on.

    file: where they are from, in messages.
    """
    check_scale(opened, file, images, say)
    check_sizes(opened, file, [images.shape[1:3]], say)


def check_scale(
    opened: Bundle, file: Path | str, images: NDArray[Any], say: Say, counted: NDArray[np.bool_] | None = None
) -> None:
    """As `check_images`, whatever size the images have. counted: (N, H, W), False where a pixel is void."""
    channels = 1 if images.ndim == 3 else images.shape[3]
    if channels != opened.facts.channels:
        raise UsageError(f"{file}: {channels} channels, the bundle was trained on {opened.facts.channels}")
    if opened.pixels is None:
        say("the bundle does not say what pixels it was trained on: make sure that these images are on the same scale")
    else:
        _check_pixels(opened.pixels, measure_pixels(images, counted, opened.pixels.void), file, say)


def check_sizes(opened: Bundle, file: Path | str, sizes: Iterable[tuple[int, ...]], say: Say) -> None:
    """Say where images of these sizes show things larger or smaller than those of the training did.

    Not of a network that was trained on crops: it sees windows of that size in images of any.
    """
    facts = opened.facts
    others = sorted({*sizes} - {(facts.height, facts.width)})
    if others and not crop_side(opened.recipe, facts):
        ends = " to ".join(f"{height}x{width}" for height, width in dict.fromkeys((others[0], others[-1])))
        size = f"{ends} pixels, the network was trained on {facts.height}x{facts.width}"
        say(f"{file}: the images have {size}: what is shown at another size may be labelled wrongly")


def _check_pixels(trained: Pixels, given: Pixels, file: Path | str, say: Say) -> None:
    if factor := other_scale(trained, given):
        raise UsageError(
            f"{file}: the images hold {given}, the network was trained on {trained}: bring them to that scale,"
            f" images {factor}"
        )
    if look := other_look(trained, given):
        say(
            f"{file}: the images look other than those that the network was trained on: {look}; the labels may be wrong"
        )


def evaluate_file(bundle: Path, file: Path, *, out: Path | None, device: str, say: Say) -> Evaluation:
    """The scores of a bundle on all labelled images of a data set; the classes in the mean are the bundle's.

    A file that does not name its classes has the bundle's, too.

    out: a folder for pictures and tables. device: as in `search.commands.own_device`. say: takes sentences on how far
    the scores can be trusted.
    Raises BundleError, DataError, or UsageError for data that the network cannot be scored on.
    """
    opened = read_bundle(bundle)
    facts = opened.facts
    dataset = read_dataset(file, facts.class_names)
    for note in dataset.notes:
        say(f"{file}: {note}")
    if dataset.class_names != facts.class_names:
        classes = f"{', '.join(dataset.class_names)}; the bundle knows {', '.join(facts.class_names)}"
        raise UsageError(f"{file}: its classes are {classes}: give it the same names in the same order")
    if dataset.excluded != facts.excluded:
        say(f"{file}: the classes left out of the mean are the bundle's: {', '.join(facts.excluded) or 'none'}")
    if dataset.digest == opened.metrics["data_digest"]:
        say(f"{file}: is the data set that the network was trained on: these scores say nothing of other images")
    counted = dataset.masks != dataset.ignore_label
    sizes = dataset.sizes
    check_scale(opened, file, own_pixels(dataset.images, sizes), say, own_pixels(counted, sizes))
    check_sizes(opened, file, (dataset.size(sample) for sample in range(len(dataset.images))), say)
    found, labels = evaluate(
        opened.network,
        opened.recipe,
        dataset.images,
        dataset.masks,
        facts,
        ignore_label=dataset.ignore_label,
        sizes=sizes,
        device=own_device(device, say),
    )
    if out is not None:
        _draw(out, dataset, found, labels)
    return found


def _draw(out: Path, dataset: Dataset, found: Evaluation, labels: NDArray[np.uint8]) -> None:
    samples = np.asarray(panel_samples(dataset, range(len(dataset.images))), dtype=np.int64)
    images, truth, title = dataset.images[samples], dataset.masks[samples], str(found)
    try:
        out.mkdir(parents=True, exist_ok=True)
        draw_panel(
            out / PANEL,
            images=images,
            truth=truth,
            prediction=labels[samples],
            sizes=None if dataset.sizes is None else dataset.sizes[samples],
            facts=found.facts,
            ignore_label=dataset.ignore_label,
            title=title,
        )
        draw_confusion(out / CONFUSION, np.asarray(found.scores.confusion), found.facts, title=title)
        write_iou_csv(out / IOU, found.scores, found.facts)
        write_confusion_csv(out / CONFUSION_CSV, found.scores.confusion, found.facts)
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror or error}), choose another folder") from error
