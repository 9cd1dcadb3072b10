"""What is compared: a sampler and a pruner each, as they are called in `replay.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from replay_problems import Problem

from search.studies.pruners import build_pruner, rungs
from search.studies.samplers import StudySampler, sampler_of
from spaces.space import Suggests
from storage.studies.config import StudyConfig

CONFIG = StudyConfig(study="replay", trials=100)


@dataclass(frozen=True)
class ProblemSpace:
    """A problem as the space of a study is to its sampler."""

    problem: Problem

    def suggest(self, trial: Suggests, seed: int = 0) -> Any:
        """Ask the trial for its parameters."""
        return self.problem.suggest(trial)

    def size(self, most: int) -> int | None:
        """More points than are listed."""
        return None

    def grid(self) -> Iterator[Any]:
        """None is listed."""
        return iter(())


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A way to search. make: a sampler for one trial, of a seed. config: with the pruner."""

    make: Callable[[int], BaseSampler]
    config: StudyConfig = CONFIG

    def sampler(self, problem: Problem, seed: int) -> BaseSampler:
        """As a study has it: made anew for each trial, and never twice the same recipe."""
        return StudySampler(self.make, seed, ProblemSpace(problem))  # type: ignore[arg-type]

    def pruner(self, epochs: int) -> BasePruner:
        """The pruner for trainings of so many epochs."""
        return build_pruner(replace(self.config, epochs=epochs))

    def rungs(self, epochs: int) -> frozenset[int]:
        """The epochs that it hears of."""
        return rungs(replace(self.config, epochs=epochs))


def _tpe(seed: int, **options: Any) -> BaseSampler:
    return TPESampler(n_startup_trials=10, multivariate=True, constant_liar=True, seed=seed, **options)


NO_PRUNER = replace(CONFIG, pruner="none")
CANDIDATES: dict[str, Candidate] = {
    "ours": Candidate(make=sampler_of(CONFIG)),
    "tpe": Candidate(make=lambda seed: _tpe(seed, group=True)),
    "tpe without groups": Candidate(make=lambda seed: _tpe(seed, group=False)),
    "tpe, hyperband": Candidate(make=lambda seed: _tpe(seed, group=True), config=replace(CONFIG, pruner="hyperband")),
    "tpe, median": Candidate(make=lambda seed: _tpe(seed, group=True), config=replace(CONFIG, pruner="median")),
    "random": Candidate(make=lambda seed: RandomSampler(seed=seed), config=NO_PRUNER),
    "random, asha": Candidate(make=lambda seed: RandomSampler(seed=seed)),
    "cma-es": Candidate(make=lambda seed: optuna.samplers.CmaEsSampler(seed=seed)),
}
