"""What random recipes of a study need: disk for the kept weights, and whether they keep its limits."""

from __future__ import annotations

import statistics

import numpy as np
import optuna

from search.studies.limits import constraint_values, countable
from search.studies.study import Study, trial_seed
from spaces import Recipe

SAMPLES = 24


def weights_note(study: Study) -> str:
    """A sentence on the disk that the weights of the best K trials take, from random recipes of the space.

    Only how many are kept where there is no torch to count with.
    """
    keep = study.config.keep
    if not countable():
        return f"the weights of the best {keep} trials will be kept"
    from search.training.footprint import meta_network
    from spaces.modules.networks.network import count_parameters

    sizes = [4 * keep * count_parameters(meta_network(recipe, study.facts)) for recipe in _random_recipes(study)]
    typical, most = _spelled(statistics.median(sizes)), _spelled(max(sizes))
    return f"the weights of the best {keep} trials will take about {typical}, up to {most} if large networks win"


def limits_note(study: Study) -> str:
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
    every = [constraint_values(study, recipe) for recipe in _random_recipes(study)]
    refused = sum(any(value > 0 for value in over.values()) for over in every)
    if refused == SAMPLES:
        return f"{named}: refuses all of {SAMPLES} random recipes; a larger limit or a narrower space finds more"
    note = f"{named}: refuses {refused} of {SAMPLES} random recipes"
    return f"{note}; they count as pruned trials, so plan for more of them" if 2 * refused > SAMPLES else note


def _random_recipes(study: Study) -> list[Recipe]:
    sampler = optuna.samplers.RandomSampler(seed=trial_seed(study.config.seed, 0) % 2**32)
    search = optuna.create_study(sampler=sampler)
    return [study.space.suggest(search.ask()) for _ in range(SAMPLES)]


def _spelled(size: float) -> str:
    unit = int(np.clip(np.log10(max(size, 1)) // 3, 1, 4))
    return f"{size / 1000**unit:.3g} {['B', 'kB', 'MB', 'GB', 'TB'][unit]}"
