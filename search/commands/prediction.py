"""Images in, labels out: from an .npz, an image or a folder to wherever the name of the target says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.commands.own_device import own_device
from search.commands.predict import Say, check_scale, check_sizes, mirrors_of
from search.outcome.bundle import read_bundle
from search.outcome.label_target import label_target, label_writer
from search.outcome.predict import predict_labels
from search.training.pieces.windows import window_of
from storage.data.folder.unlabelled import open_unlabelled

PIXELS_AT_ONCE = 8_000_000  # of images that are in memory together


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What to label, with what, and where to.

    source: an .npz, an image, or a folder of images. out: as in `search.outcome.label_target`. overlay: draw the images
    below the labels. tta: the mean over images mirrored as in the training. device: as in `own_device`.
    """

    bundle: Path
    source: Path
    out: Path
    overlay: bool = False
    tta: bool = False
    device: str = "auto"


def predict_all(order: Prediction, say: Say) -> int:
    """Label every image and write the labels; how many images there were.

    say: takes a sentence on images that look other than those of the training, on classes with other names, and on what
    was left out. Images are read, labelled and written a few at a time, those of a size together.
    Raises BundleError, DataError, or UsageError for images that the network cannot label, and for a place that cannot
    be written; then nothing is.
    """
    target = label_target(order.out, overlay=order.overlay)
    opened = read_bundle(order.bundle)
    mirrors = mirrors_of(opened, tta=order.tta)
    given, names = open_unlabelled(order.source), opened.facts.class_names
    target.check(given.names, given.sizes)
    for note in given.notes:
        say(f"{order.source}: {note}")
    check_scale(opened, order.source, given.pixels(), say)
    check_sizes(opened, order.source, given.sizes, say)
    if given.class_names not in ((), names):
        theirs = ", ".join(given.class_names)
        say(f"{order.source}: names the classes {theirs}; the labels written are those of {', '.join(names)}")
    where, size = own_device(order.device, say), opened.recipe.optimisation.batch_size
    window = window_of(opened.recipe, opened.facts)
    with label_writer(target, given.names, opened.facts, with_names=given.single_files) as put:
        for places in _runs(given.sizes):
            images = np.stack([given.read(place) for place in places])
            labels = predict_labels(
                opened.network, images, batch_size=size, device=where, mirrors=mirrors, window=window
            )
            for place, image, found in zip(places, images, labels, strict=True):
                put(place, image, found)
    return len(given.names)


def _runs(sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Places of images of one size, at most `PIXELS_AT_ONCE` together; those of a size in their order."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for place, size in enumerate(sizes):
        by_size.setdefault(size, []).append(place)
    for (height, width), places in by_size.items():
        step = max(1, PIXELS_AT_ONCE // (height * width))
        yield from (places[start : start + step] for start in range(0, len(places), step))
