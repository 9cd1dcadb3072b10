"""Every option of every axis of the Recipe builds, trains one step and leaves finite gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
import torch
from optuna.distributions import CategoricalDistribution

from spaces.axis import Axis
from spaces.build.augment import build_augment
from spaces.build.class_weights import class_weights
from spaces.build.losses import build_loss
from spaces.build.network import build_network
from spaces.build.optim import build_optimizer, build_schedule
from spaces.facts import DataFacts
from spaces.recipe import Part, Recipe


def ends(axis: Axis) -> tuple[Any, ...]:
    distribution = axis.distribution
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return (distribution.low, distribution.high)


def options(part: type[Part], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(path, value) for each option of each axis below part; an optional part is also turned off."""
    for name, field in part.model_fields.items():
        here = (*path, name)
        axes = [entry for entry in field.metadata if isinstance(entry, Axis)]
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        parts = [kind for kind in inner if issubclass(kind, Part)]
        for axis in axes:
            yield from ((here, value) for value in ends(axis))
        for kind in parts:
            yield from options(kind, here)
        if parts and type(None) in get_args(field.annotation):
            yield here, None


def recipe_with(path: tuple[str, ...], value: Any) -> Recipe:
    """The smallest recipe that has this value there."""
    plain: dict[str, Any] = {
        "model": {"filters": 4},
        "loss": {"dice": {"weight": 0.5}},
        "class_weights": {"factors": {"sky": 0.5, "soil": 1.0, "sand": 1.0, "rock": 3.0}},
    }
    here = plain
    for name in path[:-1]:
        here = here.setdefault(name, {})
    here[path[-1]] = value
    if path[-1] == "filters":
        plain["model"]["depth"] = 2
    return Recipe.model_validate(plain)


EVERY = list(options(Recipe))


def test_the_walk_finds_the_axes() -> None:
    found = {".".join(path) for path, _ in EVERY}
    assert {"model.depth", "model.norm", "loss.dice", "loss.focal.gamma", "augment.blur", "optimisation.lr"} <= found
    assert len(EVERY) > 70


@pytest.mark.parametrize(("path", "value"), EVERY, ids=[f"{'.'.join(path)}={value}" for path, value in EVERY])
@pytest.mark.parametrize("size", [(64, 128), (37, 51)], ids=["64x128", "37x51"])
def test_every_option_trains_one_step(
    path: tuple[str, ...], value: Any, size: tuple[int, int], facts: DataFacts
) -> None:
    recipe = recipe_with(path, value)
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(2, 1, *size, generator=generator) * 255
    masks = torch.randint(0, 4, (2, *size), generator=generator)
    network = build_network(recipe, facts, mean=[127.0], std=[70.0])
    weights = class_weights(recipe.class_weights, facts, [0.3, 0.3, 0.3, 0.1])
    loss = build_loss(recipe.loss, weights, facts, None)
    optimizer = build_optimizer(recipe.optimisation, network.parameters())
    schedule = build_schedule(recipe.optimisation, optimizer, steps_per_epoch=1)

    images, masks = build_augment(recipe.augment, facts, std=[70.0])(images, masks, generator)
    logits = network(images)
    loss(logits, masks).backward()

    assert logits.shape == (2, 4, *size)
    assert logits.dtype == torch.float32
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
    assert sum(float(gradient.abs().sum()) for gradient in gradients.values() if gradient is not None) > 0
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer.step()
    schedule.step()
    schedule.observe(0.5)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert 0 <= schedule.lr <= recipe.optimisation.lr
