"""What a table of recipes shows: which axes matter, how early a training says how it ends, and how much is luck."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

BOOTSTRAPS = 1000
BINS = 5  # of a numeric axis, with equally many recipes each
TOLD = 10  # values of a numeric axis, up to which each stands for itself
LEAST = 8  # recipes with a value, before anything is said about it
MEANT = {
    "optimisation.sgd_lr": ("optimisation.optimizer", "sgd"),
    "optimisation.lr": ("optimisation.optimizer", "adamw"),
    "class_weights.smoothing": ("class_weights.scheme", "inverse_frequency"),
}
"""Axes that mean something beside one value of another."""
FAILS = 0.5  # share of the recipes with a value that end in the lowest tenth, from which on the value is to blame

GREW = "optimisation.batch_size"  # whose options came one after the other, and so have unequal numbers of recipes
MORE = 0.025  # from which share of all recipes on such a value is told

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def read_table(*paths: Path) -> pd.DataFrame:
    """The rows of these files; a recipe is a name or a number in digits."""
    return pd.concat([pd.read_csv(path, dtype={"recipe": str}) for path in paths], ignore_index=True)


def small(table: pd.DataFrame) -> pd.Series[bool]:
    """Which rows have the settings of most; the others are taken for trainings at full size.

    The space may have grown in between: its digest does not count.
    """
    settings = table.settings.map(lambda text: json.dumps({**json.loads(text), "axes": ""}))
    return settings == settings.mode()[0]


def drawn(table: pd.DataFrame) -> pd.DataFrame:
    """The small trainings of recipes that were drawn at random."""
    return table[small(table) & table.recipe.str.isdecimal()]


def report(table: pd.DataFrame) -> str:
    """The sections of the report, as Markdown. table: rows of `recipe_table.py`."""
    curves = table.miou.map(json.loads)
    table = table.assign(final=[curve[-1] if curve else 0.0 for curve in curves], curve=curves)
    main = drawn(table)
    first = main[main.seed == 0].reset_index(drop=True)
    parts = [_overview(main), _seeds(main), _rungs(first), _axes(first), _blame(first)]
    if len(named := table[small(table) & ~table.recipe.str.isdecimal()]):
        parts.append(_named(first, named))
    if len(full := table[~small(table)]):
        parts.append(_full(first, full))
    return "\n\n".join("\n".join(part) for part in parts)


def _interval(of: Callable[[NDArray[np.int64]], float], count: int) -> str:
    """A statistic of the rows with its 95 % interval over bootstraps of the rows."""
    random = np.random.default_rng(0)
    found = [of(random.integers(0, count, count)) for _ in range(BOOTSTRAPS)]
    low, high = np.nanquantile(found, (0.025, 0.975))
    return f"{of(np.arange(count)):.3f} ({low:.3f} to {high:.3f})"


def _overview(table: pd.DataFrame) -> Iterator[str]:
    scores = table[table.seed == 0].final
    yield "## Scores"
    diverged = (table.failure.fillna("") != "").sum()
    yield f"{len(table)} trainings of {table.recipe.nunique()} recipes, {diverged} diverged; seconds of one core:"
    yield f"median {table.seconds.median():.0f}, most {table.seconds.max():.0f}. Mean IoU at the end:"
    yield ", ".join(f"{share:.0%} {scores.quantile(share):.3f}" for share in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1))


def _seeds(table: pd.DataFrame) -> Iterator[str]:
    """The standard deviation between seeds beside that between recipes."""
    again = table.groupby("recipe").final
    several = again.count()[lambda count: count > 1].index
    yield "## Luck"
    if several.empty:
        yield "No recipe was trained twice."
        return
    within = float(np.sqrt(again.var()[several].mean()))
    between = float(again.mean()[several].std())
    yield f"{len(several)} recipes with several seeds: standard deviation between seeds {within:.4f},"
    yield f"between recipes {between:.4f}"


def _rungs(first: pd.DataFrame) -> Iterator[str]:
    """How the scores after so many epochs rank the recipes as their ends do."""
    whole = first[first.curve.map(len) == first.curve.map(len).max()]
    curves, count = np.array(whole.curve.to_list()), len(whole)
    yield "## How early an end shows (Spearman's rank correlation with the last epoch, 95 %)"
    yield "| epoch | correlation | of the best tenth at the end, in the best third then |"
    yield "|---|---|---|"
    top = np.argsort(-curves[:, -1])[: max(1, count // 10)]
    for epoch in range(1, curves.shape[1]):
        then, end = curves[:, epoch - 1], curves[:, -1]
        found = _interval(lambda rows, then=then, end=end: float(spearmanr(then[rows], end[rows]).statistic), count)
        early = set(np.argsort(-then)[: count // 3])
        yield f"| {epoch} | {found} | {sum(place in early for place in top)} of {len(top)} |"


def values_of(first: pd.DataFrame) -> Iterator[tuple[str, pd.Series[str]]]:
    """For each axis the option or the fifth of its range that each recipe has, missing where it has none."""
    params = pd.DataFrame([json.loads(text) for text in first.params])
    for name, (other, value) in MEANT.items():
        params[name] = params[name].where(params[other] == value)
    for name in sorted(params):
        column = params[name]
        numbers = pd.to_numeric(column, errors="coerce") if column.map(type).isin([int, float]).any() else None
        if numbers is None or numbers.nunique() <= TOLD:
            yield name, column.map(str, na_action="ignore")
        else:
            fifths = pd.qcut(numbers, BINS, duplicates="drop")
            least = numbers.min()
            named = fifths.map(
                lambda fifth, least=least: f"{max(fifth.left, least):.3g} to {fifth.right:.3g}", na_action="ignore"
            )
            yield name, named.astype(object)


def _axes(first: pd.DataFrame) -> Iterator[str]:
    """For each axis the mean score by value, and how far the best value is from the worst.

    Among several values one is always the best: by chance, with the scores dealt out anew, the distance stays below the
    third column in 95 % of the cases.
    """
    yield "## Axes, by the distance between the best and the worst value's mean score"
    yield "| axis | distance (95 %) | by chance below | mean score by value |"
    yield "|---|---|---|---|"
    rows = []
    for name, values in values_of(first):
        kept = values.notna().to_numpy()
        scores, codes = first.final.to_numpy()[kept], pd.factorize(values[kept], sort=False)
        if len(codes[1]) < 2:
            continue
        distance = _interval(lambda r, s=scores, c=codes[0]: _spread(s[r], c[r]), len(scores))
        means = pd.Series(scores).groupby(values[kept].to_numpy()).mean()
        order = sorted(means.items(), key=lambda item: _first_number(str(item[0])))
        chance, listed = _by_chance(scores, codes[0]), ", ".join(f"{value}: {mean:.3f}" for value, mean in order)
        matters = "**" if _spread(scores, codes[0]) > chance else ""
        rows.append((distance, f"| {matters}{name}{matters} | {distance} | {chance:.3f} | {listed} |"))
    yield from (line for _, line in sorted(rows, reverse=True))


def _by_chance(scores: Floats, codes: NDArray[np.int64]) -> float:
    random = np.random.default_rng(0)
    return float(np.quantile([_spread(random.permutation(scores), codes) for _ in range(BOOTSTRAPS)], 0.95))


def _spread(scores: Floats, codes: NDArray[np.int64]) -> float:
    means = [scores[codes == code].mean() for code in np.unique(codes)]
    return float(max(means) - min(means))


def _first_number(text: str) -> tuple[float, str]:
    try:
        return float(text.split()[0]), ""
    except ValueError:
        return float("inf"), text


def _blame(first: pd.DataFrame) -> Iterator[str]:
    """Which recipes end in the lowest tenth because of one value: outright, or more often than those without it."""
    lowest = (first.final <= first.final.quantile(0.1)).to_numpy()
    blamed = np.zeros(len(first), dtype=bool)
    yield f"## Values of which at least {FAILS:.0%} of the recipes end in the lowest tenth"
    for name, values in values_of(first):
        for value in sorted(values.dropna().unique()):
            has = (values == value).to_numpy()
            if has.sum() >= LEAST and lowest[has].mean() >= FAILS:
                blamed |= has
                yield f"- {name} {value}: {lowest[has].sum()} of {has.sum()}"
    low = (blamed & lowest).sum()
    yield f"{blamed.sum()} of {len(first)} recipes hold such a value ({blamed.mean():.1%}); with one, {low} end in the"
    yield f"lowest tenth ({low / len(first):.1%})."
    yield ""
    yield "Values with which more recipes end there than without, as a share of all recipes (95 %):"
    sizes = pd.factorize(first.params.map(lambda text: json.loads(text).get(GREW, 0)))[0]
    for name, values in values_of(first):
        for value in sorted(values.dropna().unique()):
            has, known = (values == value).to_numpy(), values.notna().to_numpy()

            def excess(rows: NDArray[np.int64], has: Flags = has, known: Flags = known) -> float:
                return _excess(first.final.to_numpy()[rows], has[rows], known[rows], sizes[rows])

            if LEAST <= has.sum() < known.sum() and excess(np.arange(len(first))) >= MORE:
                yield f"- {name} {value}: {_interval(excess, len(first))}, of {has.sum()} recipes"


def _excess(scores: Floats, has: Flags, known: Flags, sizes: NDArray[np.int64]) -> float:
    """The share of all recipes that end in the lowest tenth with a value, beyond what recipes without it do.

    Each size counts as often as any other one, since the space draws them alike.
    """
    weights = 1 / np.bincount(sizes)[sizes]
    weights /= weights.sum()
    order = np.argsort(scores)
    lowest = np.empty(len(scores), dtype=bool)
    lowest[order] = np.cumsum(weights[order]) <= 0.1
    without = known & ~has
    within, beside = (weights[rows & lowest].sum() / max(weights[rows].sum(), 1e-9) for rows in (has, without))
    return float(weights[has].sum() * (within - beside))


def _named(first: pd.DataFrame, named: pd.DataFrame) -> Iterator[str]:
    """Where recipes that people made stand among the random ones."""
    yield "## Recipes with a name, mean over their seeds"
    yield "| recipe | mean IoU | random recipes that are better | seconds |"
    yield "|---|---|---|---|"
    means = named.groupby("recipe")[["final", "seconds"]].mean().sort_values("final", ascending=False)
    for name, row in means.iterrows():
        yield f"| {name} | {row.final:.3f} | {(first.final > row.final).mean():.0%} | {row.seconds:.0f} |"


def _full(first: pd.DataFrame, full: pd.DataFrame) -> Iterator[str]:
    """How well the small trainings rank the ones at full size."""
    pairs = first.merge(full[full.seed == 0], on="recipe", suffixes=("", "_full"))
    small, large = pairs.final.to_numpy(), pairs.final_full.to_numpy()
    found = _interval(lambda rows: float(spearmanr(small[rows], large[rows]).statistic), len(pairs))
    yield "## Trained at full size"
    place = 1 + (small > small[large.argmax()]).sum()
    yield f"{len(pairs)} recipes, median {full.seconds.median():.0f} s: rank correlation {found};"
    yield f"the best of them at full size is number {place} of the small trainings."
    yield "| recipe | small | full size |"
    yield "|---|---|---|"
    yield from (f"| {row.recipe} | {row.final:.3f} | {row.final_full:.3f} |" for row in pairs.itertuples())
