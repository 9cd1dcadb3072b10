"""The GPUs that trainings may use, as the environment names them, and what one training gets of each."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass

from search.errors import UsageError
from search.worker.driver import LOST, DriverGpu, driver_gpus

_NO_GPU = ("", "-1", "none", "void", "nodevfiles")
"""How the environment says that there is to be none; the last is Slurm's."""
_HALF = (7, 0)  # float16 came with Volta, bfloat16 with Ampere; as `search.training.device` has it
_CROWDED = 0.9  # share of the memory; less than that free is told

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What one training gets of a GPU.

    id: as CUDA_VISIBLE_DEVICES names it: a UUID, which is the same in every order; where only the kernel tells of GPUs
    maybe a number.
    gb: memory in GiB, the share of one training of what was free; None where the driver does not answer.
    share: the same, of the whole memory, 0 to 1; equal parts of 1 where the driver does not answer.
    half: the GPU computes in 16 bits, which halves activations.
    """

    id: str
    gb: float | None = None
    share: float = 1.0
    half: bool = True

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a process finds it, and computes the same on it each time."""
        known = {"CUDA_VISIBLE_DEVICES": self.id, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return known | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # without it cuBLAS is not deterministic


def visible_gpus() -> tuple[DriverGpu, ...]:
    """The GPUs and parts of GPUs that trainings can use, each once; asked of the driver.

    What CUDA_VISIBLE_DEVICES names is no proof that it is there. Behind a wrong name CUDA sees nothing any more.
    """
    return _named_gpus()[0]


def unseen_gpus() -> str:
    """What is wrong with CUDA_VISIBLE_DEVICES, as a sentence; "" when the driver shows all that it names."""
    seen, wrong = _named_gpus()
    if not wrong:
        return ""
    limited, shown = os.environ["CUDA_VISIBLE_DEVICES"], sum(gpu.uuid != LOST for gpu in driver_gpus())
    return (
        f"CUDA_VISIBLE_DEVICES={limited} names {wrong}, which is no GPU that the driver shows ({shown} in all): "
        f"{len(seen)} can be used; name others, or unset it"
    )


def asked_gpus(wanted: str) -> tuple[DriverGpu, ...]:
    """The GPUs of "auto", "cuda" or "cuda:0,2", numbers being places among the visible ones.

    Raises UsageError for one that is not there.
    """
    there, wrong = visible_gpus(), unseen_gpus()
    if wanted == "auto":
        if wrong:
            _logger.warning("%s", wrong)
        return there
    kind, _, picked = wanted.partition(":")
    numbers = picked.split(",") if picked else [str(i) for i in range(len(there))]
    if kind != "cuda" or not all(number.isdigit() for number in numbers):
        raise UsageError(f"--device {wanted}: auto, cpu, mps, cuda or cuda:0,2 was expected")
    if not there or any(int(number) >= len(there) for number in numbers):
        why = f" ({wrong})" if wrong else ""
        raise UsageError(f"--device {wanted}: {len(there)} CUDA devices can be used{why}, use --device cpu or auto")
    return tuple(there[int(number)] for number in numbers)


def shared(gpu: DriverGpu, trainings: int) -> Gpu:
    """What each of so many trainings gets of a GPU: equal shares of the memory that no other process holds."""
    half = gpu.capability is None or gpu.capability >= _HALF
    if gpu.free_gb is None or not gpu.total_gb:
        return Gpu(id=gpu.uuid, share=1 / trainings, half=half)
    if gpu.free_gb < _CROWDED * gpu.total_gb:
        taken = gpu.total_gb - gpu.free_gb
        _logger.warning(
            "other processes hold %.1f of the %.1f GiB of %s: trainings get the rest", taken, gpu.total_gb, gpu.uuid
        )
    return Gpu(id=gpu.uuid, gb=gpu.free_gb / trainings, share=gpu.free_gb / gpu.total_gb / trainings, half=half)


def _named_gpus() -> tuple[tuple[DriverGpu, ...], str]:
    """What the environment names of the usable GPUs, and the first name that is wrong."""
    there, limited = driver_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if limited is None:
        return tuple(one for place in range(len(there)) for one in _at(there, place)), ""
    found: dict[str, DriverGpu] = {}
    for name in map(str.strip, limited.split(",")):
        if name.lower() in _NO_GPU:
            break
        meant = _meant(name, there)
        if not meant:
            return tuple(found.values()), name
        # CUDA takes the same GPU named twice for a mistake, and shows none.
        found.update((gpu.uuid, gpu) for gpu in meant)
    return tuple(found.values()), ""


def _at(there: Sequence[DriverGpu], place: int) -> Sequence[DriverGpu]:
    """What can be used of the GPU at that place: its parts where it is divided, nothing where it is lost."""
    gpu = there[place]
    if gpu.uuid == LOST:
        return ()
    return gpu.parts or (DriverGpu(uuid=str(place)) if not gpu.uuid else gpu,)


def _meant(name: str, there: Sequence[DriverGpu]) -> Sequence[DriverGpu]:
    """What CUDA takes the name for: a number, or how the UUID of a GPU or of a part begins."""
    if name.isdecimal():
        return _at(there, int(name)) if int(name) < len(there) else ()
    if not name.startswith(("GPU-", "MIG-")):
        return ()
    every = [gpu for place in range(len(there)) for gpu in (there[place], *_at(there, place))]
    named = [gpu for gpu in every if gpu.uuid.startswith(name)]
    if named:
        return named[0].parts or named[:1]
    # An old driver's name of a part, or a GPU of which the kernel says no more than that it is there.
    whole = name.removeprefix("MIG-").partition("/")[0]
    known = any(gpu.uuid == whole or not gpu.uuid for gpu in there)
    return (DriverGpu(uuid=name),) if known else ()
