"""How a study chooses what to try and when to give up: samplers, pruners and their rungs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.studies.feasible import Candidate, FeasibleSampler
from storage.studies.studies import StudyConfig

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("asha", "hyperband", "median", "none")
REDUCTION = 3  # eta of successive halving (arXiv 1810.05934 uses 3 and 4)


class StartupPruner(BasePruner):
    """A pruner whose verdict on the first trials of a study is not carried out: there is nothing yet to compare with.

    It is asked all the same, since successive halving notes which trial reached which rung. Trials that a limit
    refused (`search.studies.constraints`) trained nothing and are not counted among the first.
    """

    def __init__(self, pruner: BasePruner, startup: int) -> None:
        self._pruner = pruner
        self._startup = startup

    def prune(self, study: Study, trial: FrozenTrial) -> bool:  # noqa: D102
        return self._pruner.prune(study, trial) and self._others(study, trial) >= self._startup

    def _others(self, study: Study, trial: FrozenTrial) -> int:
        """How many trials before this one were allowed to train."""
        if trial.number < self._startup:
            return trial.number
        return sum(feasible(other) for other in study.get_trials(deepcopy=False) if other.number < trial.number)


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


def feasible(trial: FrozenTrial) -> bool:
    """Whether the trial keeps every limit; one that has not been measured against any does."""
    return all(value <= 0 for value in trial.constraints.values())


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


def build_pruner(config: StudyConfig) -> BasePruner:
    """The study's pruner, over epochs counted from one."""
    least, most = min_resource(config.epochs), config.epochs
    builds: dict[str, Callable[[], BasePruner]] = {
        "asha": lambda: SuccessiveHalvingPruner(min_resource=least, reduction_factor=REDUCTION),
        "hyperband": lambda: HyperbandPruner(min_resource=least, max_resource=most, reduction_factor=REDUCTION),
        "median": lambda: MedianPruner(n_startup_trials=0, n_warmup_steps=least, n_min_trials=2),
        "none": NopPruner,
    }
    return StartupPruner(builds[config.pruner](), startup_trials(config.trials))


def startup_trials(trials: int) -> int:
    """How many trials of a study run to their end whatever they score: a quarter, from 2 to 5."""
    return max(2, min(5, trials // 4))


def min_resource(epochs: int) -> int:
    """The first rung in epochs: a ninth of the budget, at least one."""
    return max(1, round(epochs / REDUCTION**2))


def rungs(config: StudyConfig) -> frozenset[int]:
    """The epochs at which Optuna hears of a training; the whole curve is in our own table."""
    if config.pruner == "none":
        return frozenset({config.epochs})
    if config.pruner == "median":
        return frozenset(range(min_resource(config.epochs), config.epochs + 1, max(1, config.epochs // 10))) | {
            config.epochs
        }
    steps = {config.epochs}
    step = min_resource(config.epochs)
    while step < config.epochs:
        steps.add(step)
        step *= REDUCTION
    return frozenset(steps)


def _tpe(trials: int, seed: int) -> BaseSampler:
    # group=False, Optuna's default, samples every conditional parameter on its own (measured: worst at 50 trials).
    startup = max(4, min(10, trials // 4))
    return TPESampler(n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=seed)
