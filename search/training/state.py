"""The state of a training between two epochs: taken as a `Snapshot`, and put back so that no bit differs.

The random numbers of an epoch depend on the recipe's seed and the epoch's number alone (`search.training.batches`),
so no generator's state is part of it. A snapshot holds

    network/NAME                  the network's state now
    average/NAME                  the state of its moving average, where there is one
    best/NAME                     the state that is kept, of the one that is scored, where it is from another epoch
    shown                         the labels that this state gives the shown images
    loss/NAME                     buffers of the loss: class weights that follow the training
    discriminator/NAME            the adversary's, where there is one
    optimizer/I/NAME/KEY          what the I-th optimiser keeps for the parameter of that name
    scale/I/NAME                  factors on the losses of a training in float16, the adversary's second
    document                      identity (of recipe, data and objective), best score and its epoch, the epoch whose
                                  weights are kept, whether it was the last, schedules, the steps of the average; for
                                  people: device, threads, torch
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from search.training.arrays import TrainingData
from search.training.checkpoint import AVERAGE, KEPT, NETWORK, SHOWN, CheckpointError, Snapshot, copied
from search.training.epoch import counting
from search.training.setup import Setup
from spaces.modules.optimizer import Optimizer
from spaces.modules.schedule import ANNEALED
from spaces.recipe import Recipe


class State:
    """Which epoch counts so far, and everything that changes while a setup is trained.

    epoch: the last one that has ended, 0 for none. last: none follows. settled: no epoch is under way.
    best, best_epoch: the highest score and its epoch, for patience. kept_epoch, kept_weights, kept_shown: the epoch
    whose weights count, these, and the labels that they give the shown images.
    """

    def __init__(self, setup: Setup, objective: str) -> None:
        """Stand before the first epoch. objective: the score's name, part of the training's identity."""
        self._setup = setup
        self._objective = objective
        self.epoch = 0
        self.last = False
        self.settled = True
        self.best = -math.inf
        self.best_epoch = 0
        self.kept_epoch = 0
        self.kept_weights: Mapping[str, Tensor] = {}
        self.kept_shown = torch.zeros(0, dtype=torch.uint8)

    def end(self, number: int, score: float, shown: Tensor) -> bool:
        """Take the score of an epoch that has ended; whether its weights count from now on (the first's always do)."""
        section = self._setup.recipe.optimisation
        self.epoch, self.settled = number, True
        counts = number == 1 or counting(section.kept, (self.best, score)) == 1
        if counts:
            self.kept_epoch, self.kept_weights, self.kept_shown = number, _copies(self._setup.scored), shown
        if number == 1 or score > self.best:
            self.best, self.best_epoch = (-math.inf if math.isnan(score) else score), number
        tired = section.schedule not in ANNEALED and number - self.best_epoch >= section.patience
        self.last = number == section.epochs or tired
        return counts

    def snapshot(self, number: int) -> Snapshot:
        """The state after that epoch. Raises RuntimeError once the training has gone on."""
        if number != self.epoch or not self.settled:
            raise RuntimeError(f"the snapshot of epoch {number} must be taken before the training goes on")
        return Snapshot(epoch=number, tensors=dict(self._tensors()), document=self._document())

    def restore(self, snapshot: Snapshot) -> None:
        """Put the state back into a setup that was just built.

        Raises CheckpointError when it is that of another recipe, data set or objective, or damaged; the setup is
        then of no more use.
        """
        if snapshot.document.get("identity") != self.identity:
            raise CheckpointError("the checkpoint is of another recipe, other data or another objective")
        try:
            self._restore(snapshot)
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
            raise CheckpointError(f"the checkpoint does not fit its recipe: {' '.join(str(error).split())}") from error

    @cached_property
    def identity(self) -> str:
        """The sha256 of all that a training follows from: recipe with its seed, both parts of the data, objective."""
        return _identity(self._setup.recipe, self._setup.data, self._objective)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        setup = self._setup
        if setup.average is not None:
            yield from _prefixed(NETWORK, _copies(setup.network))
        scored = NETWORK if setup.average is None else AVERAGE
        if self.kept_epoch == self.epoch:
            yield from _prefixed(scored, self.kept_weights)
        else:
            yield from _prefixed(scored, _copies(setup.scored))
            yield from _prefixed(KEPT, self.kept_weights)
        yield SHOWN, self.kept_shown
        yield from _prefixed("loss/", _copies(setup.loss))
        if setup.adversary is not None:
            yield from _prefixed("discriminator/", _copies(setup.adversary.discriminator))
        for prefix, tensors in _scales(setup):
            yield from _prefixed(prefix, {name: copied(tensor) for name, tensor in tensors.items()})
        for prefix, optimizer, module in _optimizers(setup):
            names: dict[Tensor, str] = {parameter: name for name, parameter in module.named_parameters()}
            for parameter, kept in optimizer.state.items():
                for key, value in kept.items():  # SGD, Adam and AdamW keep tensors only, their steps too
                    yield f"{prefix}{names[parameter]}/{key}", copied(value)

    def _document(self) -> dict[str, Any]:
        return {
            "identity": self.identity,
            "best": None if math.isinf(self.best) else self.best,
            "best_epoch": self.best_epoch,
            "kept_epoch": self.kept_epoch,
            "last": self.last,
            "schedules": [schedule.state() for schedule in self._setup.schedules],
            "averaged": 0 if self._setup.average is None else self._setup.average.steps,
            "device": self._setup.device.type,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def _restore(self, snapshot: Snapshot) -> None:
        setup, document = self._setup, snapshot.document
        best, kept = int(document["best_epoch"]), snapshot.kept_epoch
        if not (min(best, kept) >= 1 and max(best, kept) <= snapshot.epoch <= setup.recipe.optimisation.epochs):
            raise ValueError(f"epoch {snapshot.epoch} with the best one {best} and {kept} kept is none of its epochs")
        setup.network.load_state_dict(snapshot.below(NETWORK))  # into the tensors there are, in their order of memory
        if setup.average is not None:
            setup.average.network.load_state_dict(snapshot.below(AVERAGE))
            setup.average.steps = int(document["averaged"])
        setup.loss.load_state_dict(snapshot.below("loss/"))
        if setup.adversary is not None:
            setup.adversary.discriminator.load_state_dict(snapshot.below("discriminator/"))
        for prefix, tensors in _scales(setup):
            for name, saved in snapshot.below(prefix).items():
                tensors[name].copy_(saved)
        for prefix, optimizer, module in _optimizers(setup):
            _restore_optimizer(optimizer, module, snapshot.below(prefix))
        for schedule, course in zip(setup.schedules, document["schedules"], strict=True):
            schedule.restore(course)
        self.epoch, self.last = snapshot.epoch, bool(document["last"])
        self.best = -math.inf if document["best"] is None else float(document["best"])
        self.best_epoch, self.kept_epoch = best, kept
        self.kept_weights, self.kept_shown = snapshot.kept_weights(), snapshot.kept_shown
        expected = {name: tensor.shape for name, tensor in setup.network.state_dict().items()}
        if {name: tensor.shape for name, tensor in self.kept_weights.items()} != expected:
            raise ValueError("the weights that are kept are incomplete")


def _copies(module: nn.Module) -> dict[str, Tensor]:
    return {name: copied(tensor) for name, tensor in module.state_dict().items()}


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((prefix + name, tensor) for name, tensor in tensors.items())


def _optimizers(setup: Setup) -> Iterator[tuple[str, Optimizer, nn.Module]]:
    """Each optimiser with the prefix of its tensors and the module that names its parameters."""
    for number, state in enumerate(setup.optimizers):
        yield f"optimizer/{number}/", state.optimizer, setup.network
    if setup.adversary is not None:
        yield f"optimizer/{len(setup.optimizers)}/", setup.adversary.optimizer, setup.adversary.discriminator


def _scales(setup: Setup) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The tensors of each scale of a loss, with their prefix; none where nothing is computed in float16."""
    for number, scale in enumerate((setup.scale, None if setup.adversary is None else setup.adversary.scale)):
        if scale is not None:
            yield f"scale/{number}/", scale.state()


def _restore_optimizer(optimizer: Optimizer, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give the optimiser what it kept, tensor for tensor.

    Not by load_state_dict: a fused step runs along the memory of parameter and state side by side, so a tensor must
    lie in the same order of memory (channels last) as its parameter, and a file keeps row order only.
    """
    parameters = dict(module.named_parameters())
    own = set(optimizer.parameters)
    for name, saved in tensors.items():
        owner, _, key = name.rpartition("/")
        parameter = parameters[owner]
        if parameter not in own or saved.shape not in (parameter.shape, ()):
            raise ValueError(f"the optimiser's {name} has shape {tuple(saved.shape)}")
        if saved.shape == parameter.shape:
            kept = torch.empty_like(parameter, dtype=saved.dtype, requires_grad=False).copy_(saved)
        else:
            kept = saved.to(parameter.device, copy=True)  # a number of steps: fused optimisers keep it on the device
        optimizer.state.setdefault(parameter, {})[key] = kept


def _identity(recipe: Recipe, data: TrainingData, objective: str) -> str:
    words = [recipe.non_defaults(), data.facts.model_dump(mode="json"), data.ignore_label, objective]
    digest = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
    for array in (data.train_images, data.train_masks, data.validation_images, data.validation_masks):
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    for sizes in (data.train_sizes, data.validation_sizes):
        digest.update(b"" if sizes is None else np.ascontiguousarray(sizes).data)
    return digest.hexdigest()
