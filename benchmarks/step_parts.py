"""What a term of the loss or an augmentation adds to a training step, in turns with the step without it.

The step is that of a U-Net with cross entropy and flips on the homework's size, all of it: batch, augmentation,
forward, loss, backward, optimiser. Masks have regions as large as those of the tiles. The median of some turns counts.

Beside it stands how much of what the device does at most the step reaches: of products of matrices and of copies, the
slower of the two. A processor without instructions for 16 bits is stood in for by `--float32` with
ATEN_CPU_CAPABILITY=avx2 and with ONEDNN_MAX_CPU_ISA and MKL_ENABLE_INSTRUCTIONS at AVX2.

    python benchmarks/step_parts.py [--filters 16] [--batch 32] [--turns 9] [--device cpu] [--alone] [--float32]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from statistics import median
from typing import Any

import numpy as np
import torch
from gpu_speed import Size, ceilings, least_seconds
from losses import scene, wait
from training_step import random_data

from search.training.setup import prepare
from search.training.step import train_step
from spaces.recipe import Recipe

PARTS: dict[str, dict[str, Any]] = {
    "Lovász": {"loss": {"lovasz": {}}},
    "boundary": {"loss": {"boundary": {}}},
    "noise": {"augment": {"noise": 0.1}},
    "blur": {"augment": {"blur": 1.0}},
    "brightness and contrast": {"augment": {"brightness": 0.2, "contrast": 0.2}},
    "geometry": {"augment": {"geometry": {}}},
    "mixing": {"augment": {"mixing": {}}},
}


def step(recipe: dict[str, Any], told: argparse.Namespace) -> Callable[[], float]:
    """What takes one step of that training and returns its seconds."""
    data = random_data(4 * told.batch, 64, 128)
    masks = scene(4 * told.batch, "cpu")[1].numpy().astype(np.uint8)
    device = torch.device(told.device)
    setup = prepare(Recipe.model_validate(recipe), replace(data, train_masks=masks), device, lambda: False)
    rows = torch.arange(told.batch, device=device)
    generator = torch.Generator(device).manual_seed(0)
    setup.network.train()

    def seconds() -> float:
        wait(device)
        began = time.perf_counter()
        train_step(setup, rows, 1, generator, None)
        wait(device)
        return time.perf_counter() - began

    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--matrix", type=int, default=2048, help="side of the matrices whose product is timed")
    parser.add_argument("--alone", action="store_true", help="only the step without parts")
    parser.add_argument("--float32", action="store_true", help="as on a CPU without instructions for 16 bits")
    told = parser.parse_args()
    if told.float32:
        torch.cpu._is_amx_tile_supported = torch.cpu._is_avx512_bf16_supported = lambda: False
    base: dict[str, Any] = {
        "model": {"family": "unet", "filters": told.filters},
        "augment": {"flip_horizontal": True},
        "optimisation": {"batch_size": told.batch, "epochs": 100},
    }
    parts = {} if told.alone else PARTS
    merged = {
        name: base | {key: base.get(key, {}) | value for key, value in part.items()} for name, part in parts.items()
    }
    steps = {name: step(recipe, told) for name, recipe in ({"": base} | merged).items()}
    turns = [{name: take() for name, take in steps.items()} for _ in range(told.turns + 2)][2:]
    where = torch.cuda.get_device_name() if told.device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{date.today()}, {told.device}, {where}, torch {torch.__version__}, Python {platform.python_version()}")
    alone = median(turn[""] for turn in turns)
    operations, traffic = ceilings(told.device, Size(images=0, epochs=0, narrower=1, matrix=told.matrix))
    data = random_data(4 * told.batch, 64, 128)
    least = least_seconds(Recipe.model_validate(base), data, told.device, operations, traffic, told.batch)
    print(f"the device at most: {operations / 1e9:.0f} GFLOP/s, {traffic / 1e9:.1f} GB/s")
    print(f"U-Net {told.filters}, batch {told.batch}: {1000 * alone:.1f} ms a step, {least / alone:.0%} of that")
    print("\n| part | adds |\n|---|---|" * bool(parts))
    for name in parts:
        print(f"| {name} | {median(turn[name] / turn[''] for turn in turns) - 1:.1%} |")


if __name__ == "__main__":
    main()
