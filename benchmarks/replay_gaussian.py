"""Our sampler with a Gaussian process (Optuna's GPSampler) in the place of TPE: a candidate.

A Gaussian process wants one value a trial, and most trials are pruned: the value is what the trial would have come to,
had it gained what the others gained after that rung. Very poor ones are raised to a floor, since how poor they are says
little about where the best lie.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial, TrialState

from search.studies.near_best import NearBestSampler, neighbour
from storage.trials.merged_attempts import with_trials

LEARNT = 100  # trials, the best: the cost grows with their cube
FLOOR = 1.5  # quartile distances below the median, where values are cut off
PROPOSALS, SEARCHES, DRAWS = 512, 6, 64  # of Optuna's 2048, 10 and 128, to take less time


class GaussianSampler(NearBestSampler):
    """Half changes of the best trial, half proposals of a Gaussian process; axes that only some recipes have by TPE.

    share: of the first.
    """

    def __init__(self, seed: int, *, startup: int, share: float = 0.5) -> None:
        super().__init__(seed, startup=startup)
        self._share = share
        self._process = GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
        self._process._n_preliminary_samples = PROPOSALS
        self._process._n_local_search = SEARCHES
        self._process._n_qmc_samples_qei = DRAWS

    def _foreseen(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        return with_trials(self._learnt(study, trial), foreseen)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._process.infer_relative_search_space(self._foreseen(study, trial), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        view = self._foreseen(study, trial)
        if self._good and self._random.random() < self._share:
            return neighbour(self._good[0], (), self._random)
        return self._process.sample_relative(view, trial, search_space)


def foreseen(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The best LEARNT of the trials that reached a rung, as complete ones with a foreseen value, and those that run."""
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    ended = [trial for trial in ended if trial.intermediate_values]
    gains = rung_gains(ended)
    values = [_last(trial) + sum(g for rung, g in gains.items() if rung >= trial.last_step) for trial in ended]
    if values:
        quartiles = np.quantile(values, (0.25, 0.5, 0.75))
        values = np.maximum(values, quartiles[1] - FLOOR * (quartiles[2] - quartiles[0])).tolist()
    order = np.argsort(values, kind="stable")[-LEARNT:]
    return [_completed(ended[place], values[place]) for place in order] + [
        trial for trial in trials if trial.state is TrialState.RUNNING and trial.params
    ]


def rung_gains(ended: Sequence[FrozenTrial]) -> dict[int, float]:
    """For each rung but the last, what the trials that reached the next one gained until there, the median."""
    rungs = sorted({rung for trial in ended for rung in trial.intermediate_values})
    found = {}
    for rung, following in pairwise(rungs):
        both = [t.intermediate_values for t in ended if {rung, following} <= t.intermediate_values.keys()]
        found[rung] = float(np.median([seen[following] - seen[rung] for seen in both])) if both else 0.0
    return found


def _last(trial: FrozenTrial) -> float:
    return float(trial.intermediate_values[max(trial.intermediate_values)])


def _completed(trial: FrozenTrial, value: float) -> FrozenTrial:
    seen = copy.copy(trial)
    seen.state, seen.values = TrialState.COMPLETE, [value]
    return seen
