"""How quick is a training on the device: beside plain loops, beside what the device can do at most, and side by side.

Of each recipe the ways take turns in one process. What a step must do at least is counted: the operations of its
convolutions and matrix products, and the bytes that each operation reads and writes; its ceiling is the time that the
device, as measured here, needs for the larger of the two.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from gpu_lines import Line
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from training_step import RECIPES, measured, random_data, recipe_of

from search.commands.bench import measure
from search.training import setup
from search.training.arrays import TrainingData
from search.training.device import autocast_dtype
from search.training.fit import fit
from search.training.footprint import meta_network
from spaces import Recipe
from storage.data.dataset import write_dataset
from storage.data.quality.examination import examine
from storage.data.synthetic import synthesise

BATCH = 64
CEILING, LAYOUTS = "the device at most", "group normalisation"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured: images of a set, epochs that are timed, filters divided by, side of the matrices."""

    images: int
    epochs: int
    narrower: int
    matrix: int


FULL = Size(images=2048, epochs=3, narrower=1, matrix=8192)
QUICK = Size(images=64, epochs=1, narrower=4, matrix=512)


def images_per_second(device: str, size: Size, names: Iterable[str] = RECIPES) -> Iterator[Line]:
    """A line for each recipe: a plain loop in float32, one with autocast, and ours with all that its recipe asks."""
    data = random_data(size.images, 64, 128)
    operations, traffic = ceilings(device, size)
    yield Line(
        part="speed",
        name=CEILING,
        text=f"{operations / 1e12:.4g} TFLOP/s, {traffic / 1e9:.4g} GB/s",
        numbers={"operations": operations, "traffic": traffic},
    )
    for name in names:
        recipe = recipe_of(name, BATCH, size.narrower)
        rates = measured(recipe, data, size.epochs, device)
        share = least_seconds(recipe, data, device, operations, traffic) * rates["ours"] / BATCH
        text = ", ".join(f"{way} {rate:,.0f}" for way, rate in rates.items())
        yield Line(
            part="speed",
            name=name,
            text=f"images/s {text}; {share:.0%} of the ceiling",
            numbers={**rates, "share": share},
        )


def layouts(device: str, size: Size) -> Iterator[Line]:
    """Images per second of U-Net 16 with group normalisation in both orders of memory, of which a CPU likes torch's."""
    data, plain = random_data(size.images, 64, 128), recipe_of("U-Net 16", BATCH, size.narrower)
    grouped = plain.model_copy(update={"model": plain.model.network.model_copy(update={"norm": "group"})})
    rates = {}
    for name, order in {"torch's own": torch.contiguous_format, "channels last": torch.channels_last}.items():
        with mock.patch.object(setup, "layout", return_value=order):
            epochs = fit(grouped, data, device)
        seconds = [next(epochs).record.seconds for _ in range(1 + size.epochs)][1:]
        rates[name] = len(data.train_images) / min(seconds)
    text = ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())
    yield Line(part="speed", name=LAYOUTS, text=f"images/s {text}", numbers=rates)


def ceilings(device: str, size: Size) -> tuple[float, float]:
    """Operations a second of a large product of matrices, and bytes a second of a copy, read and written."""
    dtype = autocast_dtype(torch.device(device)) or torch.float32
    matrix = torch.randn(size.matrix, size.matrix, device=device).to(dtype)
    product = _best_of(lambda: matrix @ matrix, device)
    block = torch.empty(size.matrix**2 * 4, device=device)
    copy = torch.empty_like(block)
    moved = _best_of(lambda: copy.copy_(block), device)
    return 2 * size.matrix**3 / product, 2 * 4 * block.numel() / moved


def _best_of(call: Callable[[], object], device: str, times: int = 8) -> float:
    """Seconds of the quickest call."""
    taken = []
    for _ in range(times):
        _wait(device)
        began = time.perf_counter()
        call()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return min(taken)


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


class _Traffic(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of every tensor that an operation reads or writes, views left out."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bytes = 0

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = call(*args, **(kwargs or {}))
        made = [leaf for leaf in tree_leaves(found) if isinstance(leaf, Tensor)]
        taken = [leaf for leaf in tree_leaves((args, kwargs or {})) if isinstance(leaf, Tensor)]
        seen = {tensor.untyped_storage()._cdata for tensor in taken}
        if not all(tensor.untyped_storage()._cdata in seen for tensor in made) or not made or call._schema.is_mutable:
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in (*taken, *made))
        return found


def least_seconds(
    recipe: Recipe, data: TrainingData, device: str, operations: float, traffic: float, batch: int = BATCH
) -> float:
    """Of one step forwards and backwards: what the device would take that did one thing at a time and never waited."""
    network = meta_network(recipe, data.facts).train()
    images = torch.empty(batch, data.facts.channels, data.facts.height, data.facts.width, device="meta")
    flops, moved = FlopCounterMode(display=False), _Traffic()
    with flops, moved:
        network.outputs(images).high.sum().backward()
    halved = 0.5 if autocast_dtype(torch.device(device)) is not None else 1.0  # counted in float32
    return max(flops.get_total_flops() / operations, halved * moved.bytes / traffic)


def trials_per_hour(device: str, counts: Sequence[int], recipe: Recipe, folder: Path) -> Iterator[Line]:
    """A line for each number of workers: what they end in an hour, and what a trial costs beside its epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    tiles, file = synthesise(train=320, test=0, seed=0), folder / "tiles.npz"
    write_dataset(tiles, file)
    split = examine(tiles, str(file), clean="auto", seed=0).split
    section = recipe.optimisation.model_copy(update={"epochs": 30, "patience": 30})
    trial = recipe.model_copy(update={"optimisation": section})
    for found in measure(trial, tiles, file, split, device=device, workers=counts, folder=folder):
        rate = found.rates[-1]
        hourly = found.night(rate) / 8
        text = (
            f"{hourly:,.0f} trials an hour, {rate.images:,.0f} images/s, {found.overhead_s:.2f} s of a trial no epoch"
        )
        numbers = {"workers": rate.workers, "hourly": hourly, "images": rate.images, "overhead": found.overhead_s}
        yield Line(part="workers", name=f"{rate.workers} at a time", text=text, numbers=numbers)
