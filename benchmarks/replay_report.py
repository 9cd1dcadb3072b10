"""What replayed searches came to: a table of the candidates, and a picture of how they got there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BOOTSTRAPS = 2000
GRID = 200  # points of a curve

Values = NDArray[np.float64]


def report(rows: pd.DataFrame) -> str:
    """Median share and how many runs got there, and the paired difference from the first candidate in log share.

    Where there are several sets the intervals are of sets drawn anew, and of runs drawn anew within each: runs of one
    set share its luck.
    """
    names = list(dict.fromkeys(rows.candidate))
    wide = rows.assign(cost=rows.share.fillna(1.0)).pivot(index=["set", "seed"], columns="candidate", values="cost")
    picks = _picks(wide.index.get_level_values("set").to_numpy())
    lines = [
        "| candidate | median share (95 %) | reached | against the first, ratio of shares (95 %) | ask, ms |",
        "|---|---|---|---|---|",
    ]
    for name in names:
        costs, part = wide[name].to_numpy(), rows[rows.candidate == name]
        low, high = np.quantile([np.median(costs[pick]) for pick in picks], (0.025, 0.975))
        logs = np.log(costs) - np.log(wide[names[0]].to_numpy())
        means = np.exp([logs[pick].mean() for pick in picks])
        ratio = f"{np.exp(logs.mean()):.2f} ({np.quantile(means, 0.025):.2f} to {np.quantile(means, 0.975):.2f})"
        reached = f"{part.share.notna().sum()} of {len(part)}"
        median = f"{np.median(costs):.2f} ({low:.2f} to {high:.2f})"
        lines.append(f"| {name} | {median} | {reached} | {ratio} | {part.ask_ms.mean():.1f} |")
    return "\n".join(lines)


def _picks(sets: NDArray[Any]) -> list[NDArray[np.int64]]:
    """Rows of the runs, drawn anew so many times. sets: of each run."""
    random = np.random.default_rng(0)
    of_set = [np.flatnonzero(sets == name) for name in dict.fromkeys(sets)]

    def one() -> NDArray[np.int64]:
        drawn = of_set if len(of_set) == 1 else [of_set[i] for i in random.integers(0, len(of_set), len(of_set))]
        return np.concatenate([random.choice(runs, len(runs)) for runs in drawn])

    return [one() for _ in range(BOOTSTRAPS)]


def draw(rows: pd.DataFrame, path: Path) -> None:
    """Against the compute spent: the share of the runs that have reached the target, and the best score so far."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = np.linspace(0, 1, GRID)
    for name, part in rows.groupby("candidate", sort=False):
        spent = np.sort(part.share.dropna())
        reached = np.array([*range(len(spent) + 1), len(spent)]) / len(part)
        left.step([0.0, *spent, 1.0], reached, where="post", label=name)
        middle = np.median([best_so_far(steps, grid) for steps in part.steps], axis=0)
        right.plot(grid, np.where(np.isfinite(middle), middle, np.nan), label=name)
    for axes in (left, right):
        axes.set(xlabel="compute, share of 60 random trials trained in full", xlim=(0, 1))
    left.set(ylabel="share of the runs at the target", ylim=(0, 1))
    right.set(ylabel="best score so far less the target, median run")
    right.axhline(0.0, color="0.5", linewidth=0.8)
    left.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def best_so_far(steps: str, spent: Values) -> Values:
    """The best score at each share of the compute, less the target: (n,), -inf before the first complete trial.

    steps: "share:score;...", as `replay.py` records them. A run ends at the target, where it stays.
    """
    found = [part.split(":") for part in steps.split(";") if part]
    shares, scores = (np.array([float(pair[place]) for pair in found]) for place in (0, 1))
    places = np.searchsorted(shares, spent, side="right")
    return np.array([-np.inf, *scores])[places]
