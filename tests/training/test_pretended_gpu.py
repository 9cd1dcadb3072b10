"""A step of a training and of its validation never waits for a GPU, whatever the recipe: on a pretended one."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor

from search.training import step
from spaces import Recipe, bind, load_recipe
from support.covering import Option, covering_recipes, options_of
from support.pretended_gpu import WouldWait, pretended_gpu, watched
from support.pretended_training import FACTS, WaitingSchedule, walk_epochs, walk_scaled, walk_steps

WIDE = """
loss: {low: {use: [true, false]}, inter: {use: [true, false]}}
class_weights: {scheme: [none, inverse_frequency, adaptive]}
background: {use: [true, false]}
optimisation: {ema: [0.0, 0.9], clip: [0.0, 12.0], fit_offset: [true, false], decayed: [kernels, all]}
"""
GENERATOR = "model.generator."  # its options are those of its family, and built by the same code
FAMILIES = ("unet", "wnet", "dual_unet", "unetpp", "unet3plus", "deeplab", "marsseg", "pix2pix")


@cache
def recipes() -> tuple[list[Recipe], set[Option]]:
    """Recipes of all families with every option of the whole space among them, and these options."""
    # With few widths what torch knows of one operation holds for more of the others.
    sizes = "depth: 2, filters: 8, shrink: [1, 2, 4], kernel: [3, 5, 7]"
    networks = {name: f"{{family: {name}, {sizes}}}" for name in FAMILIES[:-1]}
    models = [*networks.values(), f"{{family: pix2pix, generator: {networks['unet']}}}"]
    return covering_recipes([bind(FACTS, f"model: {model}{WIDE}") for model in models], GENERATOR)


def test_the_recipes_have_every_option_of_the_whole_space() -> None:
    missing = options_of(bind(FACTS, "base: whole")) - recipes()[1]
    families = {("model.family", family) for family in FAMILIES}
    assert {(path, option) for path, option in missing if not path.startswith(GENERATOR)} == families


@pytest.fixture(scope="module")
def fresh() -> Iterator[ProcessPoolExecutor]:
    """A process without a step behind it: torch counts a process's devices once, at its first `backward`."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        process.submit(int).result()  # it starts with the first call
        yield process


@pytest.mark.parametrize("family", FAMILIES)
def test_no_step_waits_for_the_device(family: str, fresh: ProcessPoolExecutor) -> None:
    """Of any recipe: with the last test all of them together have every option."""
    torch.ones(1, requires_grad=True).sum().backward()  # too late for a device that comes after it
    found = [recipe for recipe in recipes()[0] if recipe.model.family == family]
    assert found
    assert list(fresh.map(walk_steps, found)) == [None] * len(found)


BACKGROUND = """
model: {depth: 2, filters: 4}
background: {depth: 2, filters: 4}
optimisation: {clip: 12.0}
"""
ADAPTIVE = """
model: {family: marsseg, filters: 8}
class_weights: {scheme: adaptive}
background: {depth: 2, filters: 4}
optimisation: {ema: 0.9, epochs: 3}
"""
ADVERSARIAL = """
model: {family: pix2pix, generator: {depth: 2, filters: 4}, discriminator_filters: 8, generated: 0.25}
optimisation: {epochs: 3, ema: 0.9, schedule: plateau}
"""
OFFSET = """
model: {depth: 2, filters: 4}
data: {crop: 32, oversample: {copies: 2}}
optimisation: {epochs: 3, fit_offset: true, kept: last}
"""


@pytest.mark.parametrize("text", [ADAPTIVE, ADVERSARIAL, OFFSET], ids=["adaptive", "adversarial", "offset"])
def test_an_epoch_waits_only_where_it_is_allowed(text: str, fresh: ProcessPoolExecutor) -> None:
    """Its steps, statistics, validation, what counts, and the copies for a checkpoint: all but `ALLOWED`."""
    assert fresh.submit(walk_epochs, load_recipe(text), height=32).result() is None


def test_no_step_in_float16_waits_for_the_device(fresh: ProcessPoolExecutor) -> None:
    """Of which the factor on the loss is found on the device, and a step that overflows is left out there."""
    assert fresh.submit(walk_scaled, load_recipe(BACKGROUND)).result() is None


def test_a_wait_between_two_steps_is_found(fresh: ProcessPoolExecutor) -> None:
    recipe = load_recipe("model: {depth: 2, filters: 4}\noptimisation: {epochs: 3}")
    with pytest.raises(WouldWait, match="reads a number of the device"):
        fresh.submit(walk_epochs, recipe, schedule=WaitingSchedule).result()


CROPS = """
model: {depth: 2, filters: 4}
augment: {mixing: {method: %s}, geometry: {rotation: 10.0}}
data: {crop: %s, oversample: {copies: 2, isolate: %s}}
%s
"""


@pytest.mark.parametrize(
    "values",
    [
        ("cutmix", 32, "true", "background: {depth: 2, filters: 4}"),
        ("copy_paste", 96, "false", "optimisation: {fit_offset: true, ema: 0.9}"),  # higher than the images
    ],
)
def test_no_step_on_crops_waits_for_the_device(values: tuple[str, int, str, str], fresh: ProcessPoolExecutor) -> None:
    assert fresh.submit(walk_steps, load_recipe(CROPS % values), height=32).result() is None


def item(images: Tensor) -> None:
    images.sum().item()


def truth(images: Tensor) -> None:
    assert images.sum() > 0


def nonzero(images: Tensor) -> None:
    images.nonzero()


def boolean_index(images: Tensor) -> None:
    _ = images[images > 3]


def copy_to_the_host(images: Tensor) -> None:
    images.cpu()


def copy_from_the_host(images: Tensor) -> None:
    torch.tensor([1.0, 2.0]).to(images.device)


def copy_in_place(images: Tensor) -> None:
    images.copy_(torch.zeros(images.shape))


def index_of_the_cpu(images: Tensor) -> None:
    _ = images[torch.arange(2)]


def index_select_of_the_cpu(images: Tensor) -> None:
    images.index_select(0, torch.arange(2))


def weight_of_the_cpu(images: Tensor) -> None:
    torch.conv2d(images, torch.ones(3, 1, 3, 3))


def sum_of_two_devices(images: Tensor) -> None:
    _ = images + torch.ones(images.shape)


def generator_of_the_cpu(images: Tensor) -> None:
    torch.rand(3, generator=torch.Generator(), device=images.device)


FAULTS = (
    item,
    truth,
    nonzero,
    boolean_index,
    copy_to_the_host,
    copy_from_the_host,
    copy_in_place,
    index_of_the_cpu,
    index_select_of_the_cpu,
    weight_of_the_cpu,
    sum_of_two_devices,
    generator_of_the_cpu,
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_a_step_is_found_and_its_line_named(fault: Callable[[Tensor], None]) -> None:
    """Put in where the images of a batch are made: in the first step nothing is watched, in the second it is."""
    made, calls = step.image_batch, []

    def faulty(*arguments: Any) -> Tensor:
        images: Tensor = made(*arguments)
        calls.append(images)
        if len(calls) > 1:
            fault(images)
        return images

    with (
        mock.patch.object(step, "image_batch", faulty),
        pytest.raises(WouldWait, match=r"step\.py:\d+: images = image_batch"),
    ):
        walk_steps(load_recipe("model: {depth: 2, filters: 4}"))
    assert len(calls) == 2


def test_what_is_allowed_is_no_fault() -> None:
    """Numbers of the host go along with a call, and so does a tensor without dimensions."""
    with pretended_gpu() as gpu:
        images = torch.zeros(2, 3, device=gpu)
        with watched():
            assert ((images + 1) * torch.tensor(2.0)).device == gpu
            assert images[:, 1].masked_fill(images[:, 0] > 0, -1.0).device == gpu
