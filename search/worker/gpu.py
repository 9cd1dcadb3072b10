"""What a GPU offers to one training, asked of the driver without torch."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache

from search.worker.process import DeviceSlot


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What a GPU offers to one training. gb: memory in GiB. bfloat16: it computes in it, which halves activations."""

    gb: float
    bfloat16: bool


def gpu_of(place: DeviceSlot, sharing: int = 1) -> Gpu | None:
    """What the GPU of a worker offers to it; None on a CPU or MPS, and where the driver does not answer.

    sharing: how many workers the host runs on the same GPU, which divide its memory evenly.
    """
    if not place.device.startswith("cuda"):
        return None
    whole = _ask_driver(place.environment.get("CUDA_VISIBLE_DEVICES", "0"))
    return None if whole is None else Gpu(gb=whole.gb / max(1, sharing), bfloat16=whole.bfloat16)


@cache
def _ask_driver(gpu: str) -> Gpu | None:
    """Memory and generation of a GPU, asked of the driver without torch; bfloat16 came with generation 8 (Ampere)."""
    query = ["nvidia-smi", "-i", gpu, "--query-gpu=memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        megabytes, generation = (float(part) for part in answer.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return Gpu(gb=megabytes / 1024, bfloat16=generation >= 8)
