"""Every value of every axis builds, trains one step and leaves finite gradients everywhere, and can be taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from torch import Tensor, nn
from torch.nn import functional

from search.training.samples import build_donors, build_samples
from spaces import DataFacts, Recipe, Space, bind
from spaces.axis import Axis
from spaces.modules.augmentation.augment import build_augment
from spaces.modules.losses.class_weights import adaptive_weights, class_weights
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.network import build_network
from spaces.modules.networks.patchgan import build_discriminator
from spaces.modules.optimizer import build_optimizer
from spaces.modules.schedule import build_schedule
from spaces.recipe.architecture import Pix2Pix
from spaces.recipe.part import Part
from spaces.tree import Leaf, Optional, PerClass, Section, children, walk

Path = tuple[str, ...]
Case = tuple[Path, Any, str]  # where, what, and the family of networks it is tried on

NAMES = ("sky", "soil", "sand", "rock")
FACTS = DataFacts(channels=1, height=64, width=128, class_names=NAMES, excluded=("sky",))
SHARES = [0.3, 0.3, 0.3, 0.1]
SIZES = ((32, 48), (19, 27))  # halved without a rest, and not
LARGER = ((32, 48), (37, 51))  # for discriminators, which halve up to four times before a kernel of 4
FAMILIES = tuple(dict(children(Recipe))["model"].options)  # type: ignore[union-attr]
# What some axes need beyond the smallest network, so that their values differ.
NEEDS: dict[str, dict[str, Any]] = {
    "output_stride": {"depth": 4},
    "rates": {"depth": 4},
    "halvings": {"depth": 3},
    "dropout_place": {"dropout": 0.3},
    "block": {"depth": 3},
    "decoder_block": {"depth": 3},
    "second_decoder_block": {"depth": 3},
    "upsampling": {"depth": 3},
    "widest": {"depth": 3},
    "loss": {"depth": 3},  # a UNet++ of two levels has no head between the first and the last
}
LEVELS = ("low", "inter")


def values(axis: Axis) -> tuple[Any, ...]:
    """Every option, or both ends of a range and a value between them."""
    match axis.distribution:
        case CategoricalDistribution(choices=choices):
            return tuple(choices)
        case IntDistribution(low=low, high=high, step=step):
            return (low, low + (high - low) // step // 2 * step, high)
        case FloatDistribution(low=low, high=high, log=log):
            return (low, (low * high) ** 0.5 if log else (low + high) / 2, high)
    raise TypeError(axis)


def cases(part: type[Part], path: Path, family: str) -> Iterator[Case]:
    """Each value of each axis below a part; an optional part is also turned off and on."""
    for name, node in children(part):
        here = (*path, name)
        match node:
            case Leaf(axis=axis):
                yield from ((here, value, family) for value in values(axis))
            case PerClass(axis=axis):
                yield from ((here, {"rock": value}, family) for value in values(axis))
            case Optional():
                yield here, None, family
                yield here, {}, family
                yield from cases(node.part, here, family)
            case Section(discriminator="family"):
                for option in node.options:
                    yield here, {"family": option, "filters": 4, "depth": 2}, family
            case Section():
                yield from cases(node.options[""], here, family)


def every_case() -> Iterator[Case]:
    """The axes of each family, then those of the other sections on the smallest U-Net, then levels on each family."""
    for name, node in children(Recipe):
        if isinstance(node, Section) and node.discriminator:
            for family, part in node.options.items():
                yield from cases(part, (name,), family)
        elif isinstance(node, Section):
            yield from cases(node.options[""], (name,), "unet")
        elif isinstance(node, Optional):
            yield (name,), {}, "unet"
            yield from cases(node.part, (name,), "unet")
    for family in FAMILIES:
        for levels in ({"low": {}}, {"inter": {}}, {"low": {}, "inter": {}}):
            yield ("loss",), levels, family


def recipe_with(path: Path, value: Any, family: str) -> Recipe:
    """The smallest recipe of the family that has this value there."""
    small: dict[str, Any] = {"filters": 4, "depth": 2} | NEEDS.get(path[-1], {})
    model = {"generator": {"family": "unet"} | small, "discriminator_filters": 8} if family == "pix2pix" else small
    plain: dict[str, Any] = {
        "model": {"family": family} | model,
        "loss": {"dice": {"weight": 0.5}},
        "class_weights": {"factors": {name: 1.0 + k for k, name in enumerate(NAMES)}},
        "optimisation": {"batch_size": 4},
    }
    if path[-1] == "sgd_lr":
        plain["optimisation"]["optimizer"] = "sgd"
    if path[1:2] and path[1] in LEVELS:
        plain["loss"][path[1]] = {"dice": {}}
    here = plain
    for step in path[:-1]:
        here = here.setdefault(step, {})
    merged = isinstance(value, dict) and isinstance(here.get(path[-1]), dict)
    here[path[-1]] = here[path[-1]] | value if merged else value
    return Recipe.model_validate(plain)


EVERY = list(every_case())


def name_of(case: Case) -> str:
    path, value, family = case
    return f"{family}:{'.'.join(path)}={value}".replace(" ", "")


@cache
def wide() -> Space:
    """Every switch searched, every class with a factor."""
    factors = ", ".join(f"{name}: {{low: 0, high: 1000}}" for name in NAMES)
    return bind(
        FACTS,
        f"""
loss: {{low: {{use: [true, false]}}, inter: {{use: [true, false]}}}}
class_weights: {{factors: {{{factors}}}}}
data: {{crop: [0, 1024, 2048]}}
background: {{use: [true, false]}}
""",
    )


def batch(height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height)
    images = torch.rand(2, 1, height, width, generator=generator) * 255
    return images, torch.randint(0, 4, (2, height, width), generator=generator)


def augmented(recipe: Recipe, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """The batch as a training of the recipe would see it: oversampled, mixed, distorted."""
    samples = build_samples(recipe.data, 4, images, masks, FACTS, 3, None)
    rows = samples.indices(4)[-2:]
    images, masks = samples.images[samples.source[rows]], samples.masks[rows]
    step = build_augment(recipe.augment, FACTS, std=[70.0], donors=build_donors(images, masks, 3))
    return step(images, masks, torch.Generator().manual_seed(1))


def check_gradients(network: nn.Module) -> None:
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    assert [name for name, g in gradients.items() if g is not None and not g.isfinite().all()] == []
    assert sum(float(g.abs().sum()) for g in gradients.values() if g is not None) > 0


def test_the_walk_passes_every_axis_of_every_family() -> None:
    walked = {".".join(path) for path, _, _ in EVERY}
    axes = {path for path, node in walk() if isinstance(node, (Leaf, PerClass, Optional))}
    assert {path for path in axes if not path.startswith("model.generator.")} <= walked
    families = {family for path, _, family in EVERY if path[0] == "model"}
    generators = {v["family"] for path, v, _ in EVERY if path == ("model", "generator")}
    assert families == set(FAMILIES) == generators | {"pix2pix"}
    norms = {(family, value) for path, value, family in EVERY if path == ("model", "norm")}
    assert len(norms) == 5 * (len(FAMILIES) - 1)


@pytest.mark.parametrize(("path", "value", "family"), EVERY, ids=map(name_of, EVERY))
def test_every_value_builds_and_trains(path: Path, value: Any, family: str) -> None:
    recipe = recipe_with(path, value, family)
    network = build_network(recipe, FACTS, mean=[127.0], std=[70.0])
    weights = class_weights(recipe.class_weights, FACTS, SHARES)
    if recipe.class_weights.scheme == "adaptive":
        weights = adaptive_weights(recipe.class_weights, FACTS, torch.tensor([0.5, 0.2, float("nan"), 0.0]))
    loss = build_loss(recipe.loss, weights, FACTS, None)

    for size in LARGER if isinstance(recipe.model, Pix2Pix) else SIZES:
        network.zero_grad()
        images, masks = augmented(recipe, *batch(*size))
        outputs = network.outputs(images)
        assert outputs.high.shape == (2, 4, *size)
        assert outputs.high.dtype == torch.float32
        assert bool(outputs.low) == (recipe.loss.low is not None)
        assert bool(outputs.inter) == (recipe.loss.inter is not None)
        total = loss(outputs, masks)
        if recipe.background is not None:
            total = total + functional.softplus(network.background_logit(images)).mean()
        if isinstance(recipe.model, Pix2Pix):
            total = recipe.model.pixel_weight * total + adversarial(recipe.model, images, masks, outputs.high)
        total.backward()
        assert total.isfinite()
        check_gradients(network)
    train_one_step(recipe, network)
    assert network.eval()(images).shape == (2, 4, *size)
    space = wide()
    assert space.recipe(space.params(recipe), recipe.seed) == recipe


def adversarial(model: Pix2Pix, images: Tensor, masks: Tensor, logits: Tensor) -> Tensor:
    """What fooling the discriminator costs, after a step in which the discriminator has learnt."""
    discriminator = build_discriminator(model, FACTS, seed=3)
    truth = functional.one_hot(masks.long(), 4).movedim(-1, 1).float()
    real, fake = discriminator(images / 255, truth), discriminator(images / 255, logits.detach().softmax(dim=1))
    (functional.softplus(-real).mean() + functional.softplus(fake).mean()).backward()
    check_gradients(discriminator)
    discriminator.requires_grad_(False)
    fooled: Tensor = functional.softplus(-discriminator(images / 255, logits.softmax(dim=1))).mean()
    return model.adversarial_weight * fooled


def train_one_step(recipe: Recipe, network: nn.Module) -> None:
    """The optimiser moves the parameters to finite places, and the rate stays in its range."""
    optimizer = build_optimizer(recipe.optimisation, network.parameters())
    schedule = build_schedule(recipe.optimisation, optimizer, total_steps=4)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer.step()
    schedule.step()
    schedule.observe(0.5)
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert 0 <= schedule.lr <= recipe.optimisation.rate
