"""Which samples make up each training step, and the randomness of each epoch.

An epoch's random numbers depend on the recipe's seed and the epoch's number alone, never on what was
drawn before: an epoch can be repeated or resumed without saving any generator's state.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Generator, Tensor

ORDER, AUGMENT, DROPOUT = range(3)
"""The streams of random numbers that an epoch draws from."""


def stream_seed(seed: int, epoch: int, stream: int) -> int:
    """A seed below 2**63 for one stream of one epoch, unrelated to those of its neighbours."""
    return int(np.random.SeedSequence((seed, epoch, stream)).generate_state(1, np.uint64)[0] >> 1)


def stream(seed: int, epoch: int, kind: int, device: str | torch.device = "cpu") -> Generator:
    """A generator on the device, at the start of one stream of one epoch."""
    return Generator(device).manual_seed(stream_seed(seed, epoch, kind))


def steps_per_epoch(samples: int, batch_size: int) -> int:
    """How many steps an epoch takes: whole batches only, or one smaller batch when there is none."""
    return max(1, samples // batch_size)


def epoch_batches(indices: Tensor, batch_size: int, generator: Generator, device: torch.device) -> tuple[Tensor, ...]:
    """The rows of each step, from an epoch's indices (n,) on the CPU, in random order: on the device, moved once.

    The last, smaller batch is dropped (other samples are left out each epoch) unless it is the only one.
    """
    order = indices[torch.randperm(len(indices), generator=generator)].to(device)
    return torch.split(order, batch_size)[: steps_per_epoch(len(indices), batch_size)]


@contextmanager
def dropout_randomness(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, and restore them afterwards.

    They belong to the process: two trainings at once in threads of one process are not reproducible.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(stream_seed(seed, epoch, DROPOUT))
        yield
