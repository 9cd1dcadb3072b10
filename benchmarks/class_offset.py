"""Does the offset of the rarest class, fitted on one part of the data, help on another one?

Each training has three parts, folds of whole groups: one to learn from, one to validate on, where the offset is fitted,
and one held out. The same weights are then scored on the held-out part with the offset and without.

    python benchmarks/class_offset.py DATA --recipes RECIPE.yaml ... --out FILE.csv [--epochs 20] [--folds 5]
    python benchmarks/class_offset.py DATA --table FILE.csv ...

The file grows by the rows of one training at a time, and the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from kept_weights import pooled, read_table, three_parts

from search.outcome.evaluation import evaluate
from search.training.fit import fit
from search.training.metrics import Scores
from search.worker.job_files import facts_of, samples_of, training_data
from spaces import Recipe
from spaces.modules.networks.network import build_network
from spaces.yaml_text import load_recipe
from storage.data.dataset import Dataset, read_dataset
from storage.data.split import Split


def wanted(path: Path, epochs: int, seed: int) -> Recipe:
    """The recipe of a file, with the offset fitted and the average of the last epoch kept."""
    recipe = load_recipe(path.read_text("utf-8"), str(path))
    changes = {"epochs": epochs, "ema": 0.999, "kept": "last", "fit_offset": True}
    return recipe.model_copy(update={"seed": seed, "optimisation": recipe.optimisation.model_copy(update=changes)})


def rows(recipe: Recipe, dataset: Dataset, split: Split) -> Iterator[dict[str, Any]]:
    """Train once, and score the held-out part with the offset and without."""
    data = training_data(dataset, recipe.data.cleaning, samples_of(split, Path(), ()))
    for epoch in fit(recipe, data):
        last = epoch
    facts = facts_of(dataset)
    network = build_network(recipe, facts, mean=[0.0] * facts.channels, std=[1.0] * facts.channels)
    network.load_state_dict(last.snapshot().kept_weights())
    fitted = float(network.offsets.sum())
    for rule in ("fitted", "none"):
        if rule == "none":
            network.offsets.zero_()
        found = {part: scored(network, recipe, dataset, getattr(split, part)) for part in ("validation", "holdout")}
        yield {
            "rule": rule,
            "offset": fitted if rule == "fitted" else 0.0,
            "validation": found["validation"].miou,
            "heldout": found["holdout"].miou,
            "confusion": json.dumps(found["holdout"].confusion),
        }


def scored(network: torch.nn.Module, recipe: Recipe, dataset: Dataset, part: np.ndarray[Any, Any]) -> Scores:
    """The scores of a network on a part of the data."""
    facts, images, masks = facts_of(dataset), dataset.images[part], dataset.masks[part]
    found, _ = evaluate(network, recipe, images, masks, facts, ignore_label=dataset.ignore_label, device="cpu")
    return found.scores


def report(table: pd.DataFrame, dataset: Dataset) -> str:
    """A line for each recipe and rule, then the paired difference."""
    lines = ["| recipe | offset | validation | held out | pooled | pooled IoU by class | trainings |"]
    lines.append("|---|---|---|---|---|---|---|")
    for (recipe, rule), part in table.groupby(["recipe", "rule"], sort=False):
        whole = pooled(part.confusion, facts_of(dataset))
        classes = " ".join(f"{share:.3f}" for share in whole.iou if share == share)
        means = f"{part.validation.mean():.4f} | {part.heldout.mean():.4f} | {whole.miou:.4f}"
        lines.append(f"| {recipe} | {rule} | {means} | {classes} | {len(part)} |")
    wide = table.pivot(index=["recipe", "seed"], columns="rule", values=["validation", "heldout"])
    for part in ("validation", "heldout"):
        gain = (wide[part]["fitted"] - wide[part]["none"]).to_numpy()
        half = 1.96 * gain.std(ddof=1) / len(gain) ** 0.5
        lines.append(f"{part}: {gain.mean():+.4f} +- {half:.4f}, higher in {(gain > 0).sum()} of {len(gain)}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--recipes", type=Path, nargs="+", default=[])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--table", type=Path, nargs="+")
    told = parser.parse_args()
    torch.set_num_threads(1)
    dataset = read_dataset(told.data)
    if told.table:
        print(report(pd.concat([pd.read_csv(path) for path in told.table]), dataset))
        return
    table = read_table(told.out)
    for seed, split in enumerate(three_parts(dataset, told.folds, "auto")):
        for path in told.recipes:
            if ((table.recipe == path.stem) & (table.seed == seed)).any():
                continue
            named = {"recipe": path.stem, "seed": seed, "epochs": told.epochs}
            made = pd.DataFrame([{**named, **row} for row in rows(wanted(path, told.epochs, seed), dataset, split)])
            made.to_csv(told.out, mode="a", header=not told.out.exists(), index=False)
            print(f"{path.stem} {seed}\n{made[['rule', 'offset', 'validation', 'heldout']]}", flush=True)


if __name__ == "__main__":
    main()
