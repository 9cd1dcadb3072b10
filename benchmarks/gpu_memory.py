"""What random recipes of the whole space really take of a GPU, beside what `footprint` says before they train.

From it come the two numbers of experience there: MARGIN, for what lies between a step's tensors, and CONTEXT, for the
process itself. On a CPU the tensors are counted instead, which shows that the part runs, and no context.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import optuna
import pynvml
import torch
from gpu_lines import Line
from training_step import random_data

from search.errors import Diverged
from search.training.arrays import TrainingData
from search.training.device import CONTEXT, autocast_dtype, out_of_memory
from search.training.fit import fit
from search.training.footprint import MARGIN, MemoryTracker, Resident, meta_network, training_bytes
from search.worker.gpus import visible_gpus
from spaces import Recipe, bind
from spaces.modules.networks.network import count_parameters

MIB = 2**20
STEPS = 2  # of a training: the most is taken from the second on, when the optimiser has its moments


def memory(device: str, recipes: Iterable[int], size: tuple[int, int] = (64, 128)) -> Iterator[Line]:
    """A line for each of the random recipes of these numbers; `in_all` judges them together."""
    facts = random_data(1, *size).facts
    space = bind(facts, "base: whole\n")
    before = _in_use(device)  # nothing in this process has used CUDA yet
    for number in recipes:
        sampler = optuna.samplers.RandomSampler(seed=number)
        recipe = space.suggest(optuna.create_study(sampler=sampler).ask(), seed=number)
        data = random_data(STEPS * recipe.optimisation.batch_size, *size)
        named = f"recipe {number}, {recipe.model.family}"
        try:
            numbers = _measured(_one_epoch(recipe), data, device, before)
        except (Diverged, RuntimeError) as error:
            if not isinstance(error, Diverged) and not out_of_memory(error):
                raise  # the device is of no more use to this process
            yield Line(part="estimate", name=named, text=f"left out: {' '.join(str(error).split())[:200]}")
            continue
        text = ", ".join(f"{name} {value:,.0f} MiB" for name, value in numbers.items() if name != "parameters")
        yield Line(part="estimate", name=named, text=text, numbers=numbers)


def _one_epoch(recipe: Recipe) -> Recipe:
    section = recipe.optimisation.model_copy(update={"epochs": 1, "patience": 1})
    return recipe.model_copy(update={"optimisation": section})


def _measured(recipe: Recipe, data: TrainingData, device: str, before: float) -> dict[str, float]:
    """MiB: said is the estimate, counted that without margins; tensors and blocks are what the training took.

    context: what the process has of the GPU beside its blocks. before: MiB that were in use before CUDA was.
    """
    resident = Resident(train=len(data.train_images), validation=len(data.validation_images), pixel_bytes=1)
    network = meta_network(recipe, data.facts)
    half = autocast_dtype(torch.device(device)) is not None
    said = training_bytes(recipe, data.facts, network, resident, half=half)
    tensors, blocks = _trained(recipe, data, device)
    return {
        "parameters": count_parameters(network),
        "said": said / MIB,
        "counted": (said - CONTEXT) / MARGIN / MIB,
        "tensors": tensors / MIB,
        "blocks": blocks / MIB,
        "context": max(0.0, _in_use(device) - before - blocks / MIB) if device != "cpu" else 0.0,
    }


def _trained(recipe: Recipe, data: TrainingData, device: str) -> tuple[int, int]:
    """The most bytes of tensors, and of the blocks that they lie in, while the recipe trains."""
    with ExitStack() as stack:
        ledger = stack.enter_context(MemoryTracker()) if device == "cpu" else None
        if ledger is None:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        for epoch in fit(recipe, data, device):
            epoch.snapshot()
    if ledger is not None:
        return ledger.peak, ledger.peak
    return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


def _in_use(device: str) -> float:
    """MiB of the first GPU that any process has, as the driver tells; 0 on a CPU."""
    if device == "cpu":
        return 0.0
    pynvml.nvmlInit()
    handle = pynvml.nvmlDeviceGetHandleByUUID(visible_gpus()[0].uuid)
    return float(pynvml.nvmlDeviceGetMemoryInfo(handle).used) / MIB


def in_all(rows: Sequence[dict[str, float]]) -> Iterator[Line]:
    """A line on the numbers of all recipes that were measured; none without any."""
    if not rows:
        return
    margins = [row["blocks"] / row["counted"] for row in rows]
    context = max(row["context"] for row in rows)
    fits = sum(row["said"] >= row["blocks"] + row["context"] for row in rows)
    text = (
        f"{fits} of {len(rows)} took no more than was said; blocks over what is counted: median"
        f" {statistics.median(margins):.2f}, 19 of 20 {np.quantile(margins, 0.95):.2f}, most {max(margins):.2f}"
        f" (MARGIN is {MARGIN}); context up to {context:,.0f} MiB (CONTEXT is {CONTEXT / MIB:,.0f})"
    )
    yield Line(part="estimate", name="all recipes", passed=fits == len(rows), text=text)
