"""How a study chooses what to try.

Whether a recipe keeps the study's limits is known without training, so proposals are checked before they become trials.
In a space of 168 axes whose random recipes break a limit 19 times out of 20, TPE alone still proposed 8 to 44 % too
large ones after a hundred trials (measured, 3 seeds): its densities are wide in so many dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from search.studies.candidate import Candidate
from search.studies.limits import violation_of
from search.studies.near_best import NearBestSampler
from search.studies.pruners import build_pruner, rungs
from search.studies.study import StudyDefinition, trial_seed
from search.worker.gpus import Gpu
from spaces import Space
from spaces.space import Suggests
from storage.database.optuna_schema import storage_of, study_id_of
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.trials.queries import params_of

Params = Mapping[str, Any]

DRAWS = 20
"""Proposals for one trial, of which the first feasible or else the least infeasible is taken.

With 5, 0 to 14 of the last 100 trials were over the limit in such a search, with 10 up to 9, with 20 none (measured,
3 seeds each): what is sifted out here, TPE does not learn from, so that it goes on proposing it.
"""


MOST_LISTED = 10_000
"""Points of a space that are looked through for one that was not tried, once proposals only repeat what was."""


class StudySampler(BaseSampler):
    """A sampler made anew for each trial, its generator drawn from (study seed, trial number).

    So parallel workers never propose the same start-up points, and which worker samples a trial does not matter.
    A recipe that another trial has is not proposed again: its other seed would only give it a second chance to look
    good. violation: how far a proposal is over the study's limits, 0 for a feasible one. The least is taken when all of
    DRAWS are over, and that trial is refused later, so that the sampler learns from it. A trial that was enqueued keeps
    what it was enqueued with. The samplers made do nothing before and after a trial.
    """

    def __init__(
        self,
        make: Callable[[int], BaseSampler],
        seed: int,
        space: Space,
        violation: Callable[[Suggests], float] | None = None,
    ) -> None:
        self._make, self._seed, self._space, self._violation = make, seed, space, violation
        self._sampler = make(seed)
        self._candidate: Candidate | None = None

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:  # noqa: D102
        self._candidate = None
        self._sampler = self._make(trial_seed(self._seed, trial.number) % 2**32)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: D102
        if "fixed_params" in trial.system_attrs:
            return self._sampler.infer_relative_search_space(study, trial)
        known = params_of_others(study, trial)
        ranked: list[tuple[bool, float, Candidate]] = []
        for candidate in islice(self._proposals(study, trial, known), 2 * DRAWS):
            over = self._over(candidate)
            ranked.append((candidate.params in known, over, candidate))
            if not any(ranked[-1][:2]) or (len(ranked) >= DRAWS and not all(repeated for repeated, *_ in ranked)):
                break
        self._candidate = min(ranked, key=itemgetter(0, 1))[2]
        return self._candidate.distributions

    def _over(self, candidate: Candidate) -> float:
        if self._violation is not None:
            return self._violation(candidate)
        self._space.suggest(candidate)
        return 0.0

    def _proposals(self, study: optuna.Study, trial: FrozenTrial, known: Sequence[Params]) -> Iterator[Candidate]:
        """The sampler's own; when these only repeat what is known, points that are not, or random ones."""
        for _ in range(DRAWS):
            yield Candidate(self._sampler, study, trial)
        seed = trial_seed(self._seed, trial.number) % 2**32
        if self._space.size(MOST_LISTED) is None:
            chance = RandomSampler(seed=seed)
            while True:
                yield Candidate(chance, study, trial)
        tried = {frozenset(params.items()) for params in known}
        left = [point for point in self._space.grid() if frozenset(point.items()) not in tried]
        for index in np.random.default_rng(seed).permutation(len(left)):
            yield Candidate(self._sampler, study, trial, left[index])

    def sample_relative(  # noqa: D102
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if self._candidate is None:
            return self._sampler.sample_relative(study, trial, search_space)
        return self._candidate.params

    def sample_independent(  # noqa: D102
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


def params_of_others(study: optuna.Study, trial: FrozenTrial) -> Sequence[Params]:
    """The parameters of all trials of the study but this one, those that wait too: all of a recipe but its seed."""
    others = storage_of(study).get_all_trials(study_id_of(study), deepcopy=False)  # under Hyperband, of all brackets
    return [params for other in others if (params := params_of(other)) and other is not trial]  # itself has none yet


def build_sampler(study: StudyDefinition, violation: Callable[[Suggests], float] | None = None) -> BaseSampler:
    """The study's sampler. A grid's points are enqueued, so its sampler only fills up what is missing at random.

    violation: see `StudySampler`; None where nothing is limited.
    """
    return StudySampler(sampler_of(study.config), study.config.seed, study.space, violation)


def sampler_of(config: StudyConfig) -> Callable[[int], BaseSampler]:
    """What makes the sampler of one trial from its seed."""
    if config.sampler != "tpe":
        return RandomSampler
    most = 20 if len(rungs(config)) > 1 else 10  # random trials are cheap only where most are pruned soon
    return partial(NearBestSampler, startup=max(4, min(most, config.trials // 4)))


def load_study(store: Store, study: StudyDefinition, gpu: Gpu | None = None) -> optuna.Study:
    """An Optuna study of its own for one thread, with the study's sampler and pruner.

    gpu: of the trainings that the thread will run, so that recipes too large for them are not proposed.
    The pruner counts a trial once, however many attempts it has had.
    """
    sampler = build_sampler(study, violation_of(study, gpu))
    name, pruner = study.config.study, build_pruner(study.config)
    return optuna.load_study(study_name=name, storage=store.trials, sampler=sampler, pruner=pruner)
