"""The slots of this machine for trainings: on GPUs, on Apple's, or on its cores."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psutil

from search.errors import UsageError
from search.worker.driver import DriverGpu
from search.worker.gpus import Gpu, asked_gpus, shared

WORKER_GB = 2.0  # memory in GiB of a process that trains, at least: small networks take half of it (measured)
PROCESS_GB = 0.5  # without data and step: Python, torch and what its libraries keep
PIXEL_GB = 2.0 / 2**20  # of a step for each pixel of its batch: a U-Net of 32 filters takes 1.8 to 2.1 (measured)
FULL_PIXEL_GB = 3.2 / 2**20  # of a step in float32: the same network takes 2.9 (measured)
TUNABLES = "GLIBC_TUNABLES"  # what the C library of a process reads, as it starts
HUGE_PAGES = "glibc.malloc.hugetlb"
TRIALS_A_WORKER = 10  # of a study for each worker, at least, that is not asked for

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DeviceSlot:
    """What a worker process runs on: one training at a time on one device of this machine.

    name: unique within the host ("slot 1"). device: as torch names it within the worker. gpu: None without one.
    threads: of torch. log: file that takes the worker's stderr.
    """

    name: str
    device: str
    gpu: Gpu | None = None
    threads: int = 1
    log: Path

    @property
    def share(self) -> float:
        """Of the device's memory, that a training may take, 0 to 1."""
        return self.gpu.share if self.gpu is not None else 1.0

    @property
    def environment(self) -> dict[str, str]:
        """The variables that a worker process needs to find its device."""
        always = {"OMP_NUM_THREADS": str(self.threads), "PYTHONUNBUFFERED": "1"}
        if self.gpu is not None:
            return always | self.gpu.environment
        return always | {TUNABLES: huge_pages(os.environ.get(TUNABLES, ""))}


def huge_pages(tunables: str) -> str:
    """These tunables of the C library with huge pages for what is allocated, unless they say something of them.

    A step on a CPU walks gigabytes of maps: with pages of 2 MiB it takes 0.95 of the time (measured, 0.92 to 0.99).
    Systems without them, and C libraries that are not glibc 2.35 or newer, pass over it.
    """
    told = [part for part in tunables.split(":") if part]
    if not any(part.startswith(HUGE_PAGES) for part in told):
        told.append(f"{HUGE_PAGES}=1")
    return ":".join(told)


def device_slots(
    wanted: str,
    workers: int | None,
    logs: Path,
    on_one_gpu: int = 1,
    trials: int | None = None,
    *,
    whole: bool = False,
    worker_gb: float = WORKER_GB,
) -> tuple[DeviceSlot, ...]:
    """One slot per training that this host runs at a time.

    wanted: "auto", "cpu", "mps", "cuda" or "cuda:0,2". workers: None means one per GPU, or as many as `workers_on_cpu`
    says for so many trials. logs: directory for the workers' stderr. on_one_gpu: trainings that share one, when workers
    is None. whole: each may have all of the memory, not its part. worker_gb: what one takes of a machine without GPUs.
    No worker gets more threads than OMP_NUM_THREADS allows, where it is set. Raises UsageError for a device that is not
    there, or not for this torch, and ModuleNotFoundError where no worker could train.
    """
    installed = find_spec("torch")
    if installed is None:
        raise ModuleNotFoundError("no worker trains without torch", name="torch")
    asked = () if wanted in ("cpu", "mps") else _usable(wanted, installed.origin)
    count = workers or (len(asked) * on_one_gpu if asked else workers_on_cpu(cores(), free_gb(), trials, worker_gb))
    gpus = [shared(gpu, 1 if whole else max(on_one_gpu, -(-count // len(asked)))) for gpu in asked]
    device = "cuda" if gpus else _without_gpu(wanted)
    limit = os.environ.get("OMP_NUM_THREADS", "").strip()
    most = int(limit) if limit.isdecimal() and int(limit) else cores()
    return tuple(
        DeviceSlot(
            name=f"slot {number + 1}",
            device=device,
            gpu=gpus[number % len(gpus)] if gpus else None,
            threads=max(1, min(cores() // count, most)),
            log=logs / f"{os.getpid()}-slot-{number + 1}.log",
        )
        for number in range(count)
    )


def _usable(wanted: str, torch: str | None) -> Sequence[DriverGpu]:
    """The GPUs that are asked for; none, which is said, where torch was built without CUDA and any device will do.

    torch: its file, where that is known.
    """
    asked = asked_gpus(wanted)
    if not asked or torch is None or built_for_cuda(Path(torch).with_name("version.py")):
        return asked
    why = "there is an NVIDIA GPU, and the installed torch was built without CUDA"
    if wanted != "auto":
        raise UsageError(f"--device {wanted}: {why}: install one that was built with it, or use --device cpu")
    _say_once(f"{why}: computing on the CPU")
    return ()


@cache
def _say_once(text: str) -> None:
    """A command asks for slots several times."""
    _logger.warning("%s", text)


def built_for_cuda(version: Path) -> bool:
    """Whether the torch of this version file was built for NVIDIA's GPUs; True where it does not say.

    It is read because torch itself takes seconds to load, and a host needs none.
    """
    try:
        said = re.search(r"^cuda\b[^=]*=\s*(\S+)", version.read_text("utf-8"), re.MULTILINE)
    except OSError:
        return True
    return said is None or said[1] != "None"


def planned_gb(step_pixels: int, data_bytes: int, *, half: bool) -> float:
    """Memory in GiB of a process that trains on a CPU, WORKER_GB at least.

    step_pixels: of a batch. data_bytes: of the data set's arrays, of which the training holds its parts once more.
    half: whether it computes in bfloat16.
    """
    return max(WORKER_GB, PROCESS_GB + 2 * data_bytes / 2**30 + step_pixels * (PIXEL_GB if half else FULL_PIXEL_GB))


def has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions for bfloat16: what a worker asks torch, here without loading it.

    False where the system does not say so: then more memory is planned than may be needed.
    """
    with suppress(OSError):
        flags = re.search(r"^flags\s*:(.*)$", cpuinfo.read_text("utf-8", "replace"), re.MULTILINE)
        return bool(flags and {"amx_bf16", "avx512_bf16"} & set(flags[1].split()))
    return False


def workers_on_cpu(cores: int, free_gb: float, trials: int | None, worker_gb: float = WORKER_GB) -> int:
    """How many trainings at a time make most of so many cores: one a core, since two of one thread train more together.

    By 1.1 to 1.6 times, measured (benchmarks/results/2026-11-29-bench-cpu.md). free_gb: memory in GiB, of which a
    worker takes its part. trials: of a study, which learns from trials that have ended; None without one.
    """
    most = cores if trials is None else min(cores, -(-trials // TRIALS_A_WORKER))
    return max(1, int(min(most, free_gb / worker_gb)))


def free_gb() -> float:
    """Memory in GiB that is free on this machine and within its container's limit."""
    return min(psutil.virtual_memory().available, unused_memory(Path("/sys/fs/cgroup"))) / 2**30


def unused_memory(folder: Path) -> float:
    """The bytes that a container's control group may still take, by either version of them; infinite without a limit.

    What it keeps of files does not count: it gives that back.
    """
    for limit, stat, held in (
        ("memory.max", "memory.stat", "anon"),
        ("memory/memory.limit_in_bytes", "memory/memory.stat", "total_rss"),
    ):
        with suppress(OSError, ValueError, KeyError):
            counted = dict(line.split() for line in (folder / stat).read_text("ascii").splitlines())
            return float(int((folder / limit).read_text("ascii")) - int(counted[held]))
    return float("inf")


def smallest_gpu(slots: Sequence[DeviceSlot]) -> Gpu | None:
    """What every slot offers at least, so that whatever is proposed fits each; None where no GPU's size is known."""
    known = [(slot.gpu.gb, slot.gpu.half, slot.gpu) for slot in slots if slot.gpu and slot.gpu.gb is not None]
    return min(known, key=lambda entry: entry[:2])[2] if known else None


def cores() -> int:
    """The cores this process may use: those it may run on, or what its container may take of them, if that is less."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(there, quota(Path("/sys/fs/cgroup")))))


def quota(folder: Path) -> float:
    """The CPUs that a container's control group may take, by either version of them; infinite without a limit.

    Kubernetes and `docker run --cpus` limit the time on all cores, not the cores.
    """
    with suppress(OSError, ValueError, ZeroDivisionError):
        limit, period = (folder / "cpu.max").read_text("ascii").split()
        return float("inf") if limit == "max" else int(limit) / int(period)
    with suppress(OSError, ValueError, ZeroDivisionError):
        spent = int((folder / "cpu" / "cpu.cfs_quota_us").read_text("ascii"))
        return spent / int((folder / "cpu" / "cpu.cfs_period_us").read_text("ascii")) if spent > 0 else float("inf")
    return float("inf")


def _without_gpu(wanted: str) -> str:
    if wanted == "cpu":
        return "cpu"
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    if wanted == "mps" and not apple:
        raise UsageError("--device mps: needs Apple silicon, use --device cpu or auto")
    return "mps" if apple else "cpu"
