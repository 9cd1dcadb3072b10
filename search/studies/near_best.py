"""The sampler of a study: changes of the best trial, and TPE over a part of the history.

TPE alone looks everywhere for long; proposals near the best trial reach a good recipe sooner and more often
(docs/search.md has the figures, `benchmarks/replay.py` makes them). PriorBand (arXiv 2306.12370) mixes random, prior
and incumbent alike. A change starts from the value of another good trial, as in the crossing of differential
evolution (Storn and Price 1997, doi 10.1023/A:1008202821328), or from that of the best one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from storage.trials.merged_attempts import with_trials
from storage.trials.queries import best_seen

SHARE, MORE = 0.7, 0.15  # of the proposals after the first ones that change the best trial, and so many more with MANY
CHANGED = 0.5  # chance of each axis to be changed
GOOD, CROSSED = 5, 0.5  # the best trials, and the chance of a changed axis to start from another's value with MANY
MANY = 20  # axes of the best trial; with fewer both chances are less in proportion: trials would repeat each other
STEP = 0.15  # standard deviation of a change, as a share of the axis
CROSSING_STEP = 0.05  # beside another's value
BEST, OTHERS = 50, 100  # trials that TPE learns from: its cost grows with them, and 25 are all that it calls good
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


class NearBestSampler(BaseSampler):
    """Changes of the best trial, and TPE. Asked several times for one trial it looks at the history once.

    startup: so many trials, enqueued ones among them, are complete or pruned before it learns; until then recipes are
    random.
    """

    def __init__(self, seed: int, *, startup: int) -> None:
        # group=False samples every conditional parameter on its own (measured: worst at 50 trials).
        self._tpe = TPESampler(n_startup_trials=startup, multivariate=True, group=True, constant_liar=True, seed=seed)
        self._random = np.random.default_rng(seed)
        self.startup = startup
        self._asked = -1
        self._history: optuna.Study | None = None
        self._good: list[FrozenTrial] = []  # the first one is changed

    def _learnt(self, study: optuna.Study, trial: FrozenTrial) -> optuna.Study:
        """The study with the trials to learn from."""
        if self._history is None or self._asked != trial.number:
            self._asked = trial.number
            chosen = self._chosen(study.get_trials(deepcopy=False))  # under Hyperband those of the bracket
            self._history = with_trials(study, lambda _: chosen)
        return self._history

    def _chosen(self, trials: list[FrozenTrial]) -> list[FrozenTrial]:
        done = best_seen(trials, max(BEST, self.startup))
        self._good = [other for other in done[:GOOD] if other.params] if len(done) >= self.startup else []
        finished = [trial for trial in trials if trial.state in FINISHED]
        if len(finished) <= BEST + OTHERS:
            return trials
        others = [finished[place] for place in np.linspace(0, len(finished) - 1, OTHERS).round().astype(int)]
        known = {trial.number: trial for trial in (*done[:BEST], *others)}
        return [*known.values(), *(trial for trial in trials if trial.state not in FINISHED)]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:  # noqa: D102
        return self._tpe.infer_relative_search_space(self._learnt(study, trial), trial)

    def sample_relative(  # noqa: D102
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        history = self._learnt(study, trial)
        if self._good and self._random.random() < SHARE + MORE * many(self._good[0]):
            near_it = neighbour(self._good[0], self._good[1:], self._random)
            return {name: near_it[name] for name in search_space if name in near_it}  # some may be fixed
        return self._tpe.sample_relative(history, trial, search_space)

    def sample_independent(  # noqa: D102
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._tpe.sample_independent(self._learnt(study, trial), trial, param_name, param_distribution)


def many(parent: FrozenTrial) -> float:
    """How far its axes are MANY, from 0 to 1."""
    return min(1.0, len(parent.params) / MANY)


def neighbour(parent: FrozenTrial, others: Sequence[FrozenTrial], random: np.random.Generator) -> dict[str, Any]:
    """The parameters of the parent, some of them changed, at least one: from those of any of the others, or its own."""
    names = list(parent.params)
    chosen = {name for name in names if random.random() < CHANGED} or {names[random.integers(len(names))]}
    return {n: _changed(parent, n, others, random) if n in chosen else v for n, v in parent.params.items()}


def _changed(parent: FrozenTrial, name: str, others: Sequence[FrozenTrial], random: np.random.Generator) -> Any:
    axis = parent.distributions[name]
    if others and random.random() < CROSSED * many(parent):
        params = others[int(random.integers(len(others)))].params
        if name in params:
            value = params[name]
            return value if isinstance(axis, CategoricalDistribution) else near(axis, value, random, CROSSING_STEP)
    return near(axis, parent.params[name], random)


def near(axis: BaseDistribution, value: Any, random: np.random.Generator, step: float = STEP) -> Any:
    """A value near this one: a normal step of that share of the axis, reflected at its ends; any option of a choice."""
    if isinstance(axis, CategoricalDistribution):
        return axis.choices[random.integers(len(axis.choices))]
    if not isinstance(axis, (IntDistribution, FloatDistribution)) or axis.single():
        return value
    half = 0.5 * (axis.step or 0)  # whole numbers have cells of equal width, the first and the last one, too
    low, high, at = (math.log(end) if axis.log else end for end in (axis.low - half, axis.high + half, value))
    place = abs((at - low) / (high - low) + random.normal(0.0, step))
    place = min(1.0, max(0.0, 2.0 - place if place > 1 else place))
    found = low + place * (high - low)
    found = min(max(math.exp(found) if axis.log else found, axis.low), axis.high)
    if axis.step:
        found = axis.low + round((found - axis.low) / axis.step) * axis.step
    return int(found) if isinstance(axis, IntDistribution) else float(found)
