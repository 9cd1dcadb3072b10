"""The device of a command that trains or predicts in its own process."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from search.errors import UsageError
from search.worker.devices import device_slots


def own_device(wanted: str, say: Callable[[str], object]) -> str:
    """The name by which torch finds the device in this process.

    wanted: as in `search.worker.devices.device_slots`; of several GPUs the first is taken. say: takes a sentence on a
    GPU that torch was built for and cannot use; of one that it was not built for the log tells. Raises UsageError for a
    device that is not there, or not for this torch.
    """
    [slot] = device_slots(wanted, 1, Path())
    if slot.gpu is None:
        return slot.device
    os.environ.update(slot.gpu.environment)  # read when CUDA is used for the first time
    if torch.cuda.is_available():
        return "cuda"
    why = f"there is an NVIDIA GPU, which torch {torch.__version__} cannot use"
    if wanted != "auto":
        raise UsageError(f"--device {wanted}: {why}: install a torch built for it, or use --device cpu")
    say(f"{why}: computing on the CPU")
    return "cpu"
