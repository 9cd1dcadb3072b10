"""When a study gives a trial up: its pruners, which see each trial once, however many attempts it has had."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from itertools import count, takewhile

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.study import Study
from optuna.trial import FrozenTrial

from storage.studies.config import StudyConfig
from storage.trials.merged_attempts import as_first_attempt, merged_attempts

REDUCTION = 3  # eta of successive halving (arXiv 1810.05934 uses 3 and 4)


class RetryAwarePruner(BasePruner):
    """A pruner that sees each trial once."""

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner

    def prune(self, study: Study, trial: FrozenTrial) -> bool:  # noqa: D102
        return self._pruner.prune(merged_attempts(study, trial), as_first_attempt(trial))


class RetryAwareHyperband(HyperbandPruner):
    """The same for Hyperband, as one: Optuna's samplers learn only from trials of a bracket when they find Hyperband.

    A retry is in the bracket of its first attempt.
    """

    def __init__(self, *, min_resource: int, max_resource: int) -> None:
        super().__init__(min_resource, max_resource, REDUCTION)
        self._try_initialization(None)  # type: ignore[arg-type]  # or every trial is in bracket 0 until one is judged

    def prune(self, study: Study, trial: FrozenTrial) -> bool:  # noqa: D102
        return super().prune(merged_attempts(study, trial), as_first_attempt(trial))

    def _get_bracket_id(self, study: Study, trial: FrozenTrial) -> int:
        return super()._get_bracket_id(study, as_first_attempt(trial))


def build_pruner(config: StudyConfig) -> BasePruner:
    """The study's pruner, over epochs counted from one.

    No trial is spared: the best of those that reached a rung goes on, so that one runs to its end in any case. To spare
    the first two cost a search 8 % of its compute and brought nothing (`benchmarks/replay.py`, LCBench).
    """
    least = min_resource(config.epochs)
    if config.pruner == "hyperband":
        return RetryAwareHyperband(min_resource=least, max_resource=config.epochs)
    builds: dict[str, Callable[[], BasePruner]] = {
        "asha": lambda: SuccessiveHalvingPruner(min_resource=least, reduction_factor=REDUCTION),
        "median": lambda: MedianPruner(n_startup_trials=0, n_warmup_steps=least, n_min_trials=2),
        "none": NopPruner,
    }
    return RetryAwarePruner(builds[config.pruner]())


def min_resource(epochs: int) -> int:
    """The first rung in epochs: a ninth of the budget, at least one."""
    return max(1, round(epochs / REDUCTION**2))


@cache
def rungs(config: StudyConfig) -> frozenset[int]:
    """The epochs that are reported to Optuna; the whole curve is in our own table."""
    least, most = min_resource(config.epochs), config.epochs
    steps: dict[str, Iterable[int]] = {
        "none": (),
        "median": range(least, most, max(1, most // 10)),
        "asha": takewhile(lambda step: step < most, (least * REDUCTION**k for k in count())),
    }
    return frozenset({most, *steps["asha" if config.pruner == "hyperband" else config.pruner]})


def moments(config: StudyConfig, epochs: int) -> tuple[int, ...]:
    """The epochs of a training whose labels people look at, beside those of the one that counts: first rung, middle."""
    early = min(rungs(config))
    return tuple(sorted({min(early, epochs) if early < config.epochs else 1, max(1, epochs // 2)}))
