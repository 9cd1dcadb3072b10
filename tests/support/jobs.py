"""A training for a worker process, and what the process said of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil

from search.training.epoch import EpochRecord
from search.worker.process import WorkerProcess
from search.worker.protocol import EpochEnd, Message, Saved, Train

RECIPE = """
model: {family: unet, filters: 4, depth: 2, dropout: 0.2, dropout_place: every_block}
background: {filters: 4, depth: 2}
class_weights: {scheme: adaptive}
augment: {noise: 0.1, flip_vertical: true}
optimisation: {optimizer: adamw, lr: 0.005, schedule: plateau, batch_size: 8, epochs: 8}
"""
EPOCHS = 8
NEVER = 3600.0  # seconds between checkpoints


def numbered(worker: WorkerProcess, job: Train, **changes: object) -> Train:
    return replace(job, job=worker.next_job(), **changes)  # type: ignore[arg-type]


def drive(worker: WorkerProcess, job: Train, act: Callable[[Message], object], silence: float = 60.0) -> None:
    for message in worker.train(numbered(worker, job), silence=silence):
        act(message)


def send(worker: WorkerProcess, number: int) -> int:
    """Send the worker a signal; its process id."""
    assert worker.pid is not None
    os.kill(worker.pid, number)
    return worker.pid


def all_of(worker: WorkerProcess, job: Train) -> list[Message]:
    return list(worker.train(numbered(worker, job), silence=60.0))


def epochs_of(messages: list[Message]) -> list[int]:
    return [message.record.number for message in messages if isinstance(message, EpochEnd)]


def saved_of(messages: list[Message]) -> list[int]:
    return [message.epoch for message in messages if isinstance(message, Saved)]


def told(epoch: EpochRecord) -> EpochRecord:
    """All that an epoch says and that neither time nor process have a part in."""
    return replace(epoch, seconds=0.0, memory_mb=0.0)


def results(job: Train) -> tuple[bytes, bytes]:
    return (Path(job.out) / "weights.safetensors").read_bytes(), (Path(job.out) / "panel.npz").read_bytes()


def gone(pid: int) -> bool:
    """Whether the process has ended; where nobody waits for orphans, they stay as zombies."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
