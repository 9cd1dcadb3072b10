"""What is compared: a sampler and a pruner each, as they are called in `replay.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import count, takewhile
from typing import Any

from optuna.pruners import BasePruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler
from replay_gaussian import GaussianSampler
from replay_problems import Asks
from replay_samplers import FadingPrior, PartTPE, PriorBand

from search.studies.pruners import RetryAwarePruner, build_pruner, rungs
from search.studies.recipes import as_planned
from search.studies.samplers import StudySampler, sampler_of
from spaces import DataFacts, bind, load_preset
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
    """A way to search. make: what makes the sampler of one trial from its seed. config: with the pruner.

    halving: instead of the pruner's, the share of the epochs at which successive halving has its first rung, and its
    reduction. promotes: a pruned trial goes on where it was cut off, once its rung ranks it high enough.
    """

    make: Callable[[StudyConfig], Callable[[int], BaseSampler]]
    config: StudyConfig = CONFIG
    halving: tuple[float, int] | None = None
    promotes: bool = False

    def sampler(self, problem: Asks, seed: int) -> BaseSampler:
        """As a study has it: made anew for each trial, and never twice the same recipe."""
        make = self.make(replace(self.config, epochs=problem.epochs))
        return StudySampler(make, seed, ProblemSpace(problem))  # type: ignore[arg-type]

    def pruner(self, epochs: int) -> BasePruner:
        """The pruner for trainings of so many epochs."""
        if self.halving is None:
            return build_pruner(replace(self.config, epochs=epochs))
        share, reduction = self.halving
        least = max(1, round(epochs * share))
        return RetryAwarePruner(SuccessiveHalvingPruner(min_resource=least, reduction_factor=reduction))

    def rungs(self, epochs: int) -> frozenset[int]:
        """The epochs that it hears of."""
        if self.halving is None:
            return rungs(replace(self.config, epochs=epochs))
        share, reduction = self.halving
        least = max(1, round(epochs * share))
        steps = (least * reduction**number for number in count())
        return frozenset({epochs, *takewhile(lambda step: step < epochs, steps)})


def _tpe(config: StudyConfig, *, group: bool = True) -> Callable[[int], BaseSampler]:
    def make(seed: int) -> BaseSampler:
        return TPESampler(n_startup_trials=10, multivariate=True, constant_liar=True, group=group, seed=seed)

    return make


def _always(make: Callable[[int], BaseSampler]) -> Callable[[StudyConfig], Callable[[int], BaseSampler]]:
    return lambda _: make


@cache
def _preset(name: str) -> dict[str, Any]:
    """The parameters of a preset in the space `standard` of the homework's data, whose axes the recorded table has."""
    classes = ("background", "soil", "bedrock", "sand", "big rock")
    facts = DataFacts(channels=1, height=64, width=128, class_names=classes, excluded=("background",))
    space = bind(facts, "base: standard\n")
    return dict(space.params(as_planned(space, load_preset(name, facts))))


def _around(kind: Callable[..., BaseSampler], preset: str) -> Callable[[StudyConfig], Callable[[int], BaseSampler]]:
    return _always(lambda seed: kind(seed, _preset(preset)))


ours, part = sampler_of, _always(partial(PartTPE, startup=20))
CANDIDATES: dict[str, Candidate] = {
    "ours": Candidate(make=ours),
    "ours, promotion": Candidate(make=ours, promotes=True),
    "ours, hyperband": Candidate(make=ours, config=replace(CONFIG, pruner="hyperband")),
    "ours, median": Candidate(make=ours, config=replace(CONFIG, pruner="median")),
    "ours, from 1/27": Candidate(make=ours, halving=(1 / 27, 3)),
    "ours, from 1/3": Candidate(make=ours, halving=(1 / 3, 3)),
    "ours, halves from 1/8": Candidate(make=ours, halving=(1 / 8, 2)),
    "ours, quarters from 1/16": Candidate(make=ours, halving=(1 / 16, 4)),
    "ours, gaussian": Candidate(make=_always(partial(GaussianSampler, startup=20))),
    "ours, gaussian alone": Candidate(make=_always(partial(GaussianSampler, startup=20, share=0.0))),
    "tpe": Candidate(make=_tpe),
    "tpe without groups": Candidate(make=partial(_tpe, group=False)),
    "tpe, part of the history": Candidate(make=part),
    "tpe, hyperband": Candidate(make=_tpe, config=replace(CONFIG, pruner="hyperband")),
    "tpe, hyperband by bracket": Candidate(make=part, config=replace(CONFIG, pruner="hyperband")),
    "tpe, median": Candidate(make=_tpe, config=replace(CONFIG, pruner="median")),
    "tpe, promotion": Candidate(make=_tpe, promotes=True),
    "tpe, fading prior": Candidate(make=_always(FadingPrior)),
    "tpe, fading baseline": Candidate(make=_around(FadingPrior, "baseline")),
    "tpe, fading report c": Candidate(make=_around(FadingPrior, "report-c-unet")),
    "priorband, baseline": Candidate(make=_around(PriorBand, "baseline")),
    "priorband, report c": Candidate(make=_around(PriorBand, "report-c-unet")),
    "priorband": Candidate(make=_always(PriorBand), config=replace(CONFIG, pruner="hyperband")),
    "priorband, asha": Candidate(make=_always(PriorBand)),
    "random": Candidate(make=_always(RandomSampler), config=replace(CONFIG, pruner="none")),
    "random, asha": Candidate(make=_always(RandomSampler)),
    "cma-es": Candidate(make=_always(lambda seed: CmaEsSampler(seed=seed, warn_independent_sampling=False))),
}
