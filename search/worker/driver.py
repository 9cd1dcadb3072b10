"""What NVIDIA's driver says of this machine's GPUs: asked of its library (NVML), without torch and without CUDA.

The order is that of the PCI bus, in which nvidia-smi numbers them, too; CUDA has the same where the environment says
``CUDA_DEVICE_ORDER=PCI_BUS_ID``, as a worker's does.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pynvml

LIMIT_S = 20.0  # a driver that hangs answers nothing for hours
_KERNEL_GPUS = Path("/proc/driver/nvidia/gpus")
_GIB = 2**30
LOST = "lost"
"""Stands for the UUID of a GPU that the driver counts and cannot reach."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DriverGpu:
    """A GPU, or a part of a divided one (MIG), as the driver shows it.

    uuid: "GPU-..." or "MIG-..."; "" where only the kernel tells, and not even that.
    total_gb, free_gb: memory in GiB, and what no process holds of it now; None where the driver does not say.
    capability: of CUDA, such as (8, 6); None where the driver does not say.
    parts: of a GPU that is divided, which CUDA can use by its parts alone.
    """

    uuid: str = ""
    total_gb: float | None = None
    free_gb: float | None = None
    capability: tuple[int, int] | None = None
    parts: tuple[DriverGpu, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GpuLoad:
    """How busy a GPU is. busy: share of the time, 0 to 1. used_gb, total_gb: GiB. None where nobody says."""

    name: str
    busy: float | None
    used_gb: float | None
    total_gb: float | None


@cache
def driver_gpus() -> tuple[DriverGpu, ...]:
    """All GPUs, in the order of the PCI bus; none where no driver answers in time, which is logged.

    A container may have the driver without its library: then the kernel says how many there are, and their UUIDs.
    """
    answers: list[tuple[DriverGpu, ...]] = []
    # In a thread of its own, which nobody waits for: a call into a driver that hangs never returns.
    asking = threading.Thread(target=lambda: answers.append(_ask()), daemon=True)
    asking.start()
    asking.join(LIMIT_S)
    if asking.is_alive():
        _logger.warning("NVIDIA's driver has not answered for %g s: its GPUs are left out; restart it", LIMIT_S)
    return answers[0] if answers else ()


def gpu_loads(ids: Sequence[str]) -> tuple[GpuLoad, ...]:
    """The load of the GPUs of these UUIDs (or places on the bus), in their order; none where no driver answers.

    Of one that does not answer, nothing but its name.
    """
    if not ids:
        return ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        return tuple(_load(one) for one in ids)
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


def _load(one: str) -> GpuLoad:
    try:
        return _measured(one)
    except pynvml.NVMLError:
        return GpuLoad(name=one, busy=None, used_gb=None, total_gb=None)


def _measured(one: str) -> GpuLoad:
    by_place = one.isdecimal()
    handle = pynvml.nvmlDeviceGetHandleByIndex(int(one)) if by_place else pynvml.nvmlDeviceGetHandleByUUID(one)
    memory, rates = _told(pynvml.nvmlDeviceGetMemoryInfo, handle), _told(pynvml.nvmlDeviceGetUtilizationRates, handle)
    return GpuLoad(
        name=str(_told(pynvml.nvmlDeviceGetName, handle) or one),
        busy=None if rates is None else rates.gpu / 100,
        used_gb=None if memory is None else round(memory.used / _GIB, 2),
        total_gb=None if memory is None else round(memory.total / _GIB, 2),
    )


def _ask() -> tuple[DriverGpu, ...]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        known = _of_kernel()
        if known:
            _logger.warning("NVIDIA's driver does not answer (%s): the kernel knows of %d GPUs", error, len(known))
        return known
    try:
        return tuple(_seen())
    except pynvml.NVMLError as error:
        _logger.warning("NVIDIA's driver does not say which GPUs there are: %s", error)
        return ()
    finally:
        pynvml.nvmlShutdown()


def _seen() -> Iterator[DriverGpu]:
    for place in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(place)
            yield _gpu(handle, _parts(handle))
        except pynvml.NVMLError as error:
            # It keeps its place, so that the numbers of the others stay theirs.
            _logger.warning("GPU %d does not answer and is left out: %s", place, error)
            yield DriverGpu(uuid=LOST)


def _gpu(handle: Any, parts: tuple[DriverGpu, ...] = (), capability: tuple[int, int] | None = None) -> DriverGpu:
    memory = _told(pynvml.nvmlDeviceGetMemoryInfo, handle)
    return DriverGpu(
        uuid=pynvml.nvmlDeviceGetUUID(handle),
        total_gb=memory.total / _GIB if memory is not None else None,
        free_gb=memory.free / _GIB if memory is not None else None,
        capability=capability or _told(pynvml.nvmlDeviceGetCudaComputeCapability, handle),
        parts=parts,
    )


def _parts(handle: Any) -> tuple[DriverGpu, ...]:
    """The parts of a divided GPU; none of a whole one."""
    mode = _told(pynvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return ()
    capability = _told(pynvml.nvmlDeviceGetCudaComputeCapability, handle)
    places = range(pynvml.nvmlDeviceGetMaxMigDeviceCount(handle))
    handles = (_told(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, place) for place in places)
    return tuple(_gpu(part, capability=capability) for part in handles if part is not None)


_NOTHING = tuple(
    getattr(pynvml, f"NVMLError_{why}") for why in ("NotSupported", "NotFound", "NoPermission", "FunctionNotFound")
)
"""No permission: the memory of a divided GPU as a whole is told to root alone. No such function: an old driver."""


def _told(ask: Any, *about: Any) -> Any:
    """What the driver answers; None for what this GPU does not have, or has not at this place, or is not told."""
    try:
        return ask(*about)
    except _NOTHING:
        return None


def _of_kernel() -> tuple[DriverGpu, ...]:
    """What the kernel's module tells of each GPU, by the addresses on the bus."""
    texts = [_read(folder / "information") for folder in sorted(_KERNEL_GPUS.glob("*"))]
    named = [re.search(r"^GPU UUID:\s*(GPU-[0-9a-f-]+)\s*$", text, re.MULTILINE) for text in texts]
    return tuple(DriverGpu(uuid=name[1] if name else "") for name in named)


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", errors="replace")
    except OSError:
        return ""
