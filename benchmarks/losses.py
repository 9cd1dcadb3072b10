"""What each term of the loss costs beside cross entropy: forwards and backwards, on one batch of the homework's tiles.

The terms take turns in one process, so that the machine is the same for all; the best of some turns counts.

    python benchmarks/losses.py [--images 64] [--turns 7] [--device cpu]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import date

import torch
from torch import Tensor

from spaces.facts import DataFacts
from spaces.modules.losses.losses import build_loss
from spaces.recipe.loss import Loss, Terms

CLASSES, HEIGHT, WIDTH = 5, 64, 128
FACTS = DataFacts(channels=1, height=HEIGHT, width=WIDTH, class_names=("background", "soil", "bedrock", "sand", "rock"))


def scene(images: int, device: str) -> tuple[Tensor, Tensor]:
    """Logits of a network that has learnt something, and labels in regions as large as those of the tiles."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(images, CLASSES, HEIGHT // 8, WIDTH // 8, generator=generator)
    field = torch.nn.functional.interpolate(coarse, size=(HEIGHT, WIDTH), mode="bilinear")
    logits = 2 * field + torch.randn(field.shape, generator=generator)
    return logits.to(device).requires_grad_(), field.argmax(1).to(device)


def terms(device: str) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """Each term alone, as a recipe has it."""
    found: dict[str, Callable[[Tensor, Tensor], Tensor]] = {}
    for name in Terms.needs_one:
        section = Loss.model_validate({"cross_entropy": None, name: {}})
        found[name] = build_loss(section, torch.ones(CLASSES), FACTS, None).to(device)
    return found


def seconds(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor) -> float:
    """Of one pass forwards and backwards."""
    logits.grad = None
    wait(logits.device)
    began = time.perf_counter()
    loss(logits, labels).backward()  # type: ignore[no-untyped-call]
    wait(logits.device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()
    logits, labels = scene(told.images, told.device)
    known = terms(told.device)
    turns = [{name: seconds(loss, logits, labels) for name, loss in known.items()} for _ in range(told.turns + 1)]
    best = {name: min(turn[name] for turn in turns[1:]) for name in known}  # the first turn warms up
    where = torch.cuda.get_device_name() if told.device == "cuda" else f"{torch.get_num_threads()} threads"
    print(f"{date.today()}, {told.device}, {where}, torch {torch.__version__}, Python {platform.python_version()}")
    print(f"\n| term | ms for {told.images} images | times cross entropy |\n|---|---|---|")
    for name, took in best.items():
        print(f"| {name} | {1000 * took:.1f} | {took / best['cross_entropy']:.1f} |")


if __name__ == "__main__":
    main()
