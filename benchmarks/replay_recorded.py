"""The recipes that `recipe_table.py` recorded, as a problem to replay: a model over them foresees every other recipe.

Which model stands for the trainings is decided by how well it foresees recipes that it has not seen, before anything is
replayed: `Recorded.foresight`.
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from replay_problems import Params, Values

from spaces.space import Suggests

LOGGED = ("lr", "rate", "decay", "filters", "batch_size")  # how the names of axes end whose logarithm counts


class Surrogate(Protocol):
    """A model of several outputs."""

    def fit(self, rows: Values, outputs: Values) -> Surrogate:
        """Learn the outputs, (recipes, outputs), from the axes, (recipes, axes)."""

    def predict(self, rows: Values) -> Values:
        """The outputs, (recipes, outputs)."""

    def again(self) -> Surrogate:
        """One like it, for another part of the same table."""


class Forest:
    """A random forest. Each tree sees the rows of a bootstrap, so the mean over them is smoother than trainings are."""

    def fit(self, rows: Values, outputs: Values) -> Forest:
        """See `Surrogate`."""
        from sklearn.ensemble import ExtraTreesRegressor

        self._forest = ExtraTreesRegressor(200, min_samples_leaf=2, bootstrap=True, random_state=0)
        self._forest.fit(rows, outputs.squeeze())
        return self

    def predict(self, rows: Values) -> Values:
        """See `Surrogate`."""
        return np.asarray(self._forest.predict(rows)).reshape(len(rows), -1)

    def again(self) -> Forest:
        """A new one."""
        return Forest()


class Gaussians:
    """A Gaussian process for each output: Matern 5/2 with a length for each axis, and the noise between seeds.

    kernels: of each output, as another table taught them; else they are fitted.
    """

    def __init__(self, kernels: Sequence[Any] = ()) -> None:
        self._kernels = kernels

    def fit(self, rows: Values, outputs: Values) -> Gaussians:
        """See `Surrogate`."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        self._at, self._width = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
        lengths = [3.0] * rows.shape[1]
        free = ConstantKernel(1.0) * Matern(lengths, (0.3, 1e3), nu=2.5) + WhiteKernel(0.1)
        new = partial(GaussianProcessRegressor, normalize_y=True, random_state=0)
        ready = [new(kernel, optimizer=None) for kernel in self._kernels] or [new(free) for _ in outputs.T]
        scaled = self._scaled(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # an axis that means nothing has no length
            self._processes = [process.fit(scaled, output) for process, output in zip(ready, outputs.T, strict=True)]
        return self

    def predict(self, rows: Values) -> Values:
        """See `Surrogate`."""
        scaled = self._scaled(rows)
        return np.column_stack([process.predict(scaled) for process in self._processes])

    def again(self) -> Gaussians:
        """With this one's kernels, once it is fitted."""
        return Gaussians([process.kernel_ for process in self._processes])

    def _scaled(self, rows: Values) -> Values:
        return (rows - self._at) / self._width


SURROGATES: dict[str, Callable[[], Surrogate]] = {"gaussian": Gaussians, "forest": Forest}


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The recipes of a table, and by a model of them score and cost of any recipe.

    space: to draw from. table: of `recipe_table.py`. surrogate: makes the model.
    """

    space: Any
    table: pd.DataFrame
    surrogate: Callable[[], Surrogate] = Gaussians
    name: str = "tiles"

    @property
    def epochs(self) -> int:
        """Of the recorded trainings."""
        return int(self._curves.shape[1])

    @cached_property
    def _curves(self) -> Values:
        lists = [json.loads(text) for text in self.table.miou]
        most = max(map(len, lists))
        return np.array([one + [one[-1] if one else 0.0] * (most - len(one)) for one in lists])

    @cached_property
    def _codes(self) -> dict[str, dict[Any, float]]:
        """For each axis what stands for its values: numbers for themselves, names for their place."""
        seen: dict[str, set[Any]] = {}
        for text in self.table.params:
            for name, value in json.loads(text).items():
                seen.setdefault(name, set()).add(value)
        return {n: {v: float(k) for k, v in enumerate(sorted(values, key=str))} for n, values in sorted(seen.items())}

    def row(self, params: Params) -> list[float]:
        """The parameters as numbers; -1 for an axis that the recipe does not have."""
        found = []
        for name, known in self._codes.items():
            value = params.get(name)
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            logged = math.log(value) if number and name.endswith(LOGGED) else value
            found.append(-1.0 if value is None else float(logged) if number else known.get(value, -1.0))
        return found

    @cached_property
    def _rows(self) -> Values:
        return np.array([self.row(json.loads(text)) for text in self.table.params])

    @cached_property
    def _model(self) -> Surrogate:
        seconds = np.log(np.maximum(self.table.seconds.to_numpy()[:, None], 0.1))
        return self.surrogate().fit(self._rows, np.hstack([self._curves, seconds]))

    def drawn_again(self, number: int) -> Recorded:
        """The same over as many of the recipes, drawn with replacement: what another table might have said."""
        rows = dict(list(self.table.groupby("recipe")))  # pandas' own `keys` would mislead dict()
        names = np.random.default_rng(number).choice(list(rows), len(rows))
        table = pd.concat([rows[name] for name in names], ignore_index=True)
        return replace(self, table=table, surrogate=self._model.again, name=f"{self.name} {number}")

    def foresight(self) -> float:
        """Spearman's rank correlation between the ends of recipes and what a model without them foresees."""
        from scipy.stats import spearmanr
        from sklearn.model_selection import GroupKFold

        rows, ends, seen = self._rows, self._curves[:, -1], np.zeros(len(self.table))
        for learnt, left in GroupKFold(10).split(rows, groups=self.table.recipe):
            seen[left] = self.surrogate().fit(rows[learnt], ends[learnt, None]).predict(rows[left])[:, 0]
        return float(spearmanr(seen, ends).statistic)

    def suggest(self, trial: Suggests) -> Any:
        """Ask the trial for its parameters."""
        return self.space.suggest(trial)

    def curve(self, params: Params) -> tuple[Values, Values]:
        """Mean IoU and seconds of each epoch."""
        found = self._model.predict(np.array([self.row(params)]))[0]
        return found[:-1], np.full(self.epochs, math.exp(found[-1]) / self.epochs)
