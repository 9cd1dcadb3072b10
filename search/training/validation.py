"""The validation after an epoch: loss, scores, and the labels of the images that people look at.

Shapes: P images are shown, K classes, H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from search.errors import Diverged, Stopped
from search.training.confusion import confusion_matrix
from search.training.device import image_batch
from search.training.metrics import Objective, Scores, scores
from search.training.pieces.maps import raw_maps, split_maps
from search.training.pieces.windows import slide
from search.training.setup import Setup
from search.training.threshold import ThresholdSearch, background_search, lead, lead_search
from spaces.modules.networks.network import Network

Kept = tuple[Tensor, Tensor | None]
"""Logits (B, K, H, W) of shown images, and the background network's (B, H, W) where there is one."""
Judged = tuple[int, Tensor, list[Kept]]
"""How many images were judged, the mean of their losses, and what is kept of the shown ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Validation:
    """What a network reaches on the validation part.

    loss: the mean of its images' losses.
    shown: uint8 (P, H, W), on the device, the most probable labels of the images that `TrainingData.shown` names.
    """

    loss: float
    scores: Scores
    shown: Tensor


@torch.inference_mode()
def validate(setup: Setup, network: Network, number: int, objective: Objective) -> Validation:
    """Judge a network in float32: what a reloaded bundle will reproduce.

    The threshold of the background or of the rarest class is found here, for this epoch, and kept in the network.
    Raises Stopped and Diverged.
    """
    facts, samples = setup.data.facts, len(setup.validation_images)
    meter = torch.zeros(facts.classes, facts.classes, dtype=torch.int64, device=setup.device)
    threshold = _threshold_search(setup)
    total = torch.zeros((), device=setup.device)
    kept: list[Kept] = []
    network.eval()
    count = meter if threshold is None else threshold
    judge = _judge_batches if setup.pieces is None else judge_windows
    for images, loss_of_batch, shown in judge(setup, network, number, count):
        total += loss_of_batch * images
        kept += shown
    loss = _finite_mean(total, samples, number)
    reached = _scores(setup, network, count, objective)
    return Validation(loss=loss, scores=reached, shown=labels_of(setup, network, kept))


def _finite_mean(total: Tensor, samples: int, number: int) -> float:
    """The mean of the images' losses. The host waits for the device here and in `_scores`."""
    loss = float(total) / samples
    if not math.isfinite(loss):
        raise Diverged(f"the validation loss became {loss} in epoch {number}: try a lower learning rate")
    return loss


def _scores(setup: Setup, network: Network, count: Tensor | ThresholdSearch, objective: Objective) -> Scores:
    """What the counted pixels come to, by the best threshold where there is one, which the network keeps."""
    if not isinstance(count, ThresholdSearch):
        return scores(count.cpu(), setup.data.facts)
    found, reached = count.best(objective)
    network.demand(count.label, found)
    return reached


def _go_on(setup: Setup, number: int) -> None:
    if setup.should_stop():
        raise Stopped(f"stopped in the validation of epoch {number}")


def _judge_batches(setup: Setup, network: Network, number: int, count: Tensor | ThresholdSearch) -> Iterator[Judged]:
    rows = torch.arange(len(setup.validation_images), device=setup.device)
    for place, index in enumerate(torch.split(rows, setup.recipe.optimisation.batch_size)):
        _go_on(setup, number)
        yield len(index), *judge_batch(setup, network, place, index, count)


def judge_windows(setup: Setup, network: Network, number: int, count: Tensor | ThresholdSearch) -> Iterator[Judged]:
    """Each image's loss, of what the windows over it say together; its pixels are counted. Never waits."""
    pieces = setup.pieces
    if pieces is None:
        return

    def maps_of(images: Tensor) -> Tensor:
        _go_on(setup, number)
        return raw_maps(network, images)

    for place, maps in slide(maps_of, pieces.validation, pieces.sizes, pieces.windows, setup.memory_format):
        height, width = pieces.sizes[place]
        truth = setup.validation_masks[place : place + 1, :height, :width]
        logits, background = split_maps(network, maps[None])
        yield 1, *_judge(setup, place, logits, background, truth, count)


def judge_batch(
    setup: Setup, network: Network, place: int, index: Tensor, count: Tensor | ThresholdSearch
) -> tuple[Tensor, list[Kept]]:
    """The mean loss of one batch, and what is kept of its shown images; its pixels are counted. Never waits.

    place: the batch's number, the first being 0. index: rows of the validation part. count: the confusion matrix
    (K, K) that is added to, or the search that takes its place.
    """
    images = image_batch(setup.validation_images, index, setup.memory_format)
    truth = setup.validation_masks.index_select(0, index)
    logits = network.outputs(images).high
    background = None if network.background is None else network.background_logit(images)
    return _judge(setup, place, logits, background, truth, count)


def _judge(
    setup: Setup,
    place: int,
    logits: Tensor,
    background: Tensor | None,
    truth: Tensor,
    count: Tensor | ThresholdSearch,
) -> tuple[Tensor, list[Kept]]:
    if isinstance(count, ThresholdSearch):
        count.add(logits, lead(logits, count.label) if background is None else background, truth)
    else:
        count += confusion_matrix(logits.argmax(dim=1), truth, setup.data.facts.classes, setup.data.ignore_label)
    rows = setup.shown.rows.get(place)
    shown = [] if rows is None else [(logits[rows], None if background is None else background[rows])]
    return setup.loss(logits, truth.long()), shown


def labels_of(setup: Setup, network: Network, kept: Sequence[Kept]) -> Tensor:
    """The labels of the shown images, in their order, by the threshold that was found."""
    found = [network.decided(logits, background).argmax(dim=1).to(torch.uint8) for logits, background in kept]
    size = setup.validation_masks.shape[1:]
    if not found:
        return torch.zeros(0, *size, dtype=torch.uint8, device=setup.device)
    if setup.pieces is not None:  # each in its image's own size
        found = [pad(labels, (0, size[1] - labels.shape[2], 0, size[0] - labels.shape[1])) for labels in found]
    return torch.cat(found)[setup.shown.order]


def _threshold_search(setup: Setup) -> ThresholdSearch | None:
    """The search for the one threshold of the network, None where it has none."""
    facts, ignored = setup.data.facts, setup.data.ignore_label
    if setup.network.background is not None:
        return background_search(facts, ignored, setup.device)
    if setup.rarest is None or not setup.recipe.optimisation.fit_offset:
        return None
    return lead_search(facts, ignored, setup.rarest, setup.device)
