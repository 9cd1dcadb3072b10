"""A training's steps on the pretended GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

import numpy as np
import torch

from search.training import fit as fit_module
from search.training import samples, setup, validation
from search.training.adversary import Adversary
from search.training.arrays import TrainingData, label_shares
from search.training.metrics import scores
from search.training.setup import Setup, prepare
from search.training.step import ConfusionMeter, _batch, train_step
from search.training.threshold import ThresholdSearch
from search.training.validation import judge_batch, judge_windows, labels_of
from spaces import DataFacts, Recipe
from spaces.modules.loss_scale import LossScale
from spaces.modules.losses.class_weights import class_weights
from spaces.modules.schedule import Schedule
from support.pretended_gpu import PretendedGenerator, device, pretended_gpu, watched

NAMES = ("sky", "soil", "sand", "rock")
FACTS = DataFacts(channels=1, height=16, width=64, class_names=NAMES, excluded=("sky",))
BATCH = 4


def data(height: int) -> TrainingData:
    """Eight images to learn from and four to be judged on; every class is in each."""
    facts = FACTS.model_copy(update={"height": height})
    draws = np.random.default_rng(0)
    images = draws.integers(0, 255, (12, facts.height, facts.width)).astype(np.uint8)
    masks = draws.integers(0, 4, (12, facts.height, facts.width)).astype(np.uint8)
    return TrainingData(
        train_images=images[:8],
        train_masks=masks[:8],
        validation_images=images[8:],
        validation_masks=masks[8:],
        facts=facts,
        shown=(3, 1),
    )


def walk_steps(recipe: Recipe, height: int = FACTS.height) -> None:
    """Prepare the training, then one step, in the last epoch, and one batch of the validation, watched.

    Raises WouldWait.
    """
    known = data(height)
    with ExitStack() as stack:
        for patched in _known_before(recipe, known):
            stack.enter_context(patched)
        gpu = stack.enter_context(pretended_gpu())
        prepared = prepare(recipe, known, gpu, lambda: False)
        rows = torch.arange(BATCH, device=gpu)
        generator = PretendedGenerator().manual_seed(1)
        meter = ConfusionMeter(prepared) if recipe.class_weights.scheme == "adaptive" else None
        prepared.network.train()
        _batch(prepared, rows, generator)  # the first one moves constants over
        threshold = _threshold(prepared)
        with watched():
            loss = train_step(prepared, rows, recipe.optimisation.epochs, generator, meter)
            assert loss.device == gpu
            _validate(prepared, rows, threshold)


def walk_scaled(recipe: Recipe) -> None:
    """The same with a factor on the loss, as a training in float16 has it. Raises WouldWait."""
    with mock.patch.object(setup, "loss_scale", LossScale):
        walk_steps(recipe)


class WaitingSchedule(Schedule):
    """A fault: it waits for the device after a step, from the second one on."""

    steps = 0

    def step(self) -> None:
        """The next step's rate."""
        super().step()
        self.steps += 1
        if self.steps > 1:
            torch.zeros(2, device=device()).sum().item()


def walk_epochs(recipe: Recipe, height: int = FACTS.height, schedule: type[Schedule] = Schedule) -> None:
    """Two epochs of a whole training with their validations and checkpoints, the second one watched but for ALLOWED.

    Raises WouldWait.
    """
    known = data(height)
    with ExitStack() as stack:
        for patched in _known_before(recipe, known):
            stack.enter_context(patched)
        for place, name, _, answer in ALLOWED:
            stack.enter_context(mock.patch.object(place, name, answer))
        stack.enter_context(mock.patch.object(setup, "build_schedule", schedule))
        gpu = stack.enter_context(pretended_gpu())
        stack.enter_context(mock.patch.object(fit_module, "stream", return_value=PretendedGenerator()))
        epochs = fit_module.fit(recipe, known, str(gpu))
        next(epochs)  # moves constants over
        with watched():
            second = next(epochs)
            tensors = second.snapshot().tensors.values()
            assert {tensor.device.type for tensor in tensors} == {gpu.type}


def _known_before(recipe: Recipe, known: TrainingData) -> Iterator[AbstractContextManager[object]]:
    """What is found out once, before the first step, looks at contents, which pretended tensors have not."""
    weights = class_weights(recipe.class_weights, FACTS, label_shares(known.train_masks, FACTS.classes, None))
    yield mock.patch.object(setup, "class_weights", return_value=weights)
    yield mock.patch.object(samples, "holding", lambda masks, label: torch.arange(len(masks), device=masks.device))


def _threshold(prepared: Setup) -> ThresholdSearch | None:
    """As `search.training.fit` has it; made once for a validation, from numbers that pretended tensors have not."""
    candidates = torch.arange(9.0, device=prepared.device)
    if prepared.network.background is not None:
        return ThresholdSearch(FACTS, None, FACTS.excluded_labels[0], candidates, 0.0)
    if prepared.rarest is None or not prepared.recipe.optimisation.fit_offset:
        return None
    return ThresholdSearch(FACTS, None, prepared.rarest, candidates, 0.0)


@torch.no_grad()
def _validate(prepared: Setup, rows: torch.Tensor, threshold: ThresholdSearch | None) -> None:
    network = prepared.scored.eval()
    counts = torch.zeros(FACTS.classes, FACTS.classes, dtype=torch.int64, device=prepared.device)
    count = counts if threshold is None else threshold
    if prepared.pieces is None:
        _, shown = judge_batch(prepared, network, 0, rows, count)
    else:
        shown = [kept for _, _, found in judge_windows(prepared, network, 1, count) for kept in found]
    assert labels_of(prepared, network, shown).device == prepared.device


SCORES = scores(torch.ones(FACTS.classes, FACTS.classes, dtype=torch.int64), FACTS)
ALLOWED: tuple[tuple[Any, str, str, Callable[..., Any]], ...] = (
    (
        fit_module,
        "epoch_batches",
        "the order of an epoch is drawn on the host and moved once",
        lambda indices, batch, order, gpu: torch.split(torch.arange(len(indices), device=gpu), batch),
    ),
    (fit_module, "_finite_mean", "the losses of an epoch are looked at, at its end", lambda *_: 1.0),
    (ConfusionMeter, "reweigh", "adaptive class weights follow the pixels counted in an epoch", lambda _: None),
    (Adversary, "mean_losses", "the adversary's losses of an epoch are recorded, at its end", lambda _: (1.0, 1.0)),
    (validation, "_threshold_search", "the thresholds to try are moved once a validation", _threshold),
    (validation, "_finite_mean", "the loss of a validation is looked at, at its end", lambda *_: 1.0),
    (validation, "_scores", "the counted pixels of a validation become its scores", lambda *_: SCORES),
)
"""Where an epoch waits for the device: function, reason, and what stands in for it, as pretended tensors are empty.

None of them is called in a step.
"""
