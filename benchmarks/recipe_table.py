"""Random recipes of a space, trained for little: the table that samplers and ranges are judged by.

Each recipe is trained on a sixth of the tiles of each site, at least one, at half the size, with half its filters and
for 12 epochs, on one thread, and validated on every second tile. Its whole curve is kept: both means, seconds, and the
IoU of each class at the end. The first recipes get further seeds, which say how much of a difference is luck.

    python benchmarks/recipe_table.py DATA --out rows.csv [--recipes 200] [--again 30] [--part 1/2]
    python benchmarks/recipe_table.py --report rows.csv [MORE.csv]

`--named` trains presets and recipe files instead of random ones, as a study of the space tries them: is a recipe worth
a place among those that a study begins with?

The file is written anew after each training, whole or not at all; the same command again trains what is missing. Two
processes, or two machines, take a part and a file each. `--full` trains recipes at full size instead, which shows how
well the small trainings rank them. `--recorded FILE...` takes recipes as these tables have them: when the space has
grown since, a number draws another one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import torch
from kept_weights import shrunk
from recipe_table_report import drawn, read_table, report

from search.errors import Diverged
from search.reproduction.plan import Budget, at_budget
from search.studies.recipes import as_planned, read_recipe
from search.training.epoch import EpochRecord
from search.training.fit import fit
from search.worker.job_files import facts_of, samples_of, training_data
from spaces import Recipe, Space, SpaceError, bind
from storage.atomic_write import write_bytes
from storage.data.dataset import Dataset, read_dataset
from storage.data.quality.examination import examine
from storage.data.split import Split
from storage.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all trainings of a file have in common; a file with others is refused. axes: the digest of the space."""

    digest: str
    space: str
    axes: str
    epochs: int
    scale: int
    width: float
    every: int
    validated: int


SMALL: dict[str, Any] = {"epochs": 12, "scale": 2, "width": 0.5, "every": 6, "validated": 2}
FULL: dict[str, Any] = {"epochs": 22, "scale": 1, "width": 1.0, "every": 1, "validated": 1}


def random_recipe(space: Space, number: int, recorded: dict[str, Any] | None = None) -> tuple[dict[str, Any], Recipe]:
    """The random recipe of that number, or that of parameters which were recorded: its parameters, and the recipe."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number))
    if recorded is not None:
        study.enqueue_trial(recorded)
    trial = study.ask()
    recipe = space.suggest(trial, seed=number)
    return trial.params, recipe


def recorded_recipes(paths: list[Path]) -> dict[str, dict[str, Any]]:
    """The parameters of each random recipe of these tables."""
    table = drawn(read_table(*paths)) if paths else pd.DataFrame({"recipe": [], "params": []})
    return {name: json.loads(params) for name, params in zip(table.recipe, table.params, strict=True)}


def fewer(dataset: Dataset, split: Split, every: int, validated: int) -> Split:
    """The split with every so many-th clean training sample of each group, none lost, and validation sample."""
    clean = np.setdiff1d(split.train, split.contaminated)
    groups = np.zeros(len(clean)) if dataset.group is None else np.asarray(dataset.group)[clean]
    kept = np.concatenate([clean[groups == group][::every] for group in np.unique(groups)])
    return replace(
        split, train=np.sort(kept), validation=split.validation[::validated], contaminated=split.contaminated[:0]
    )


def named_recipe(space: Space, name: str, samples: int) -> tuple[dict[str, Any], Recipe]:
    """The recipe of a preset's name or a file, as a study of the space tries it; its parameters where it has room."""
    recipe = as_planned(space, read_recipe(name, space.facts, samples))
    try:
        return space.params(recipe), recipe
    except SpaceError:
        return {}, recipe


def wanted(told: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Number or name of the recipe, and seed, of each training of this part, in order."""
    part, parts = (int(number) for number in told.part.split("/"))
    recipes = told.named or told.only or [str(number) for number in range(told.recipes)]
    everything = [(recipe, 0) for recipe in recipes]
    everything += [(recipe, seed) for seed in (1, 2) for recipe in recipes[: told.again]]
    yield from everything[part - 1 :: parts]


def row(records: list[EpochRecord], failure: str, seconds: float) -> dict[str, Any]:
    """What is kept of a training; one that diverged has the epochs that it ended."""
    last = records[-1] if records else None
    return {
        "seconds": round(seconds, 2),
        "failure": failure,
        "miou": json.dumps([round(record.miou, 5) for record in records]),
        "strict": json.dumps([round(record.miou_strict, 5) for record in records]),
        "iou": json.dumps([None if share is None else round(share, 4) for share in last.iou] if last else []),
    }


def train(recipe: Recipe, dataset: Dataset, split: Split, settings: Settings) -> dict[str, Any]:
    """Train the recipe at the settings' budget."""
    budget = Budget(epochs=settings.epochs, seeds=1, tiles=None, width=settings.width, folds=0)
    small = at_budget(recipe, budget, recipe.seed)
    data = training_data(dataset, "mask", samples_of(split, Path(), ()))
    records: list[EpochRecord] = []
    began, failure = time.process_time(), ""
    try:
        records.extend(epoch.record for epoch in fit(small, data))
    except Diverged as error:
        failure = str(error)
    return row(records, failure, time.process_time() - began)


def run(told: argparse.Namespace) -> None:
    """Train what the file lacks, one recipe after the other."""
    torch.set_num_threads(1)
    whole = read_dataset(told.data)
    space = bind(facts_of(whole), f"base: {told.space}\n")
    kind = FULL if told.full else SMALL
    settings = Settings(digest=whole.digest[:16], space=told.space, axes=space.digest[:16], **kind)
    text = json.dumps(asdict(settings))
    split = examine(whole, str(told.data), clean="auto", seed=0).split
    split = fewer(whole, split, settings.every, settings.validated)
    dataset = shrunk(whole, settings.scale)
    table = read_table(told.out) if told.out.exists() else pd.DataFrame(columns=["recipe", "seed", "settings"])
    if len(other := table[table.settings != text]):
        raise ValueError(f"{told.out} has rows of other settings ({other.settings.iloc[0]}): choose another file")
    known = set(zip(table.recipe, table.seed, strict=True))
    recorded = recorded_recipes(told.recorded)
    told.only = told.only or list(recorded)
    if recorded and (missing := set(told.only) - set(recorded)):
        raise ValueError(f"no recorded recipe has the number {', '.join(sorted(missing))}")
    for name, seed in wanted(told):
        if (name, seed) in known:
            continue
        if name.isdecimal():
            params, recipe = random_recipe(space, int(name), recorded.get(name))
        else:
            params, recipe = named_recipe(space, name, len(split.train))
        found = train(recipe.model_copy(update={"seed": seed}), dataset, split, settings)
        print(f"recipe {name}, seed {seed}: {found['miou']}, {found['seconds']:.0f} s", file=sys.stderr, flush=True)
        new = {"recipe": name, "seed": seed, **found, "params": json.dumps(params), "settings": text}
        table = pd.concat([table, pd.DataFrame([new])], ignore_index=True) if len(table) else pd.DataFrame([new])
        write_bytes(told.out, table.to_csv(index=False).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", help="a data file, best one with groups")
    parser.add_argument("--report", type=Path, nargs="+", help="only print what these files show")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--space", default="standard")
    parser.add_argument("--recipes", type=int, default=200)
    parser.add_argument("--again", type=int, default=30, help="so many of them with three seeds")
    parser.add_argument("--only", nargs="+", metavar="NUMBER", help="the random recipes of these numbers")
    parser.add_argument("--named", nargs="+", metavar="PRESET|FILE", help="these instead of random ones")
    parser.add_argument("--recorded", type=Path, nargs="+", default=[], help="recipes as these tables have them")
    parser.add_argument("--part", default="1/1", help="1/2 and 2/2 share the work")
    parser.add_argument("--full", action="store_true", help="at full size")
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        if told.report:
            print(report(read_table(*told.report)))
        elif told.data is None or told.out is None:
            raise ValueError("DATA and --out FILE.csv are needed, where the rows are kept")
        else:
            run(told)
    except (DataError, SpaceError, ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
