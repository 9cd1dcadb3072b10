"""What a reproduction trains: every row on the common split with each seed, and once on each fold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from search.errors import UsageError
from search.worker.job_files import facts_of
from spaces import DataFacts, Recipe, dump_recipe
from storage.data.dataset import Dataset
from storage.data.quality.examination import VALIDATION_SHARE
from storage.data.quality.outliers import contamination
from storage.data.split import Split, split_dataset, split_folds
from storage.data.subset import choose_tiles, rarest_class

SPLIT_SEED = 0  # the split, the folds and the subset are the same for every row and every training seed
_LEAST_CHANNELS = {"filters": 4, "decoder_filters": 8, "discriminator_filters": 8}  # where their axes begin


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What every row is given. tiles: of the training part, None for all. width: share of each preset's filters.

    seeds: trainings of a row on the common split. folds: 0 for none.
    """

    epochs: int
    seeds: int
    tiles: int | None
    width: float
    folds: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a reproduction. workers: trainings at a time, None for the machine's number."""

    data: Path
    out: Path
    budget: Budget
    workers: int | None
    device: str


@dataclass(frozen=True, kw_only=True)
class DatasetRef:
    """The data set of all trainings. data: its file. digest: of its contents."""

    data: Path
    digest: str
    facts: DataFacts


@dataclass(frozen=True, kw_only=True)
class Part:
    """The samples of a split that are used, and how many clean ones both parts had before a subset was drawn."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    contaminated: tuple[int, ...] = ()
    train_clean: int
    validation_clean: int

    @property
    def is_subset(self) -> bool:
        """Whether tiles were left out; without a subset the recipe removes the outliers."""
        return len(self.train) < self.train_clean


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all trainings of a reproduction have in common.

    part: the split that all seeds train on. rarest: the class whose share of tiles a subset keeps. grouped: no group
    (site) has tiles in both parts.
    """

    dataset: DatasetRef
    budget: Budget
    part: Part
    folds: tuple[Part, ...] = ()
    rarest: str
    grouped: bool


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training. name: preset with seed or fold, such as ``c1-dice-seed0``. fold: from 1, 0 on the common split."""

    name: str
    preset: str
    recipe: Recipe
    dataset: DatasetRef
    part: Part
    fold: int = 0

    @cached_property
    def digest(self) -> str:
        """The sha256 of recipe, data set and the samples of both parts: equal digests, equal training."""
        contents = [dump_recipe(self.recipe), self.dataset.digest, self.part.train, self.part.validation]
        return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def split_parts(dataset: Dataset, request: Request) -> tuple[Part, ...]:
    """The split that all seeds train on, then the folds. Raises DataError, UsageError when samples are too few."""
    contaminated, budget = contamination(dataset, "auto").samples, request.budget

    def part(split: Split) -> Part:
        clean, train = split.train[~contaminated[split.train]].tolist(), split.train.tolist()
        validation = split.validation.tolist()
        if not clean or not validation:
            raise UsageError(f"{request.data}: too few samples (or groups) to train and to validate, more are needed")
        if budget.tiles is not None and budget.tiles < len(clean):
            share = budget.tiles / len(clean)
            train = list(choose_tiles(dataset, clean, budget.tiles, seed=SPLIT_SEED))
            fewer = max(1, round(share * len(validation)))
            validation = list(choose_tiles(dataset, validation, fewer, seed=SPLIT_SEED))
        clean_ones = {"train_clean": len(clean), "validation_clean": len(split.validation)}
        left_out = tuple(split.contaminated.tolist())
        return Part(train=tuple(train), validation=tuple(validation), contaminated=left_out, **clean_ones)

    splits = [split_dataset(dataset, seed=SPLIT_SEED, validation=VALIDATION_SHARE, contaminated=contaminated)]
    if budget.folds:
        splits += split_folds(dataset, seed=SPLIT_SEED, folds=budget.folds, contaminated=contaminated)
    return tuple(map(part, splits))


def prepare(dataset: Dataset, request: Request) -> Setting:
    """Make the folder, split the data.

    Raises DataError, and UsageError for a folder that cannot be made or too few samples.
    """
    try:
        (request.out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"--out {request.out}: cannot be written ({why}), choose another place") from error
    whole, *folds = split_parts(dataset, request)
    rarest = rarest_class(dataset)
    return Setting(
        dataset=DatasetRef(data=request.data, digest=dataset.digest, facts=facts_of(dataset)),
        budget=request.budget,
        part=whole,
        folds=tuple(folds),
        rarest="" if rarest is None else dataset.class_names[rarest],
        grouped=dataset.group is not None,
    )


def plan_row(preset: str, recipe: Recipe, setting: Setting) -> tuple[Task, ...]:
    """A task per seed on the common split, then a task per fold with the first seed."""
    wanted = [(f"seed{seed}", seed, setting.part, 0) for seed in range(setting.budget.seeds)]
    folds = enumerate(setting.folds, start=1)
    wanted += [(f"fold{number}of{len(setting.folds)}", 0, part, number) for number, part in folds]
    task = partial(Task, preset=preset, dataset=setting.dataset)
    return tuple(
        task(name=f"{preset}-{name}", recipe=at_budget(recipe, setting.budget, seed), part=part, fold=fold)
        for name, seed, part, fold in wanted
    )


def in_turn(rows: Iterable[Sequence[Task]]) -> list[Task]:
    """The first training of every row, then the second of every row: an interrupted table has a bit of every row."""
    return [task for task in chain.from_iterable(zip_longest(*rows)) if task is not None]


def at_budget(recipe: Recipe, budget: Budget, seed: int) -> Recipe:
    """The recipe with the budget's epochs and no early stop, its share of the filters, and this seed."""
    values = _narrowed(recipe.model_dump(), budget.width)
    values["optimisation"] |= {"epochs": budget.epochs, "patience": budget.epochs}
    return Recipe.model_validate(values | {"seed": seed})


def narrow_filters(filters: int, width: float, name: str = "filters") -> int:
    """That share of the filters, at least as many as the field of that name allows."""
    return max(_LEAST_CHANNELS[name], round(filters * width))


def _narrowed(values: Any, width: float) -> Any:
    if not isinstance(values, dict):
        return values
    narrow = {name: narrow_filters(values[name], width, name) for name in _LEAST_CHANNELS if name in values}
    return {name: _narrowed(value, width) for name, value in values.items()} | narrow
