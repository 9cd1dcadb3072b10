"""What a GPU offers to one training, asked of the driver without torch."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache


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


def gpu_of(name: str, sharing: int = 1) -> Gpu:
    """What the GPU of that name offers to each of so many trainings, which divide its memory evenly."""
    known = _ask_driver(name)
    return Gpu(id=name) if known is None else Gpu(id=name, gb=known[0] / sharing, bfloat16=known[1])


@cache
def _ask_driver(gpu: str) -> tuple[float, bool] | None:
    """Memory in GiB and whether it has bfloat16, of the driver without torch; that came with generation 8 (Ampere)."""
    query = ["nvidia-smi", "-i", gpu, "--query-gpu=memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        megabytes, generation = (float(part) for part in said.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return megabytes / 1024, generation >= 8
