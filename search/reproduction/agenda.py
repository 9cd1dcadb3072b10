"""What a reproduction trains: every row on the common split with each seed, and once on each fold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from search.errors import UsageError
from search.reproduction.paper import PaperRow
from search.reproduction.subset import choose_tiles
from search.reproduction.task import Task, at_budget, make_task
from search.studies.study import VALIDATION_SHARE
from spaces import Recipe
from storage.data.dataset import Dataset
from storage.data.outliers import find_outliers
from storage.data.split import Split, split_dataset, split_folds

SPLIT_SEED = 0  # the split, the folds and the subset are the same for every row and every training seed


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a reproduction; the field names are the options of `marsearch reproduce`.

    tiles: of the training part, None for all. folds: 0 for none. workers: trainings at a time, None for the machine's.
    """

    data: Path
    out: Path
    epochs: int
    seeds: int
    tiles: int | None
    width: float
    folds: int
    workers: int | None
    device: str


@dataclass(frozen=True, kw_only=True)
class Part:
    """The samples of one split that are used, and how many clean ones there would be."""

    train: tuple[int, ...]
    validation: tuple[int, ...]
    train_clean: int
    validation_clean: int


def split_parts(dataset: Dataset, request: Request) -> tuple[Part, tuple[Part, ...]]:
    """The split that all seeds train on, and the folds. Raises DataError, UsageError when samples are too few."""
    contaminated = find_outliers(dataset, "mask")
    split = split_dataset(dataset, seed=SPLIT_SEED, validation=VALIDATION_SHARE, contaminated=contaminated)
    whole = _part(dataset, split, contaminated, request)
    if not request.folds:
        return whole, ()
    folds = split_folds(dataset, seed=SPLIT_SEED, folds=request.folds, contaminated=contaminated)
    return whole, tuple(_part(dataset, fold, contaminated, request) for fold in folds)


def plan_row(
    row: PaperRow, request: Request, whole: Part, folds: Sequence[Part], data_digest: str, load: Callable[[str], Recipe]
) -> tuple[Task, ...]:
    """A task per seed on the common split, then a task per fold, with the first seed."""
    recipe = load(row.preset)
    wanted = [(seed, 0, whole) for seed in range(request.seeds)]
    wanted += [(0, number, part) for number, part in enumerate(folds, start=1)]
    return tuple(
        make_task(
            f"{row.preset}-fold{fold}of{len(folds)}" if fold else f"{row.preset}-seed{seed}",
            at_budget(recipe, epochs=request.epochs, width=request.width, seed=seed),
            preset=row.preset,
            fold=fold,
            train=part.train,
            validation=part.validation,
            data_digest=data_digest,
        )
        for seed, fold, part in wanted
    )


def in_turn(planned: Iterable[Sequence[Task]]) -> list[Task]:
    """The first training of every row, then the second of every row: an interrupted table is thin, not cut off."""
    rows = list(planned)
    return [row[turn] for turn in range(max(map(len, rows), default=0)) for row in rows if turn < len(row)]


def _part(dataset: Dataset, split: Split, contaminated: NDArray[np.bool_], request: Request) -> Part:
    """A split's samples, or a subset of the clean ones with the same share of both parts."""
    clean = split.train[~contaminated[split.train]].tolist()
    train, validation = split.train.tolist(), split.validation.tolist()
    if not clean or not validation:
        raise UsageError(f"{request.data}: too few samples (or groups) to train and to validate, more are needed")
    if request.tiles is not None and request.tiles < len(clean):
        share = request.tiles / len(clean)
        train = choose_tiles(dataset, clean, request.tiles, seed=SPLIT_SEED)
        validation = choose_tiles(dataset, validation, max(1, round(share * len(validation))), seed=SPLIT_SEED)
    return Part(
        train=tuple(train), validation=tuple(validation), train_clean=len(clean), validation_clean=len(split.validation)
    )
