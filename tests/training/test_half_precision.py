"""Training in float16, as GPUs without bfloat16 do it: tried on the CPU, whose float16 is the same format."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from search.training import device
from search.training.arrays import TrainingData
from search.training.checkpoint import read_snapshot, write_snapshot
from search.training.fit import fit
from search.worker.driver import DriverGpu
from search.worker.gpus import shared
from spaces.modules.loss_scale import FIRST, INTERVAL, LossScale
from spaces.modules.optimizer import build_optimizer
from spaces.recipe import Optimisation, Recipe

CPU = torch.device("cpu")


@pytest.fixture
def half(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that computes in float16."""
    monkeypatch.setattr(device, "autocast_dtype", lambda device: torch.float16)


def weights() -> list[Parameter]:
    torch.manual_seed(0)
    return [Parameter(torch.randn(4, 3, 3, 3)), Parameter(torch.randn(4))]


def loss_of(parameters: list[Parameter]) -> Tensor:
    return torch.stack([parameter.square().sum() for parameter in parameters]).sum()


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_scaled_step_is_the_same_step(optimizer: Literal["sgd", "adam", "adamw"], clip: float) -> None:
    """The factor is a power of two, so that scaling rounds nothing."""
    section, scale = Optimisation(optimizer=optimizer, clip=clip), LossScale(CPU)
    plain, scaled = weights(), weights()
    by_plain, by_scaled = build_optimizer(section, plain), build_optimizer(section, scaled)
    for _ in range(3):
        by_plain.zero_grad()
        by_scaled.zero_grad()
        loss_of(plain).backward()
        scale.scaled(loss_of(scaled)).backward()
        scale.unscale(by_scaled.parameters)
        by_plain.step()
        by_scaled.step(scale.overflow)
        scale.follow()
    assert all(torch.equal(one, other) for one, other in zip(plain, scaled, strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_a_step_that_overflows_moves_nothing_and_halves_the_factor(optimizer: Literal["sgd", "adam", "adamw"]) -> None:
    parameters, scale = weights(), LossScale(CPU)
    moving = build_optimizer(Optimisation(optimizer=optimizer), parameters)
    before = [parameter.detach().clone() for parameter in parameters]
    scale.scaled(loss_of(parameters)).backward()
    assert parameters[0].grad is not None
    parameters[0].grad[0, 0, 0, 0] = torch.inf
    scale.unscale(moving.parameters)
    moving.step(scale.overflow)
    scale.follow()
    assert all(torch.equal(one, other) for one, other in zip(before, parameters, strict=True))
    assert scale.state()["scale"].item() == FIRST / 2
    moving.zero_grad()
    scale.scaled(loss_of(parameters)).backward()
    scale.unscale(moving.parameters)
    moving.step(scale.overflow)
    assert not any(torch.equal(one, other) for one, other in zip(before, parameters, strict=True))


def test_a_factor_that_has_been_small_enough_for_long_is_doubled() -> None:
    scale = LossScale(CPU)
    for _ in range(INTERVAL):
        scale.follow()
    assert scale.state()["scale"].item() == 2 * FIRST


def test_only_float16_is_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (None, torch.bfloat16, torch.float16):
        monkeypatch.setattr(device, "autocast_dtype", lambda device, kind=kind: kind)
        assert (device.loss_scale(CPU) is not None) == (kind is torch.float16)


@pytest.mark.parametrize(
    ("bfloat16", "capability", "expected"),
    [
        (True, (8, 0), torch.bfloat16),
        (False, (7, 5), torch.float16),
        (False, (7, 0), torch.float16),
        (False, (6, 1), None),
    ],
)
def test_what_a_gpu_computes_in(
    bfloat16: bool, capability: tuple[int, int], expected: torch.dtype | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bfloat16)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert device.autocast_dtype(torch.device("cuda", 0)) is expected
    assert shared(DriverGpu(uuid="GPU-1", capability=capability), 1).half == (expected is not None)


SMALL: dict[str, Any] = {"filters": 4, "depth": 2, "growth": 1.5}


@pytest.mark.usefixtures("half")
@pytest.mark.parametrize(
    "sections",
    [
        {"model": {"family": "unet"} | SMALL, "background": {"filters": 4, "depth": 2}},
        {"model": {"family": "pix2pix", "generator": {"family": "unet"} | SMALL, "discriminator_filters": 8}},
    ],
    ids=["background", "pix2pix"],
)
def test_a_training_in_float16_learns_and_goes_on_bit_for_bit(
    sections: dict[str, Any], grey: TrainingData, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    section = {"batch_size": 8, "epochs": 5, "lr": 1e-2}
    recipe = Recipe.model_validate(sections | {"optimisation": section})
    epochs = [(epoch.record, epoch.snapshot()) for epoch in fit(recipe, grey)]
    assert max(record.miou for record, _ in epochs) > 0.5
    assert epochs[-1][0].train_loss < epochs[0][0].train_loss
    write_snapshot(tmp_path / "two", epochs[1][1])
    resumed = [
        epoch.snapshot() for epoch in islice(fit(recipe, grey, resume=read_snapshot(tmp_path / "two", 10**8)), 3)
    ]
    last = epochs[-1][1].tensors
    assert {name for name in last if name.startswith("scale/")} >= {"scale/0/scale", "scale/0/steps"}
    assert all(torch.equal(kept, last[name]) for name, kept in resumed[-1].tensors.items())
