"""What recipes need, and which are too large for a study: counted in a fraction of a second, without memory.

A limit is a graded constraint: how many doublings the recipe lies above it, so that the sampler learns from refused
trials in which direction smaller recipes lie (as 0 or 1 it would learn next to nothing, measured).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import numpy as np
import optuna

from search.studies.study import StudyDefinition, trial_seed
from search.worker.gpus import Gpu
from spaces import Recipe
from spaces.space import Suggests
from storage.studies.config import StudyConfig

PARAMS = "params"
GPU_GB = "gpu_gb"
SAMPLES = 24  # random recipes from which the notes on a new study are made


def countable() -> bool:
    """Whether networks can be counted here; the small container image has no torch, its workers look for themselves."""
    return find_spec("torch") is not None


def constraint_values(
    study: StudyDefinition, recipe: Recipe, gpu: Gpu | None = None, *, quick: bool = False
) -> Mapping[str, float]:
    """The study's constraints on a recipe: log2 of what it needs over what it may have, so feasible up to 0.

    "params" where the study limits the parameters; "gpu_gb" where it limits the memory, or where the memory of gpu
    does (the study's own limit goes first). Empty where nothing is limited.
    quick: leave the memory out where there are too many parameters already.
    Takes up to 0.3 s, without memory. Loads torch, when there is a limit.
    """
    config, most_gb = study.config, memory_limit(study.config, gpu)
    if config.max_params is None and most_gb is None:
        return {}
    from search.training.footprint import Resident, meta_network, training_bytes
    from spaces.modules.networks.network import count_parameters

    network = meta_network(recipe, study.facts)
    found: dict[str, float] = {}
    if config.max_params is not None:
        found[PARAMS] = math.log2(max(1, count_parameters(network)) / config.max_params)
    if most_gb is not None and not (quick and found.get(PARAMS, 0.0) > 0):
        split = study.split
        data = Resident(train=len(split.train), validation=len(split.validation), pixel_bytes=study.pixel_bytes)
        needed = training_bytes(recipe, study.facts, network, data, half=gpu is None or gpu.half)
        found[GPU_GB] = math.log2(needed / 2**30 / most_gb)
    return found


def violation_of(study: StudyDefinition, gpu: Gpu | None = None) -> Callable[[Suggests], float] | None:
    """How far a proposal is over the limits, in doublings, 0 for a feasible one; None where nothing is limited.

    For `search.studies.samplers.build_sampler`. gpu: as in `constraint_values`.
    """
    if study.config.max_params is None and memory_limit(study.config, gpu) is None:
        return None

    def violation(proposal: Suggests) -> float:
        over = constraint_values(study, study.space.suggest(proposal), gpu, quick=True)
        return sum(max(0.0, value) for value in over.values())

    return violation


def memory_limit(config: StudyConfig, gpu: Gpu | None) -> float | None:
    """The GPU memory in GiB that a training may take: what the study limits it to, or else what the device has."""
    return config.max_gpu_gb or (gpu.gb if gpu is not None else None)


def needed_gb(over: Mapping[str, float], config: StudyConfig, gpu: Gpu | None) -> float:
    """The GPU memory in GiB that a recipe with these constraints needs, 0 where nothing limits it."""
    most_gb = memory_limit(config, gpu)
    return 0.0 if most_gb is None or GPU_GB not in over else most_gb * 2 ** over[GPU_GB]


def refusal(over: Mapping[str, float], config: StudyConfig, gpu: Gpu | None) -> str:
    """Why a recipe with these constraints is not trained, in one sentence; "" when it may be."""
    most_gb = memory_limit(config, gpu)
    reasons = []
    if over.get(PARAMS, 0.0) > 0 and config.max_params is not None:
        count = round(config.max_params * 2 ** over[PARAMS])
        reasons.append(f"{count:,} parameters, --max-params is {config.max_params:,}")
    if over.get(GPU_GB, 0.0) > 0 and most_gb is not None:
        limit = "the device has" if config.max_gpu_gb is None else "--max-gpu-gb is"
        reasons.append(f"about {needed_gb(over, config, gpu):.1f} GiB of GPU memory, {limit} {most_gb:.4g}")
    return f"refused before training: {'; '.join(reasons)}" if reasons else ""


def weights_note(study: StudyDefinition) -> str:
    """A sentence on the disk that the weights of the best K trials take, from random recipes of the space.

    Only how many are kept where there is no torch to count with.
    """
    keep = study.config.keep
    if not countable():
        return f"the weights of the best {keep} trials will be kept"
    from search.training.footprint import meta_network
    from spaces.modules.networks.network import count_parameters

    sizes = [4 * keep * count_parameters(meta_network(recipe, study.facts)) for recipe in random_recipes(study)]
    typical, most = _spelled(statistics.median(sizes)), _spelled(max(sizes))
    return f"the weights of the best {keep} trials will take about {typical}, up to {most} if large networks win"


def limits_note(study: StudyDefinition) -> str:
    """A sentence on how many random recipes of the space the study's own limits refuse; "" where it has none.

    The memory of a device is known once a worker has it. Refused trials count towards the study's target, hence the
    advice. Where there is no torch to count with, the sentence says that each worker checks.
    """
    options = {"--max-params": study.config.max_params, "--max-gpu-gb": study.config.max_gpu_gb}
    named = " and ".join(f"{name} {value:,}" for name, value in options.items() if value is not None)
    if not named:
        return ""
    if not countable():
        return f"{named}: each worker looks before it trains"
    every = [constraint_values(study, recipe) for recipe in random_recipes(study)]
    refused = sum(any(value > 0 for value in over.values()) for over in every)
    if refused == SAMPLES:
        return f"{named}: refuses all of {SAMPLES} random recipes; a larger limit or a narrower space finds more"
    note = f"{named}: refuses {refused} of {SAMPLES} random recipes"
    return f"{note}; they count as pruned trials, so plan for more of them" if 2 * refused > SAMPLES else note


def random_recipes(study: StudyDefinition, count: int = SAMPLES) -> list[Recipe]:
    """So many recipes that the study's space allows, always the same ones."""
    sampler = optuna.samplers.RandomSampler(seed=trial_seed(study.config.seed, 0) % 2**32)
    search = optuna.create_study(sampler=sampler)
    return [study.space.suggest(search.ask()) for _ in range(count)]


def _spelled(size: float) -> str:
    unit = int(np.clip(np.log10(max(size, 1)) // 3, 1, 4))
    return f"{size / 1000**unit:.3g} {['B', 'kB', 'MB', 'GB', 'TB'][unit]}"
