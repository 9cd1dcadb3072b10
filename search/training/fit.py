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

from search.training.arrays import TrainingData
from search.training.batches import AUGMENT, ORDER, dropout_randomness, epoch_batches, stream
from search.training.checkpoint import Snapshot
from search.training.confusion import confusion_matrix
from search.training.device import autocast, image_batch, peak_memory_mb
from search.training.epoch import EpochRecord
from search.training.metrics import Objective, Scores, scores
from search.training.setup import Setup, prepare
from search.training.state import State
from search.training.step import ConfusionMeter, train_step
from search.training.threshold import ThresholdSearch, background_search, lead, lead_search
from spaces.modules.networks.network import Network, count_parameters
from spaces.recipe import Recipe

STATISTICS_IMAGES = 128
"""Training images on which batch normalisation's statistics are measured: more change no score (measured)."""


class Stopped(Exception):
    """The training ended early because its caller asked it to."""


class Diverged(ArithmeticError):
    """The loss became NaN or infinite; the message names the epoch and the step."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """What `fit` yields: the record of one epoch, and what a caller may keep of the training after it.

    weights: a copy of the state by name of the network that was scored, on its device, when this epoch counts from now
        on (`search.training.epoch.counting`; the first always does); otherwise None.
    snapshot: gives all that a training needs to go on from here, and the weights that count so far; to be called
        before the next epoch is asked for, else it raises RuntimeError.
    """

    record: EpochRecord
    weights: Mapping[str, Tensor] | None
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
        validation_loss, reached = validate(setup, setup.scored, number, objective)
        score = getattr(reached, objective)
        for schedule in setup.schedules:
            schedule.observe(score)
        counts = state.end(number, score)
        adversarial, discriminator = (None, None) if setup.adversary is None else setup.adversary.mean_losses()
        record = EpochRecord(
            number=number,
            train_loss=train_loss,
            validation_loss=validation_loss,
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
        yield Epoch(record=record, weights=weights, snapshot=partial(state.snapshot, number))


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
        images = image_batch(setup.samples.images, rows, setup.memory_format)
        with autocast(setup.device):
            network.outputs(images)
            if network.background is not None:
                network.background_logit(images)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def _statistics_rows(setup: Setup) -> tuple[Tensor, ...]:
    """Rows of images in batches of nearly equal size, at most the recipe's."""
    count = len(setup.samples.images)
    taken = min(count, STATISTICS_IMAGES)
    rows = torch.arange(taken, device=setup.device) * count // taken
    return torch.chunk(rows, -(-taken // setup.recipe.optimisation.batch_size))


@torch.inference_mode()
def validate(setup: Setup, network: Network, number: int, objective: Objective) -> tuple[float, Scores]:
    """Loss and scores of a network on the validation part, in float32: what a reloaded bundle will reproduce.

    The threshold of the background or of the rarest class is found here, for this epoch, and kept in the network.
    """
    facts, ignored = setup.data.facts, setup.data.ignore_label
    samples = len(setup.validation_images)
    meter = torch.zeros(facts.classes, facts.classes, dtype=torch.int64, device=setup.device)
    threshold = _threshold_search(setup)
    total = torch.zeros((), device=setup.device)
    network.eval()
    for index in torch.split(torch.arange(samples, device=setup.device), setup.recipe.optimisation.batch_size):
        if setup.should_stop():
            raise Stopped(f"stopped in the validation of epoch {number}")
        images = image_batch(setup.validation_images, index, setup.memory_format)
        truth = setup.validation_masks.index_select(0, index)
        logits = network.outputs(images).high
        total += setup.loss(logits, truth.long()) * len(index)
        if threshold is None:
            meter += confusion_matrix(logits.argmax(dim=1), truth, facts.classes, ignored)
        else:
            alone = network.background is None
            evidence = lead(logits, threshold.label) if alone else network.background_logit(images)
            threshold.add(logits, evidence, truth)
    loss = float(total) / samples
    if not math.isfinite(loss):
        raise Diverged(f"the validation loss became {loss} in epoch {number}: try a lower learning rate")
    if threshold is None:
        return loss, scores(meter.cpu(), facts)
    found, reached = threshold.best(objective)
    network.demand(threshold.label, found)
    return loss, reached


def _threshold_search(setup: Setup) -> ThresholdSearch | None:
    """The search for the one threshold of the network, None where it has none."""
    facts, ignored = setup.data.facts, setup.data.ignore_label
    if setup.network.background is not None:
        return background_search(facts, ignored, setup.device)
    if setup.rarest is None or not setup.recipe.optimisation.fit_offset:
        return None
    return lead_search(facts, ignored, setup.rarest, setup.device)
