"""The devices of this machine, asked of its drivers without torch, and the slots for trainings on them."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from search.errors import UsageError

_NO_GPU = (
    "",
    "-1",
    "none",
    "void",
    "nodevfiles",
)  # how the environment says that there is to be none; the last is Slurm's
_KERNEL_GPUS = Path("/proc/driver/nvidia/gpus")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What one training gets of a GPU.

    id: as CUDA_VISIBLE_DEVICES names it, an index or a UUID.
    gb: memory in GiB, the share of one training; None where the driver does not answer.
    bfloat16: the GPU computes in it, which halves activations.
    """

    id: str
    gb: float | None = None
    bfloat16: bool = True


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
    def environment(self) -> dict[str, str]:
        """The variables that a worker process needs to find its device."""
        # CUBLAS_WORKSPACE_CONFIG: without it cuBLAS is not deterministic.
        always = {"OMP_NUM_THREADS": str(self.threads), "CUBLAS_WORKSPACE_CONFIG": ":4096:8", "PYTHONUNBUFFERED": "1"}
        return always | ({"CUDA_VISIBLE_DEVICES": self.gpu.id} if self.gpu is not None else {})


def device_slots(wanted: str, workers: int | None, logs: Path, on_one_gpu: int = 1) -> tuple[DeviceSlot, ...]:
    """One slot per training that this host runs at a time.

    wanted: "auto", "cpu", "mps", "cuda" or "cuda:0,2". workers: None means one per GPU, or one per pair of cores.
    logs: directory for the workers' stderr. on_one_gpu: trainings that share one, when workers is None. No worker
    gets more threads than OMP_NUM_THREADS allows, where it is set. Raises UsageError for a device that is not there and
    ModuleNotFoundError where no worker could train.
    """
    if find_spec("torch") is None:
        raise ModuleNotFoundError("no worker trains without torch", name="torch")
    names = _asked_gpus(wanted)
    count = workers or (len(names) * on_one_gpu if names else max(1, cores() // 2))
    gpus = [_gpu_of(name, max(on_one_gpu, -(-count // len(names)))) for name in names]
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


def smallest_gpu(slots: Sequence[DeviceSlot]) -> Gpu | None:
    """What every slot offers at least, so that whatever is proposed fits each; None where no GPU's size is known."""
    known = [(slot.gpu.gb, slot.gpu.bfloat16, slot.gpu) for slot in slots if slot.gpu and slot.gpu.gb is not None]
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


def visible_gpus() -> tuple[str, ...]:
    """The NVIDIA GPUs that trainings can use, each as CUDA_VISIBLE_DEVICES names it; asked of the driver.

    What the variable names is no proof that it is there. Behind a wrong name CUDA sees nothing any more.
    """
    return tuple(_named_gpus()[0].values())


def unseen_gpus() -> str:
    """What is wrong with CUDA_VISIBLE_DEVICES, as a sentence; "" when the driver shows all that it names."""
    seen, wrong = _named_gpus()
    if not wrong:
        return ""
    limited, shown = os.environ["CUDA_VISIBLE_DEVICES"], len(_driver_gpus())
    return (
        f"CUDA_VISIBLE_DEVICES={limited} names {wrong}, which is no GPU that the driver shows ({shown} in all): "
        f"{len(seen)} can be used; name others, or unset it"
    )


def _named_gpus() -> tuple[dict[int | str, str], str]:
    """What the environment names, by places at the driver or names of parts, and the first name that is wrong."""
    there, limited = _driver_gpus(), os.environ.get("CUDA_VISIBLE_DEVICES")
    if limited is None:
        return {place: str(place) for place in range(len(there))}, ""
    found: dict[int | str, str] = {}
    for name in map(str.strip, limited.split(",")):
        if name.lower() in _NO_GPU:
            break
        places = [place for place, names in enumerate(there) if _is_named(name, place, names)]
        if not places:
            return found, name
        # CUDA takes the same GPU named twice for a mistake, and shows none; of parts (MIG) one GPU has several.
        found.setdefault(name if name.startswith("MIG-") else places[0], name)
    return found, ""


def _is_named(name: str, place: int, ids: str) -> bool:
    """Whether CUDA takes the name for this GPU: its number, or how its UUID or that of a part of it begins."""
    if name.isdecimal():
        return int(name) == place
    return name.startswith(("GPU-", "MIG-")) and (not ids or f"UUID: {name}" in ids)


@cache
def _driver_gpus() -> Sequence[str]:
    """What the driver says of each GPU: its line and those of its parts (MIG); nothing where only the kernel tells."""
    if shutil.which("nvidia-smi") is None:  # a container may have the driver without its program
        return [""] * len(list(_KERNEL_GPUS.glob("*")))
    gpus: list[str] = []
    for line in _ask_driver("-L"):
        if line.startswith("GPU "):
            gpus.append(line)
        elif gpus:
            gpus[-1] += line
    return gpus


def _gpu_of(name: str, sharing: int) -> Gpu:
    """What the GPU of that name offers to each of so many trainings, which divide its memory evenly."""
    with suppress(ValueError):
        said = _ask_driver("-i", name, "--query-gpu=memory.total,compute_cap", "--format=csv,noheader,nounits")
        megabytes, generation = map(float, "".join(said[:1]).split(","))
        return Gpu(id=name, gb=megabytes / 1024 / sharing, bfloat16=generation >= 8)  # it came with Ampere
    return Gpu(id=name)


@cache
def _ask_driver(*words: str) -> Sequence[str]:
    """The lines that the driver's own program answers; none where there is no driver."""
    try:  # where it lies is the system's affair
        done = subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=20, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return done.stdout.splitlines()


def _asked_gpus(wanted: str) -> tuple[str, ...]:
    if wanted in ("cpu", "mps"):
        return ()
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


def _without_gpu(wanted: str) -> str:
    if wanted == "cpu":
        return "cpu"
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    if wanted == "mps" and not apple:
        raise UsageError("--device mps: needs Apple silicon, use --device cpu or auto")
    return "mps" if apple else "cpu"
