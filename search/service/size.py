"""How much disk the kept weights of a study may take."""

from __future__ import annotations

import statistics

import numpy as np
import optuna
import torch

from search.service.strategy import trial_seed
from search.service.study import space_of
from spaces import Recipe, Space
from spaces.build.network import build_network, count_parameters
from storage.studies import StudyPlan

SAMPLES = 24


def weights_note(plan: StudyPlan) -> str:
    """A sentence on the disk that the weights of the best K trials take, from random recipes of the space."""
    space = space_of(plan)
    sizes = [weights_bytes(recipe, space) for recipe in _random_recipes(space, plan.seed)]
    typical, most = statistics.median(sizes) * plan.keep, max(sizes) * plan.keep
    return (
        f"the weights of the best {plan.keep} trials will take about {_spelled(typical)},"
        f" up to {_spelled(most)} if large networks win"
    )


def weights_bytes(recipe: Recipe, space: Space) -> int:
    """The size of a recipe's float32 weights, counted without taking memory for them."""
    channels = space.facts.channels
    with torch.device("meta"):
        network = build_network(recipe, space.facts, mean=[0.0] * channels, std=[1.0] * channels)
    return 4 * count_parameters(network)


def _random_recipes(space: Space, seed: int) -> list[Recipe]:
    sampler = optuna.samplers.RandomSampler(seed=trial_seed(seed, 0) % 2**32)
    study = optuna.create_study(sampler=sampler)
    return [space.suggest(study.ask()) for _ in range(SAMPLES)]


def _spelled(size: float) -> str:
    unit = int(np.clip(np.log10(max(size, 1)) // 3, 1, 4))
    return f"{size / 1000**unit:.3g} {['B', 'kB', 'MB', 'GB', 'TB'][unit]}"
