"""One training, from a recipe and arrays to one `Epoch` after another.

The caller's loop body is where reporting, pruning and progress happen; between two epochs nothing runs.
The steps of an epoch never wait for the device: losses stay on it and are looked at once, at the end.
Same recipe, data, machine and number of threads give bitwise equal weights on a CPU, in one go or resumed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from search.errors import Diverged, Stopped
from search.training.arrays import TrainingData
from search.training.batches import AUGMENT, ORDER, dropout_randomness, epoch_batches, stream
from search.training.checkpoint import Snapshot
from search.training.device import autocast, image_batch, peak_memory_mb
from search.training.epoch import EpochRecord
from search.training.metrics import Objective
from search.training.pieces.crops import crops_at
from search.training.setup import Setup, prepare
from search.training.state import State
from search.training.step import ConfusionMeter, train_step
from search.training.validation import validate
from spaces.modules.networks.network import Network, count_parameters
from spaces.recipe import Recipe

STATISTICS_IMAGES = 128
"""Training images on which batch normalisation's statistics are measured: more change no score (measured)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """What `fit` yields: the record of one epoch, and what a caller may keep of the training after it.

    weights: a copy of the state by name of the network that was scored, on its device, when this epoch counts from now
        on (`search.training.epoch.counting`; the first always does); otherwise None.
    shown: of that network, uint8 (P, H, W), on its device, the labels of the images that `TrainingData.shown` names.
    snapshot: gives all that a training needs to go on from here, and the weights that count so far; to be called
        before the next epoch is asked for, else it raises RuntimeError.
    """

    record: EpochRecord
    weights: Mapping[str, Tensor] | None
    shown: Tensor
    snapshot: Callable[[], Snapshot]

    @property
    def counts(self) -> bool:
        """Whether this epoch's weights and score are the training's from now on."""
        return self.weights is not None


def _never() -> bool:
    return False


def fit(
    recipe: Recipe,
    data: TrainingData,
    device: str = "cpu",
    *,
    objective: Objective = "miou",
    should_stop: Callable[[], bool] = _never,
    resume: Snapshot | None = None,
) -> Iterator[Epoch]:
    """Train the recipe's network on data and yield once per epoch, up to the last one.

    objective: the score that early stop, the plateau schedule and the kept weights go by.
    should_stop: asked before every batch; True ends the training with Stopped.
    resume: go on after this snapshot's epoch, as if the training had never been cut. What counted until then stands
        in the snapshot: no later epoch may improve on it, and after a last epoch none is yielded.
    At once raises SpaceError for class weights that do not fit the data and CheckpointError for a snapshot of another
    training; later Stopped, or Diverged for a NaN or infinite loss.
    """
    setup = prepare(recipe, data, torch.device(device), should_stop)
    state = State(setup, objective)
    if resume is not None:
        state.restore(resume)
    return _epochs(setup, state, objective)


def _epochs(setup: Setup, state: State, objective: Objective) -> Iterator[Epoch]:
    parameters = count_parameters(setup.network)
    while not state.last:
        number = state.epoch + 1
        started = time.perf_counter()
        state.settled = False
        train_loss, lr = _train(setup, number)
        measure_statistics(setup, setup.scored)
        if setup.scored is not setup.network and setup.adversary is not None:  # which labels images by the network
            measure_statistics(setup, setup.network)
        validation = validate(setup, setup.scored, number, objective)
        reached = validation.scores
        score = getattr(reached, objective)
        for schedule in setup.schedules:
            schedule.observe(score)
        counts = state.end(number, score, validation.shown)
        adversarial, discriminator = (None, None) if setup.adversary is None else setup.adversary.mean_losses()
        record = EpochRecord(
            number=number,
            train_loss=train_loss,
            validation_loss=validation.loss,
            miou=reached.miou,
            miou_strict=reached.miou_strict,
            accuracy=reached.accuracy,
            iou=tuple(None if math.isnan(share) else share for share in reached.iou),
            confusion=reached.confusion,
            lr=lr,
            seconds=time.perf_counter() - started,
            memory_mb=peak_memory_mb(setup.device),
            parameters=parameters,
            last=state.last,
            adversarial_loss=adversarial,
            discriminator_loss=discriminator,
        )
        weights = state.kept_weights if counts else None
        snapshot = partial(state.snapshot, number)
        yield Epoch(record=record, weights=weights, shown=validation.shown, snapshot=snapshot)


def _train(setup: Setup, number: int) -> tuple[float, float]:
    """One pass over the training part; its mean loss and the learning rate of its last step."""
    seed, batch_size = setup.recipe.seed, setup.recipe.optimisation.batch_size
    order = stream(seed, number, ORDER)
    generator = stream(seed, number, AUGMENT, setup.device)
    meter = ConfusionMeter(setup) if setup.recipe.class_weights.scheme == "adaptive" else None
    setup.network.train()
    losses: list[Tensor] = []
    lr = setup.schedules[0].lr
    with dropout_randomness(seed, number, setup.device):
        for rows in epoch_batches(setup.samples.indices(number), batch_size, order, setup.device):
            if setup.should_stop():
                raise Stopped(f"stopped in epoch {number}, after {len(losses)} of its steps")
            lr = setup.schedules[0].lr
            losses.append(train_step(setup, rows, number, generator, meter))
    mean = _finite_mean(torch.stack(losses), number)
    if meter is not None:
        meter.reweigh()
    return mean, lr


def _finite_mean(losses: Tensor, number: int) -> float:
    """The mean of an epoch's losses (steps,): the one moment at which the host waits for the device."""
    values = losses.cpu().double()
    bad = torch.nonzero(~values.isfinite())
    if len(bad):
        step = int(bad[0, 0])
        raise Diverged(
            f"the loss became {values[step].item()} in epoch {number}, step {step + 1} of {len(values)}:"
            " try a lower learning rate, and check the images for NaN"
        )
    return float(values.mean())


@torch.no_grad()
def measure_statistics(setup: Setup, network: Network) -> None:
    """Set the running statistics of a network's batch normalisation to those of training images (docs/decisions/0012).

    A moving average still holds its initial values after a few steps, and lags behind weights that move fast. The
    images are the same ones each time, evenly spread, without augmentation and dropout, in the precision of a step.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.train()
    for number, rows in enumerate(_statistics_rows(setup), start=1):
        for layer in layers:
            layer.momentum = 1 / number  # a cumulative average that, unlike torch's own, never waits for the device
        images = _statistics_images(setup, rows)
        with autocast(setup.device):
            network.outputs(images)
            if network.background is not None:
                network.background_logit(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _statistics_rows(setup: Setup) -> tuple[Tensor, ...]:
    """Rows of images, or of the crops that are measured, in batches of nearly equal size, at most the recipe's."""
    count = len(setup.samples.images) if setup.pieces is None else len(setup.pieces.measured[0])
    taken = min(count, STATISTICS_IMAGES)
    rows = torch.arange(taken, device=setup.device) * count // taken
    return torch.chunk(rows, -(-taken // setup.recipe.optimisation.batch_size))


def _statistics_images(setup: Setup, rows: Tensor) -> Tensor:
    if setup.pieces is None:
        return image_batch(setup.samples.images, rows, setup.memory_format)
    crops, (source, corner) = setup.pieces.crops, (places.index_select(0, rows) for places in setup.pieces.measured)
    return crops_at(crops, setup.samples.masks, source, source, corner, setup.memory_format)[0]
