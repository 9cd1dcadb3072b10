"""One training step: images in, weights moved. Nothing here waits for the device.

Shapes: B images, C channels, K classes, H and W pixels.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn import functional

from search.training.adversary import Adversary, one_hot
from search.training.confusion import confusion_matrix
from search.training.device import autocast, image_batch
from search.training.metrics import scores
from search.training.pieces.crops import random_crops
from search.training.setup import Setup
from spaces.modules.loss_scale import descend
from spaces.modules.losses.class_weights import adaptive_weights


class ConfusionMeter:
    """The confusion matrix of an epoch's training batches, for class weights that follow it (MarsSeg)."""

    def __init__(self, setup: Setup) -> None:
        """Start with no pixel."""
        self._setup = setup
        classes = setup.data.facts.classes
        self._confusion = torch.zeros(classes, classes, dtype=torch.int64, device=setup.device)

    def add(self, logits: Tensor, masks: Tensor) -> None:
        """Count logits (B, K, H, W) against labels (B, H, W)."""
        classes, ignored = self._setup.data.facts.classes, self._setup.data.ignore_label
        self._confusion += confusion_matrix(logits.detach().argmax(dim=1), masks, classes, ignored)

    def reweigh(self) -> None:
        """Set the next epoch's class weights from what was counted."""
        recipe, facts = self._setup.recipe, self._setup.data.facts
        reached = scores(self._confusion.cpu(), facts)
        iou = reached.iou if recipe.loss.ignore_excluded else reached.iou_strict
        self._setup.loss.reweight(adaptive_weights(recipe.class_weights, facts, torch.tensor(iou)))


def train_step(setup: Setup, rows: Tensor, epoch: int, generator: Generator, meter: ConfusionMeter | None) -> Tensor:
    """Take one step on the samples at rows (B,) and return the recipe's loss, a scalar on the device.

    With an adversary that is the loss before its weights, so that it can be compared between families.
    """
    images, masks = _batch(setup, rows, generator)
    labels = masks
    if setup.adversary is not None:
        kept = _counted(setup, masks)
        labels = setup.adversary.relabel(setup.network, images, masks, epoch, kept)
    with autocast(setup.device):
        outputs = setup.network.outputs(images)
    loss: Tensor = setup.loss(outputs, labels.long())
    total = loss
    if setup.adversary is not None:
        total = _against(setup, setup.adversary, images, masks, outputs.high, loss)
    if setup.network.background is not None:
        total = total + _background_loss(setup, images, masks)
    _take_step(setup, total)
    if meter is not None:
        meter.add(outputs.high, masks)
    return loss.detach()


def _batch(setup: Setup, rows: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    samples = setup.samples
    if setup.pieces is not None:
        crops, order = setup.pieces.crops, setup.memory_format
        images, masks = random_crops(crops, samples.masks, samples.source, rows, generator, order)
        return setup.augment(images, masks, generator)
    images = image_batch(samples.images, samples.source.index_select(0, rows), setup.memory_format)
    return setup.augment(images, samples.masks.index_select(0, rows), generator)


def _against(setup: Setup, adversary: Adversary, images: Tensor, masks: Tensor, logits: Tensor, loss: Tensor) -> Tensor:
    """Let the discriminator learn, then the generator's loss against it."""
    normal = (images - setup.network.mean) / setup.network.std
    onehot = one_hot(masks, setup.data.facts.classes)
    adversary.learn(normal, onehot, logits)
    return adversary.generator_loss(normal, logits, loss)


def _background_loss(setup: Setup, images: Tensor, masks: Tensor) -> Tensor:
    """Binary cross entropy of the background network, the mean over the pixels that count."""
    with autocast(setup.device):
        logit = setup.network.background_logit(images)
    counted = _counted(setup, masks)
    answer = (masks == setup.data.facts.excluded_labels[0]).float()
    total = functional.binary_cross_entropy_with_logits(logit.float(), answer, weight=counted.float(), reduction="sum")
    return total / counted.sum().clamp_min(1)


def _counted(setup: Setup, masks: Tensor) -> Tensor:
    """Where a pixel has a class at all, (B, H, W)."""
    counted = masks < setup.data.facts.classes
    return counted if setup.data.ignore_label is None else counted & (masks != setup.data.ignore_label)


def _take_step(setup: Setup, total: Tensor) -> None:
    descend(total, [state.optimizer for state in setup.optimizers], setup.scale)
    for state in setup.optimizers:
        state.schedule.step()
    if setup.average is not None:
        setup.average.step()
