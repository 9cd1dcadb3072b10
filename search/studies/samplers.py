"""How a study chooses what to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.studies.feasible import Candidate, FeasibleSampler
from storage.studies.config import StudyConfig


class SeededSampler(BaseSampler):
    """A sampler made anew for each trial, its generator drawn from (study seed, trial number).

    So parallel workers never propose the same start-up points, and which worker samples a trial does not matter.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make = make
        self._seed = seed
        self._sampler = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:  # noqa: D102
        self._sampler = self._make(trial_seed(self._seed, trial.number) % 2**32)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: D102
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(  # noqa: D102
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(  # noqa: D102
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:  # noqa: D102
        self._sampler.after_trial(study, trial, state, values)


def trial_seed(study_seed: int, number: int) -> int:
    """The seed of a trial's recipe and sampler, in [0, 2**63)."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1, np.uint64)[0]) >> 1


def build_sampler(config: StudyConfig, violation: Callable[[Candidate], float] | None = None) -> BaseSampler:
    """The study's sampler. A grid's points are enqueued, so its sampler only fills up what is missing at random.

    violation: how far a proposal is over the study's limits, see `FeasibleSampler`; None where nothing is limited.
    """
    makes: dict[str, Callable[[int], BaseSampler]] = {
        "tpe": lambda seed: _tpe(config.trials, seed),
        "random": lambda seed: RandomSampler(seed=seed),
        "grid": lambda seed: RandomSampler(seed=seed),
    }
    make = makes[config.sampler]
    if violation is None:
        return SeededSampler(make, config.seed)
    return SeededSampler(lambda seed: FeasibleSampler(make(seed), violation), config.seed)


def _tpe(trials: int, seed: int) -> BaseSampler:
    # group=False, Optuna's default, samples every conditional parameter on its own (measured: worst at 50 trials).
    startup = max(4, min(10, trials // 4))
    return TPESampler(n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=seed)
