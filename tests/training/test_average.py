"""The moving average of a network's weights: the right numbers, its own statistics, and it changes no training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from search.outcome.predict import predict_labels
from search.training.arrays import TrainingData
from search.training.batches import stream
from search.training.checkpoint import NETWORK
from search.training.confusion import confusion_matrix
from search.training.fit import Epoch, fit, measure_statistics
from search.training.metrics import scores
from search.training.setup import prepare
from search.training.step import train_step
from spaces.modules.networks.average import WeightAverage
from spaces.modules.networks.network import Network, build_network
from spaces.recipe import Recipe

CPU = torch.device("cpu")
PIX2PIX = {
    "family": "pix2pix",
    "generator": {"family": "unet", "filters": 4, "depth": 2},
    "discriminator_filters": 8,
    "generated": 0.5,
}


def recipe(ema: float, *, kept: str = "best", **sections: Any) -> Recipe:
    plain: dict[str, Any] = {
        "model": {"family": "unet", "filters": 4, "depth": 2, "dropout": 0.2},
        "optimisation": {"batch_size": 4, "epochs": 4, "lr": 1e-2, "ema": ema, "kept": kept},
    }
    return Recipe.model_validate(plain | sections)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def doubles(network: Network) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().double() for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_is_the_average_of_a_slow_reference_in_float64(decay: float, grey: TrainingData) -> None:
    """Over 12 real steps, of which the first seven have less than 0.5; 0.999 is not reached."""
    setup = prepare(recipe(decay), grey, CPU, lambda: False)
    setup.network.train()
    assert setup.average is not None
    expected = doubles(setup.network)
    for step in range(12):
        rows = torch.arange(4) + 4 * (step % 6)
        train_step(setup, rows, 1, stream(0, step, 1), None)
        now = min(decay, (1 + step) / (10 + step))
        for name, weights in doubles(setup.network).items():
            expected[name] = now * expected[name] + (1 - now) * weights
    for name, average in doubles(setup.average.network).items():
        torch.testing.assert_close(average, expected[name], rtol=1e-5, atol=1e-7)
    assert setup.average.steps == 12


def test_a_short_training_keeps_nothing_of_its_initial_weights(grey: TrainingData) -> None:
    network = build_network(recipe(0.0), grey.facts, mean=[0.0], std=[1.0])
    average = WeightAverage(network, 0.9999)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(3.0)
    for _ in range(20):
        average.step()
    for parameter in average.network.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 3.0), rtol=1e-5, atol=1e-5)


class Operations(TorchDispatchMode):
    """Notes the name of every operation under it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.name())
        return func(*args, **(kwargs or {}))


def test_a_step_is_one_operation_on_the_device(grey: TrainingData) -> None:
    """No number is read back and nothing is copied between host and device, for which the step would have to wait."""
    average = WeightAverage(build_network(recipe(0.0), grey.facts, mean=[0.0], std=[1.0]), 0.9)
    with Operations() as seen:
        average.step()
        average.step()
    assert seen.names == ["aten::_foreach_lerp_.Scalar"] * 2


@pytest.mark.parametrize(
    "sections",
    [{}, {"model": PIX2PIX}, {"background": {"filters": 4, "depth": 2}}],
    ids=["unet", "pix2pix", "background"],
)
def test_it_only_looks_on(sections: dict[str, Any], grey: TrainingData) -> None:
    """With or without one, the weights that are trained are the same to the last bit; of Pix2Pix late labels, too."""
    losses, weights = [], []
    for ema in (0.0, 0.9):
        epochs: list[Epoch] = []
        for epoch in fit(recipe(ema, **sections), grey):
            epochs.append(epoch)
            snapshot = epoch.snapshot()
        losses.append([epoch.record.train_loss for epoch in epochs])
        weights.append(snapshot.below(NETWORK))
    assert losses[0] == losses[1]
    network = build_network(recipe(0.0, **sections), grey.facts, mean=[0.0], std=[1.0])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name, _ in network.named_parameters())


def test_without_a_decay_there_is_none(grey: TrainingData) -> None:
    setup = prepare(recipe(0.0), grey, CPU, lambda: False)
    assert setup.average is None
    assert setup.scored is setup.network


@pytest.mark.parametrize("kept", ["best", "last"])
@pytest.mark.parametrize("sections", [{}, {"background": {"filters": 4, "depth": 2}}], ids=["unet", "background"])
def test_the_score_is_that_of_the_averaged_weights(kept: str, sections: dict[str, Any], grey: TrainingData) -> None:
    wanted = recipe(0.9, kept=kept, **sections)
    epoch = [epoch for epoch in fit(wanted, grey) if epoch.counts][-1]
    network = build_network(wanted, grey.facts, mean=[0.0], std=[1.0])
    network.load_state_dict(dict(epoch.weights or {}))
    labels = predict_labels(network, grey.validation_images, batch_size=8)
    counts = confusion_matrix(torch.tensor(labels), torch.tensor(grey.validation_masks), 3)
    assert scores(counts, grey.facts).confusion == epoch.record.confusion


def test_the_statistics_are_those_of_the_average_itself(grey: TrainingData) -> None:
    """Measured on the averaged weights: neither the trained network's nor the mean of its own."""
    wanted = recipe(0.9, kept="last")
    for epoch in fit(wanted, grey):
        weights, trained = dict(epoch.weights or {}), epoch.snapshot().below(NETWORK)
    statistics = [name for name in weights if "running" in name]
    setup = prepare(wanted, grey, CPU, lambda: False)
    setup.network.load_state_dict(weights)
    with torch.no_grad():
        for name, buffer in setup.network.named_buffers():
            if name in statistics:
                buffer.fill_(7.0)
    measure_statistics(setup, setup.network)
    measured = setup.network.state_dict()
    assert statistics
    assert all(torch.equal(measured[name], weights[name]) for name in statistics)
    assert not any(torch.equal(trained[name], weights[name]) for name in statistics)
