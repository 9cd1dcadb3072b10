"""Everything a training needs, built from a recipe and arrays and made resident on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import Parameter

from search.training.adversary import Adversary
from search.training.arrays import TrainingData, channel_statistics, label_shares
from search.training.batches import steps_per_epoch
from search.training.device import exact_float32, layout, loss_scale, resident_images
from search.training.pieces.canvas import own_sizes
from search.training.pieces.crops import OUTSIDE, crops_of
from search.training.pieces.prepared import Pieces, build_crop_donors, build_pieces
from search.training.samples import Samples, build_donors, build_samples, rarest_label
from spaces.crops import crop_side, seen
from spaces.modules.augmentation.augment import Step, build_augment
from spaces.modules.augmentation.mixing import Donors
from spaces.modules.loss_scale import LossScale
from spaces.modules.losses.class_weights import class_weights
from spaces.modules.losses.losses import SupervisedLoss, build_loss
from spaces.modules.networks.average import WeightAverage
from spaces.modules.networks.network import Network, build_network
from spaces.modules.optimizer import Optimizer, build_optimizer
from spaces.modules.schedule import Schedule, build_schedule
from spaces.recipe import Optimisation, Recipe
from spaces.recipe.architecture import Pix2Pix


@dataclass(frozen=True, kw_only=True, eq=False)
class OptimizerState:
    """An optimiser and the course of its learning rate."""

    optimizer: Optimizer
    schedule: Schedule


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """Where the shown images are in the batches of a validation; each image is one where windows slide over them.

    rows: by the number of a batch, the first being 0, their rows in it. order: their places, as they are asked for,
    among all that the batches give.
    """

    rows: Mapping[int, Tensor]
    order: Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Setup:
    """What the loop works with.

    optimizers: the network's own first; a background network has one of its own. scale: of their loss, where the
        device computes in float16.
    adversary: the discriminator of Pix2Pix; None for every other family.
    average: the moving average of the network's weights, a background network's among them; None where the recipe has
        none. A discriminator is not averaged: nothing of it is kept.
    rarest: the label of the rarest class of the training part, None where no class counts in the mean.
    pieces: of a training on crops, its crops and the windows of its validation; None where images are seen whole.
    """

    recipe: Recipe
    data: TrainingData
    device: torch.device
    memory_format: torch.memory_format
    network: Network
    loss: SupervisedLoss
    optimizers: tuple[OptimizerState, ...]
    scale: LossScale | None
    adversary: Adversary | None
    average: WeightAverage | None
    augment: Step
    samples: Samples
    rarest: int | None
    validation_images: Tensor
    validation_masks: Tensor
    shown: Shown
    should_stop: Callable[[], bool]
    pieces: Pieces | None = None

    @property
    def scored(self) -> Network:
        """The network that is scored and kept: the average, or the one that is trained."""
        return self.network if self.average is None else self.average.network

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules of all optimisers."""
        own = tuple(state.schedule for state in self.optimizers)
        return own if self.adversary is None else (*own, self.adversary.schedule)


def prepare(recipe: Recipe, data: TrainingData, device: torch.device, should_stop: Callable[[], bool]) -> Setup:
    """Build all parts. Raises SpaceError for a recipe that does not fit the data."""
    exact_float32()
    mean, std = channel_statistics(data.train_images, data.train_masks, data.ignore_label)
    memory_format = layout(recipe.model.network.norm)
    network = build_network(recipe, data.facts, mean=mean, std=std, bounds=data.bounds).to(device)
    network = network.to(memory_format=memory_format)  # type: ignore[call-overload]
    shares = label_shares(data.train_masks, data.facts.classes, data.ignore_label)
    weights = class_weights(recipe.class_weights, data.facts, shares)
    images, masks = resident_images(data.train_images, device), torch.tensor(data.train_masks).to(device)
    validation_images = resident_images(data.validation_images, device)
    rarest = rarest_label(shares, data.facts)
    side = crop_side(recipe, data.facts)
    pieces = build_pieces(recipe, data, images, validation_images, side=side, rarest=rarest) if side else None
    samples = _samples(recipe, data, images, masks, rarest, side)
    total = total_steps(samples, recipe.optimisation)
    donors = _donors(recipe, data, images, masks, rarest, pieces)
    return Setup(
        recipe=recipe,
        data=data,
        device=device,
        memory_format=memory_format,
        network=network,
        loss=_loss(recipe, weights, data).to(device),
        optimizers=_optimizer_states(recipe, network, total),
        scale=loss_scale(device),
        adversary=_adversary(recipe, data, device, total),
        average=WeightAverage(network, recipe.optimisation.ema) if recipe.optimisation.ema else None,
        augment=build_augment(recipe.augment, data.facts, std=std, donors=donors),
        samples=samples,
        rarest=rarest,
        validation_images=validation_images,
        validation_masks=torch.tensor(data.validation_masks).to(device),
        shown=_shown(data.shown, 1 if side else recipe.optimisation.batch_size, device),
        should_stop=should_stop,
        pieces=pieces,
    )


def _samples(
    recipe: Recipe, data: TrainingData, images: Tensor, masks: Tensor, rarest: int | None, side: int
) -> Samples:
    counts = crops_of(own_sizes(data.train_images, data.train_sizes), side) if side else None
    epochs = recipe.optimisation.epochs
    return build_samples(recipe.data, epochs, images, masks, data.facts, rarest, data.ignore_label, counts)


def _donors(
    recipe: Recipe, data: TrainingData, images: Tensor, masks: Tensor, rarest: int | None, pieces: Pieces | None
) -> Donors | None:
    if recipe.augment.mixing is None:
        return None
    if pieces is None or rarest is None:
        return build_donors(images, masks, rarest)
    return build_crop_donors(pieces, data, images, masks, rarest)


def _shown(places: Sequence[int], batch_size: int, device: torch.device) -> Shown:
    rising = sorted(range(len(places)), key=places.__getitem__)
    rows: dict[int, list[int]] = {}
    for number in rising:
        rows.setdefault(places[number] // batch_size, []).append(places[number] % batch_size)
    order = sorted(range(len(places)), key=rising.__getitem__)
    return Shown(
        rows={batch: torch.tensor(of_batch, device=device) for batch, of_batch in rows.items()},
        order=torch.tensor(order, dtype=torch.int64, device=device),
    )


def total_steps(samples: Samples, section: Optimisation) -> int:
    """The steps of all epochs; epochs that repeat rare images are longer."""
    return sum(steps_per_epoch(samples.count(e), section.batch_size) for e in range(1, section.epochs + 1))


def _loss(recipe: Recipe, weights: Tensor, data: TrainingData) -> SupervisedLoss:
    ignored = OUTSIDE if data.ignore_label is None and crop_side(recipe, data.facts) else data.ignore_label
    return build_loss(recipe.loss, weights, data.facts, ignored, regions=recipe.class_weights.regions)


def _optimizer_states(recipe: Recipe, network: Network, total: int) -> tuple[OptimizerState, ...]:
    main = _optimizer_state(recipe.optimisation, network.model.parameters(), total)
    if network.background is None or recipe.background is None:
        return (main,)
    usual = Optimisation.model_fields["momentum"].default  # beta1, whatever the other network's is
    changes = {"optimizer": "adamw", "lr": recipe.background.lr, "momentum": usual}
    own = recipe.optimisation.model_copy(update=changes)
    return (main, _optimizer_state(own, network.background.parameters(), total))


def _optimizer_state(section: Optimisation, parameters: Iterable[Parameter], total: int) -> OptimizerState:
    optimizer = build_optimizer(section, parameters)
    return OptimizerState(optimizer=optimizer, schedule=build_schedule(section, optimizer, total))


def _adversary(recipe: Recipe, data: TrainingData, device: torch.device, total: int) -> Adversary | None:
    if not isinstance(recipe.model, Pix2Pix):
        return None
    return Adversary(recipe.model, recipe, seen(recipe, data.facts), device, total)
