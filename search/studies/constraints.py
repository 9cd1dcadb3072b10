"""Which recipes are too large for a study, found out in a fraction of a second instead of by running out of memory.

A limit is a graded constraint: how many doublings the recipe lies above it, so that the sampler learns from refused
trials in which direction smaller recipes lie (as 0 or 1 it would learn next to nothing, MEASURED 3.8).
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from search.worker.process import DeviceSlot
from spaces import DataFacts, Recipe, Space
from spaces.space import Suggests
from storage.studies.studies import StudyConfig

PARAMS = "params"
GPU_GB = "gpu_gb"


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """What a GPU offers to one training. gb: memory in GiB. bfloat16: it computes in it, which halves activations."""

    gb: float
    bfloat16: bool


def countable() -> bool:
    """Whether networks can be counted here; the small container image has no torch, its workers look for themselves."""
    return find_spec("torch") is not None


def constraint_values(
    recipe: Recipe,
    facts: DataFacts,
    config: StudyConfig,
    device_gb: float | None,
    *,
    pixel_bytes: int = 4,
    bfloat16: bool = True,
    quick: bool = False,
) -> Mapping[str, float]:
    """The study's constraints on a recipe: log2 of what it needs over what it may have, so feasible up to 0.

    "params" where the config limits the parameters; "gpu_gb" where the config limits the memory, or where device_gb,
    what the device has in GiB, does (the config's own limit goes first). Empty where nothing is limited.
    pixel_bytes: of one number of the images on the device, see `pixel_bytes_of`. bfloat16: what the GPU computes in.
    quick: leave the memory out where there are too many parameters already.
    Takes up to 0.3 s, without memory. Loads torch, when there is a limit.
    """
    most_gb = memory_limit(config, device_gb)
    if config.max_params is None and most_gb is None:
        return {}
    from search.training.footprint import Resident, meta_network, training_bytes
    from spaces.modules.networks.network import count_parameters

    network = meta_network(recipe, facts)
    found: dict[str, float] = {}
    if config.max_params is not None:
        found[PARAMS] = math.log2(max(1, count_parameters(network)) / config.max_params)
    if most_gb is not None and not (quick and found.get(PARAMS, 0.0) > 0):
        split = json.loads(config.split)
        data = Resident(train=len(split["train"]), validation=len(split["validation"]), pixel_bytes=pixel_bytes)
        found[GPU_GB] = math.log2(training_bytes(recipe, facts, network, data, half=bfloat16) / 2**30 / most_gb)
    return found


def violation_of(
    space: Space, config: StudyConfig, gpu: Gpu | None = None, pixel_bytes: int = 4
) -> Callable[[Suggests], float] | None:
    """How far a proposal is over the limits, in doublings, 0 for a feasible one; None where nothing is limited.

    For `search.studies.samplers.build_sampler`. gpu: what trainings on this host get, see `gpu_of`.
    """
    device_gb = None if gpu is None else gpu.gb
    if config.max_params is None and memory_limit(config, device_gb) is None:
        return None

    def violation(proposal: Suggests) -> float:
        recipe, bfloat16 = space.suggest(proposal), gpu is None or gpu.bfloat16
        over = constraint_values(
            recipe, space.facts, config, device_gb, pixel_bytes=pixel_bytes, bfloat16=bfloat16, quick=True
        )
        return sum(max(0.0, value) for value in over.values())

    return violation


def memory_limit(config: StudyConfig, device_gb: float | None) -> float | None:
    """The GPU memory in GiB that a training may take: what the person said, or else what the device has."""
    return device_gb if config.max_gpu_gb is None else config.max_gpu_gb


def refusal(over: Mapping[str, float], config: StudyConfig, device_gb: float | None) -> str:
    """Why a recipe with these constraints is not trained, in one sentence; "" when it may be."""
    most_gb = memory_limit(config, device_gb)
    reasons = []
    if over.get(PARAMS, 0.0) > 0 and config.max_params is not None:
        count = round(config.max_params * 2 ** over[PARAMS])
        reasons.append(f"{count:,} parameters, --max-params is {config.max_params:,}")
    if over.get(GPU_GB, 0.0) > 0 and most_gb is not None:
        limit = "the device has" if config.max_gpu_gb is None else "--max-gpu-gb is"
        reasons.append(f"about {most_gb * 2 ** over[GPU_GB]:.1f} GiB of GPU memory, {limit} {most_gb:.4g}")
    return f"refused before training: {'; '.join(reasons)}" if reasons else ""


def pixel_bytes_of(images: Any) -> int:
    """Bytes of one number of these images (an array) on the device: uint8 stays, everything else is float32 there."""
    return 1 if images.dtype.itemsize == 1 else 4


def gpu_of(place: DeviceSlot, sharing: int = 1) -> Gpu | None:
    """What the GPU of a child offers to it; None on a CPU or MPS, and where the driver does not answer.

    sharing: how many children the host runs on the same GPU, which divide its memory evenly.
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
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        megabytes, generation = (float(part) for part in said.splitlines()[0].split(","))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return Gpu(gb=megabytes / 1024, bfloat16=generation >= 8)
