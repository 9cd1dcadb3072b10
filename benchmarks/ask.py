"""What it costs to ask for a trial in a long study: ours beside Optuna's TPE, in turns in one process.

The mean, as a change of the best trial costs half of what a proposal of TPE's does.

python benchmarks/ask.py [--trials 10000] [--axes 60] [--asks 20]
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from replay_candidates import CANDIDATES
from replay_problems import ask, idle_axes

from spaces.space import Suggests


@dataclass(frozen=True)
class Axes:
    """A space, to be asked for."""

    space: dict[str, BaseDistribution]
    epochs: int = 27

    def suggest(self, trial: Suggests) -> Any:
        """Ask the trial for its parameters."""
        return ask(trial, self.space)


def history(problem: Axes, count: int) -> list[FrozenTrial]:
    """Finished trials, two of three pruned at a rung."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    random = np.random.default_rng(0)
    trials = []
    for number in range(count):
        asked = study.ask() if number % 500 else (study := optuna.create_study(sampler=study.sampler)).ask()
        problem.suggest(asked)
        value, pruned = float(random.normal(0.5, 0.1)), number % 3 > 0
        known: dict[str, Any] = {"params": asked.params, "distributions": asked.distributions, "value": value}
        known |= {"state": TrialState.PRUNED, "intermediate_values": {3: value}} if pruned else {}
        trials.append(create_trial(**known))
    return trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--axes", type=int, default=60)
    parser.add_argument("--asks", type=int, default=20)
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    problem = Axes(idle_axes(told.axes))
    samplers: dict[str, BaseSampler] = {
        "ours": CANDIDATES["ours"].sampler(problem, 0),
        "Optuna's TPE": TPESampler(seed=0, multivariate=True, group=True, constant_liar=True),
    }
    study = optuna.create_study(direction="maximize")
    study.add_trials(history(problem, told.trials))
    costs: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(told.asks):
        for name, sampler in samplers.items():
            study.sampler = sampler
            began = time.process_time()
            trial = study.ask()
            problem.suggest(trial)
            costs[name].append(time.process_time() - began)
            study.tell(trial, 0.5)
    means = {name: statistics.fmean(found) for name, found in costs.items()}
    whole = means["Optuna's TPE"]
    for name, mean in means.items():
        print(f"{name:14} {mean:.3f} s of processor time for a trial, {mean / whole:.3f} of TPE's")


if __name__ == "__main__":
    main()
