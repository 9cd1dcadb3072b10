"""What random recipes of a study need: disk for the kept weights, and whether they keep its limits."""

from __future__ import annotations

import statistics

import numpy as np
import optuna

from search.studies.constraints import constraint_values, countable
from search.studies.samplers import trial_seed
from search.studies.study import Study
from spaces import Recipe, Space

SAMPLES = 24


def weights_note(study: Study) -> str:
    """A sentence on the disk that the weights of the best K trials take, from random recipes of the space.

    Only how many are kept where there is no torch to count with.
    """
    config = study.config
    if not countable():
        return f"the weights of the best {config.keep} trials will be kept"
    sizes = [weights_bytes(recipe, study.space) for recipe in _random_recipes(study.space, config.seed)]
    typical, most = statistics.median(sizes) * config.keep, max(sizes) * config.keep
    return (
        f"the weights of the best {config.keep} trials will take about {_spelled(typical)},"
        f" up to {_spelled(most)} if large networks win"
    )


def limits_note(study: Study) -> str:
    """A sentence on how many random recipes of the space the study's own limits refuse; "" where it has none.

    What a device has is not known before a worker has it. Refused trials count towards the study's target, hence the
    advice. Where there is no torch to count with, the sentence says that each worker checks.
    """
    config = study.config
    options = {"--max-params": config.max_params, "--max-gpu-gb": config.max_gpu_gb}
    named = " and ".join(f"{name} {value:,}" for name, value in options.items() if value is not None)
    if not named:
        return ""
    if not countable():
        return f"{named}: each worker looks before it trains"
    recipes = _random_recipes(study.space, config.seed)
    every = [constraint_values(study, recipe, None, pixel_bytes=1) for recipe in recipes]
    refused = sum(any(value > 0 for value in over.values()) for over in every)
    if refused == SAMPLES:
        return f"{named}: refuses all of {SAMPLES} random recipes; a larger limit or a narrower space finds more"
    note = f"{named}: refuses {refused} of {SAMPLES} random recipes"
    return f"{note}; they count as pruned trials, so plan for more of them" if 2 * refused > SAMPLES else note


def weights_bytes(recipe: Recipe, space: Space) -> int:
    """The size of a recipe's float32 weights, counted without taking memory for them. Loads torch."""
    from search.training.footprint import meta_network
    from spaces.modules.networks.network import count_parameters

    return 4 * count_parameters(meta_network(recipe, space.facts))


def _random_recipes(space: Space, seed: int) -> list[Recipe]:
    sampler = optuna.samplers.RandomSampler(seed=trial_seed(seed, 0) % 2**32)
    study = optuna.create_study(sampler=sampler)
    return [space.suggest(study.ask()) for _ in range(SAMPLES)]


def _spelled(size: float) -> str:
    unit = int(np.clip(np.log10(max(size, 1)) // 3, 1, 4))
    return f"{size / 1000**unit:.3g} {['B', 'kB', 'MB', 'GB', 'TB'][unit]}"
