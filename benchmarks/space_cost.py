"""What a training of a space costs beside the preset `baseline`: random recipes, two epochs of the same tiles each.

python benchmarks/space_cost.py DATA [--space cpu] [--recipes 10] [--tiles 256]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import optuna
import torch
from recipe_table import random_recipe

from search.reproduction.plan import Budget, at_budget
from search.training.arrays import TrainingData
from search.training.fit import fit
from search.worker.job_files import facts_of
from spaces import Recipe, bind, load_preset
from storage.data.dataset import Dataset, read_dataset

EPOCHS = 2
AXES = ("model.depth", "model.filters", "model.block", "optimisation.batch_size", "data.oversample.copies")


def part(dataset: Dataset, tiles: int) -> TrainingData:
    """So many tiles to learn from and a fifth of that to validate on, evenly over the set."""
    rows = np.linspace(0, len(dataset.images) - 1, tiles + tiles // 5).round().astype(int)
    train, validation = np.delete(rows, slice(None, None, 6)), rows[::6]
    return TrainingData(
        train_images=dataset.images[train],
        train_masks=dataset.masks[train],
        validation_images=dataset.images[validation],
        validation_masks=dataset.masks[validation],
        facts=facts_of(dataset),
        ignore_label=dataset.ignore_label,
    )


def cost(recipe: Recipe, data: TrainingData) -> float:
    """Seconds of processor time."""
    began = time.process_time()
    for _ in fit(at_budget(recipe, Budget(epochs=EPOCHS, seeds=1, tiles=None, width=1.0, folds=0), 0), data):
        pass
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--space", default="cpu")
    parser.add_argument("--recipes", type=int, default=10)
    parser.add_argument("--tiles", type=int, default=256)
    told = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    torch.set_num_threads(1)
    dataset = read_dataset(told.data)
    data, space = part(dataset, told.tiles), bind(facts_of(dataset), f"base: {told.space}\n")
    baseline = load_preset("baseline")
    cost(baseline, data)  # the first one imports and warms up
    whole = cost(baseline, data)
    print(f"baseline {whole:.1f} s of one thread")
    for number in range(told.recipes):
        params, recipe = random_recipe(space, number)
        shown = ", ".join(f"{name} {params[name]}" for name in AXES if name in params)
        print(f"recipe {number}: {cost(recipe, data) / whole:.3f} of it ({shown})", flush=True)


if __name__ == "__main__":
    main()
