"""Which weights of a training to keep: raw or averaged, of the best epoch or the last, judged on held-out groups.

The samples are split into folds by group, as the product splits them (equal images together, contaminated samples
never scored, and left out of the training as the recipe says). Seed S holds fold S out, takes the next one as its
validation part and trains on the others; one training serves all four rules, since a moving average changes nothing
about the weights that it follows. The best epoch is the validation's choice, so only the held-out score says what it
is worth.

    python benchmarks/kept_weights.py DATA --recipes baseline c1-ce FILE.yaml --out kept.csv [--seeds 5] [--epochs 22]
    python benchmarks/kept_weights.py DATA --table kept.csv [MORE.csv]

The file is written anew after each training, whole or not at all; the same command again trains what is missing. Two
processes at once take two files, which --table reads together.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student
from torch import Tensor

from search.errors import Diverged
from search.outcome.evaluation import evaluate
from search.reproduction.plan import Budget, at_budget
from search.studies.recipes import read_recipe
from search.training.checkpoint import NETWORK
from search.training.epoch import counting
from search.training.fit import fit, measure_statistics
from search.training.metrics import Objective, Scores, scores
from search.training.setup import prepare
from search.training.validation import validate
from search.worker.job_files import facts_of, samples_of, training_data
from spaces import DataFacts, Recipe, SpaceError
from spaces.modules.networks.network import build_network
from storage.atomic_write import write_bytes
from storage.data.dataset import Dataset, build_dataset, read_dataset
from storage.data.quality.outliers import contamination
from storage.data.quality.resemblance import find_resemblance
from storage.data.split import Split, split_folds
from storage.errors import DataError

RULES = ("best raw", "last raw", "best average", "last average")
SPLIT_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all trainings of a file have in common; a file with others is refused."""

    digest: str
    epochs: int
    ema: float
    scale: int
    width: float
    folds: int
    objective: Objective
    clean: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The weights of one epoch, how they did on the validation part, and the scores of all epochs until then."""

    epoch: int
    reached: Scores
    weights: dict[str, Tensor]
    curve: tuple[float, ...]


def shrunk(dataset: Dataset, scale: int) -> Dataset:
    """Images as means over squares of scale x scale pixels, masks as the label of each square's middle pixel."""
    if scale == 1:
        return dataset
    height, width = dataset.height // scale * scale, dataset.width // scale * scale
    images = dataset.images[:, :height, :width]
    squares = images.reshape(len(images), height // scale, scale, width // scale, scale, *images.shape[3:])
    means = squares.mean(axis=(2, 4), dtype=np.float64)
    return build_dataset(
        images=(means if images.dtype.kind == "f" else np.rint(means)).astype(images.dtype),
        masks=dataset.masks[:, scale // 2 : height : scale, scale // 2 : width : scale],
        class_names=dataset.class_names,
        excluded=dataset.excluded,
        ignore_label=dataset.ignore_label,
        group=dataset.group,
    )


def three_parts(dataset: Dataset, folds: int, clean: str) -> tuple[Split, ...]:
    """For each fold the split that holds it out; the next fold is its validation part."""
    found = contamination(dataset, clean).samples
    together = find_resemblance(dataset).together
    made = split_folds(dataset, seed=SPLIT_SEED, folds=folds, contaminated=found, together=together)
    return tuple(_without(made[(k + 1) % folds], made[k]) for k in range(folds))


def _without(split: Split, other: Split) -> Split:
    """The split with the validation part of the other one as its holdout."""
    train = np.intersect1d(split.train, other.train)  # no sample of a group that is validated or held out
    return replace(split, train=train, contaminated=np.intersect1d(split.contaminated, train), holdout=other.validation)


def train(recipe: Recipe, dataset: Dataset, split: Split, settings: Settings, device: str) -> dict[str, Kept]:
    """Train once; what each rule keeps."""
    data = training_data(dataset, recipe.data.cleaning, samples_of(split, Path(), ()))
    judge = prepare(recipe, data, torch.device(device), lambda: False)  # for the weights that the product scores not
    kept: dict[str, Kept] = {}

    def note(name: str, number: int, reached: Scores, weights: dict[str, Tensor]) -> None:
        last, score = kept.get(f"last {name}"), getattr(reached, settings.objective)
        curve = (*(last.curve if last else ()), score)
        found = Kept(epoch=number, reached=reached, weights=weights, curve=curve)
        if counting("best", curve) == number - 1:
            kept[f"best {name}"] = found
        kept[f"last {name}"] = found

    for epoch in fit(recipe, data, device=device, objective=settings.objective):
        number, snapshot = epoch.record.number, epoch.snapshot()
        note("average", number, scores(epoch.record.confusion, data.facts), snapshot.kept_weights())
        judge.network.load_state_dict(snapshot.below(NETWORK))
        measure_statistics(judge, judge.network)
        reached = validate(judge, judge.network, number, settings.objective).scores
        note("raw", number, reached, {name: tensor.clone() for name, tensor in judge.network.state_dict().items()})
    return kept


def rows(recipe: Recipe, dataset: Dataset, split: Split, kept: dict[str, Kept], device: str) -> list[dict[str, Any]]:
    """A row for each rule: its weights scored on the held-out part."""
    facts, ignored = facts_of(dataset), dataset.ignore_label
    network = build_network(recipe, facts, mean=[0.0] * facts.channels, std=[1.0] * facts.channels)  # in the weights
    images, masks = dataset.images[split.holdout], dataset.masks[split.holdout]
    found = []
    for rule in RULES:
        network.load_state_dict(kept[rule].weights)
        heldout, _ = evaluate(network, recipe, images, masks, facts, ignore_label=ignored, device=device)
        reached = kept[rule].reached
        found.append(
            {
                "rule": rule,
                "epoch": kept[rule].epoch,
                "validation_miou": reached.miou,
                "validation_strict": reached.miou_strict,
                "heldout_miou": heldout.scores.miou,
                "heldout_strict": heldout.scores.miou_strict,
                **{f"heldout_iou_{name}": v for name, v in zip(facts.class_names, heldout.scores.iou, strict=True)},
                "confusion": json.dumps(heldout.scores.confusion),
                "curve": json.dumps([round(score, 4) for score in kept[f"last {rule.split()[1]}"].curve]),
            }
        )
    return found


def read_table(path: Path) -> pd.DataFrame:
    """The rows of a file; none where there is no file."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["recipe", "seed", "settings"])


def pooled(confusions: pd.Series[str], facts: DataFacts) -> Scores:
    """Scores of the held-out folds as if they were one part: a rare class has pixels in few folds."""
    return scores(np.sum([json.loads(text) for text in confusions], axis=0), facts)


def report(table: pd.DataFrame, facts: DataFacts, objective: str) -> str:
    """Means by recipe and rule, then the paired differences from today's rule over all trainings."""
    column = "heldout_miou" if objective == "miou" else "heldout_strict"
    lines = ["| recipe | rule | validation | held out | strict | pooled | pooled IoU by class | trainings |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for (recipe, rule), part in table.groupby(["recipe", "rule"], sort=False):
        whole = pooled(part.confusion, facts)
        classes = " ".join(f"{share:.3f}" for share in whole.iou if share == share)
        means = f"{part.validation_miou.mean():.4f} | {part.heldout_miou.mean():.4f} | {part.heldout_strict.mean():.4f}"
        lines.append(f"| {recipe} | {rule} | {means} | {whole.miou:.4f} | {classes} | {len(part)} |")
    wide = table.pivot(index=["recipe", "seed"], columns="rule", values=column)
    lines += ["", f"{column} minus that of 'best raw', paired, with 95 % intervals:"]
    for rule in RULES[1:]:
        gain = (wide[rule] - wide[RULES[0]]).dropna().to_numpy()
        half = student.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else np.nan
        lines.append(f"{rule:<13}{gain.mean():+.4f} +- {half:.4f}, higher in {(gain > 0).sum()} of {len(gain)}")
    return "\n".join(lines)


def run(told: argparse.Namespace) -> None:
    """Train what the file lacks, a training of each recipe for one seed after the other."""
    whole = read_dataset(told.data)
    names = {key: getattr(told, key) for key in ("epochs", "ema", "scale", "width", "folds", "objective", "clean")}
    settings = Settings(digest=whole.digest[:16], **names)
    splits = three_parts(whole, told.folds, told.clean)  # at full size: what is equal or contaminated shows there
    dataset, text = shrunk(whole, told.scale), json.dumps(asdict(settings))
    table = read_table(told.out)
    if len(other := table[table.settings != text]):
        raise ValueError(f"{told.out} has rows of other settings ({other.settings.iloc[0]}): choose another file")
    for seed in range(told.seeds):
        for name in told.recipes:
            if ((table.recipe == name) & (table.seed == seed)).any():
                continue
            new = _one(name, seed, dataset, splits[seed % told.folds], settings, told.device)
            if new is not None:
                new = new.assign(settings=text)
                table = pd.concat([table, new], ignore_index=True) if len(table) else new
                write_bytes(told.out, table.to_csv(index=False).encode())
    print(report(table, facts_of(dataset), told.objective))


def _one(name: str, seed: int, dataset: Dataset, split: Split, settings: Settings, device: str) -> pd.DataFrame | None:
    """The rows of one training; None where it diverged."""
    budget = Budget(epochs=settings.epochs, seeds=1, tiles=None, width=settings.width, folds=0)
    recipe = at_budget(read_recipe(name, facts_of(dataset), len(split.train)), budget, seed)
    changes = {"ema": settings.ema, "kept": "last"}
    recipe = recipe.model_copy(update={"optimisation": recipe.optimisation.model_copy(update=changes)})
    began = time.perf_counter()
    try:
        kept = train(recipe, dataset, split, settings, device)
    except Diverged as error:
        print(f"{name}, seed {seed}: {error}", file=sys.stderr)
        return None
    found = pd.DataFrame(rows(recipe, dataset, split, kept, device))
    took = time.perf_counter() - began
    best = {row.rule: f"{row.heldout_miou:.4f}" for row in found.itertuples()}
    print(f"{name}, seed {seed}: held out {best}, {took:.0f} s", file=sys.stderr, flush=True)
    found.insert(0, "seconds", round(took, 1))
    found.insert(0, "seed", seed)
    found.insert(0, "recipe", name)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a data file, best one with groups")
    parser.add_argument("--table", type=Path, nargs="+", help="only print the table of these files")
    parser.add_argument("--recipes", nargs="+", default=["baseline"], help="names of presets, or YAML files")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=22)
    parser.add_argument("--ema", type=float, default=0.999)
    parser.add_argument("--scale", type=int, default=1, help="2 halves height and width")
    parser.add_argument("--width", type=float, default=1.0, help="share of each recipe's filters")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--objective", choices=["miou", "miou_strict"], default="miou")
    parser.add_argument("--clean", default="auto")
    parser.add_argument("--device", default="cpu")
    told = parser.parse_args()
    try:
        if told.table:
            table = pd.concat([pd.read_csv(path) for path in told.table], ignore_index=True).drop_duplicates()
            if table.settings.nunique() > 1:
                raise ValueError(f"the files have different settings: {' and '.join(table.settings.unique())}")
            print(report(table, facts_of(read_dataset(told.data)), told.objective))
        elif told.out is None:
            raise ValueError("--out FILE.csv is needed, where the scores are kept")
        else:
            run(told)
    except (DataError, SpaceError, ValueError, OSError) as error:
        parser.error(" ".join(str(error).split()))


if __name__ == "__main__":
    main()
