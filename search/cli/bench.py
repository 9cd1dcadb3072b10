"""The command that measures what a machine gives a recipe."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options

if TYPE_CHECKING:
    from search.commands.bench import Bench

TILES = 320  # synthetic samples, where there are no data


def bench(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="[RECIPE]",
            help="name of a preset, or a recipe file; default baseline",
            autocompletion=options.recipe_names,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="data set (.npz or folder); default synthetic tiles")
    ] = None,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, max=2000, help="of a trial")] = 30,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=256, help="measure so many at a time only; default several numbers"),
    ] = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Measure in a minute how quick this machine trains a recipe, and what a night holds."""
    from search.commands.bench import measure
    from search.outcome.leaderboard import summarise
    from search.studies.recipes import read_recipe
    from search.worker.job_files import facts_of
    from storage.data.dataset import read_dataset, write_dataset
    from storage.data.folder.reader import is_source
    from storage.data.quality.examination import examine
    from storage.data.synthetic import synthesise
    from storage.temporary_folder import temporary_folder

    with temporary_folder() as folder:
        file = data or folder / "synthetic.npz"
        if data is None:
            write_dataset(synthesise(train=TILES, test=0, seed=0), file)
        dataset = read_dataset(file)
        for note in dataset.notes:
            typer.echo(note, err=True)
        if is_source(file):  # which every worker would read for itself
            file = folder / "data.npz"
            write_dataset(dataset, file)
        split = examine(dataset, str(file), clean="auto", seed=0).split
        wanted = read_recipe(recipe or "baseline", facts_of(dataset), len(split.train))
        optimisation = wanted.optimisation.model_copy(update={"epochs": epochs})
        wanted = wanted.model_copy(update={"optimisation": optimisation})
        counts = None if workers is None else [workers]
        *_, found = measure(wanted, dataset, file, split, device=device, workers=counts, folder=folder)
    if as_json:
        nights = [asdict(rate) | {"trial_s": found.trial_s(rate), "night": found.night(rate)} for rate in found.rates]
        typer.echo(json.dumps(asdict(found) | {"rates": nights, "suggested": found.suggested}))
        return
    size = f"{dataset.height}x{dataset.width}"
    typer.echo(f"device   {found.device}")
    typer.echo(fill(summarise(wanted), 80, initial_indent="recipe   ", subsequent_indent=" " * 9))
    typer.echo(f"data     {len(split.train):,} images to learn from, {len(split.validation):,} to be judged on, {size}")
    typer.echo(f"network  {found.parameters:,} parameters")
    typer.echo(_table(found))


def _table(found: Bench) -> str:
    """A row for each number of workers, then what to do with it."""
    head = ("workers", "threads", "images/s", "epoch", f"trial ({found.epochs})", "night (8 h)")
    rows = [head]
    rows += [
        (
            str(rate.workers),
            str(rate.threads),
            f"{rate.images:.0f}",
            _time(rate.epoch_s),
            _time(found.trial_s(rate)),
            f"{found.night(rate):.0f} trials",
        )
        for rate in found.rates
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    best = found.best
    share = found.overhead_s / found.trial_s(best)
    rest = f"{share:.1%} of a trial is not training ({found.overhead_s:.1f} s)"
    lines.append(f"suggested: {found.suggested}; {rest}")
    lines.append("Pruned trials take a part of that: a search begins several times as many.")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 60 else f"{minutes / 60:.1f} h"
