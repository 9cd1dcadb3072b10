"""Schedules agree with torch's own where they compute the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR, PolynomialLR, ReduceLROnPlateau

from spaces.modules.optimizer import build_optimizer
from spaces.modules.schedule import build_schedule, one_cycle
from spaces.recipe import Optimisation


def parameter() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.ones(3))


def rates(section: Optimisation, steps_per_epoch: int) -> list[float]:
    """The learning rate of each step."""
    schedule = build_schedule(section, build_optimizer(section, [parameter()]), section.epochs * steps_per_epoch)
    found = []
    for _ in range(section.epochs * steps_per_epoch):
        found.append(schedule.lr)
        schedule.step()
    return found


@pytest.mark.parametrize(("epochs", "steps"), [(1, 4), (3, 7), (10, 10), (22, 31)])
def test_one_cycle_is_torchs(epochs: int, steps: int) -> None:
    optimizer = torch.optim.SGD([parameter()], lr=0.02)
    theirs = OneCycleLR(optimizer, max_lr=0.02, total_steps=epochs * steps, cycle_momentum=False)
    expected = []
    for _ in range(epochs * steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(expected) < epochs * steps:
            theirs.step()
    found = rates(Optimisation(schedule="one_cycle", lr=0.02, epochs=epochs), steps)
    assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "torchs"),
    [
        ("cosine", lambda optimizer: CosineAnnealingLR(optimizer, T_max=60)),
        ("poly", lambda optimizer: PolynomialLR(optimizer, total_iters=60, power=0.9)),
    ],
)
def test_a_course_without_a_warm_up_is_torchs(
    name: Literal["cosine", "poly"], torchs: Callable[[torch.optim.Optimizer], LRScheduler]
) -> None:
    optimizer = torch.optim.SGD([parameter()], lr=0.02)
    theirs, expected = torchs(optimizer), []
    for _ in range(60):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    assert rates(Optimisation(schedule=name, lr=0.02, epochs=6), 10) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("schedule", ["none", "one_cycle", "cosine", "poly", "plateau"])
def test_sgd_has_a_rate_of_its_own(schedule: Literal["none", "one_cycle", "cosine", "poly"]) -> None:
    own, plain, other = (
        rates(Optimisation(schedule=schedule, epochs=4, optimizer=optimizer, lr=lr, sgd_lr=own), 5)
        for optimizer, lr, own in (("sgd", 1e-3, 3e-2), ("sgd", 3e-2, 0.0), ("adamw", 1e-3, 3e-2))
    )
    assert own == pytest.approx(plain, rel=1e-12)
    assert max(own) == pytest.approx(30 * max(other))
    section = Optimisation(optimizer="sgd", lr=1e-3, sgd_lr=3e-2)
    assert build_optimizer(section, [parameter()]).lr == pytest.approx(3e-2)


def test_no_schedule_is_constant() -> None:
    assert set(rates(Optimisation(schedule="none", lr=0.02, epochs=3), 4)) == {0.02}


@given(total=st.integers(1, 500))
def test_one_cycle_of_any_length_reaches_the_top(total: int) -> None:
    course = [one_cycle(step, total) for step in range(total)]
    assert all(0 < share <= 1 for share in course)
    assert max(course) > 0.8
    assert math.isclose(course[-1], 1 / 25e4, rel_tol=1e-6) or total == 1


def test_plateau_halves_after_a_stall_down_to_the_floor() -> None:
    section = Optimisation(schedule="plateau", lr=4e-5, epochs=100)
    schedule = build_schedule(section, build_optimizer(section, [parameter()]), 300)
    seen = []
    for score in [0.1, 0.2, *[0.2] * 18]:
        schedule.step()
        schedule.observe(score)
        seen.append(schedule.lr)
    assert seen == pytest.approx([4e-5] * 7 + [2e-5] * 6 + [1e-5] * 7)


@given(scores=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, math.nan]), max_size=60))
def test_plateau_is_torchs(scores: list[float]) -> None:
    optimizer = torch.optim.SGD([parameter()], lr=1e-3)
    theirs = ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=5, threshold=0.0, min_lr=1e-5)
    section = Optimisation(schedule="plateau", lr=1e-3)
    schedule = build_schedule(section, build_optimizer(section, [parameter()]), 300)
    for score in scores:
        theirs.step(score)
        schedule.observe(score)
        assert schedule.lr == optimizer.param_groups[0]["lr"]


def test_plateau_forgives_an_improvement_and_nan_is_none() -> None:
    section = Optimisation(schedule="plateau", lr=1e-2)
    schedule = build_schedule(section, build_optimizer(section, [parameter()]), 30)
    for score in [0.1, *[0.1] * 5, 0.2, *[0.2] * 5]:
        schedule.observe(score)
    assert schedule.lr == 1e-2
    schedule.observe(math.nan)
    assert schedule.lr == 5e-3
