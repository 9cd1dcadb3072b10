"""What is compared: a sampler and a pruner each, as they are called in `replay.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from replay_problems import Asks

from search.studies.pruners import build_pruner, rungs
from search.studies.samplers import StudySampler, sampler_of
from spaces.space import Suggests
from storage.studies.config import StudyConfig

CONFIG = StudyConfig(study="replay", trials=100)


@dataclass(frozen=True)
class ProblemSpace:
    """A problem as the space of a study is to its sampler."""

    problem: Asks

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
    """A way to search. make: what makes the sampler of one trial from its seed. config: with the pruner."""

    make: Callable[[StudyConfig], Callable[[int], BaseSampler]]
    config: StudyConfig = CONFIG

    def sampler(self, problem: Asks, seed: int) -> BaseSampler:
        """As a study has it: made anew for each trial, and never twice the same recipe."""
        make = self.make(replace(self.config, epochs=problem.epochs))
        return StudySampler(make, seed, ProblemSpace(problem))  # type: ignore[arg-type]

    def pruner(self, epochs: int) -> BasePruner:
        """The pruner for trainings of so many epochs."""
        return build_pruner(replace(self.config, epochs=epochs))

    def rungs(self, epochs: int) -> frozenset[int]:
        """The epochs that it hears of."""
        return rungs(replace(self.config, epochs=epochs))


def _tpe(config: StudyConfig, *, group: bool = True) -> Callable[[int], BaseSampler]:
    def make(seed: int) -> BaseSampler:
        return TPESampler(n_startup_trials=10, multivariate=True, constant_liar=True, group=group, seed=seed)

    return make


def _random(config: StudyConfig) -> Callable[[int], BaseSampler]:
    return RandomSampler


def _cma_es(config: StudyConfig) -> Callable[[int], BaseSampler]:
    return lambda seed: CmaEsSampler(seed=seed)


NO_PRUNER = replace(CONFIG, pruner="none")
CANDIDATES: dict[str, Candidate] = {
    "ours": Candidate(make=sampler_of),
    "tpe": Candidate(make=_tpe),
    "tpe without groups": Candidate(make=partial(_tpe, group=False)),
    "tpe, hyperband": Candidate(make=_tpe, config=replace(CONFIG, pruner="hyperband")),
    "tpe, median": Candidate(make=_tpe, config=replace(CONFIG, pruner="median")),
    "random": Candidate(make=_random, config=NO_PRUNER),
    "random, asha": Candidate(make=_random),
    "cma-es": Candidate(make=_cma_es),
}
