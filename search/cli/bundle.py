"""Commands around a bundle: make one by a training or from a study, and predict with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from search.cli import options
from search.cli.options import open_storage, refuse_same_file
from search.errors import UsageError


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="name of a preset, or a recipe file (.yaml)")],
    data: options.Data,
    out: Annotated[Path, typer.Option(metavar="DIR", help="bundle to write")],
    epochs: Annotated[int | None, typer.Option(metavar="N", min=1, max=2000, help="default the recipe's")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
) -> None:
    """Train one recipe without a study."""
    from search.commands.bundle import train_one
    from search.studies.recipes import read_recipe
    from search.worker.job_files import facts_of
    from storage.data.dataset import read_dataset

    dataset = read_dataset(data)
    wanted = read_recipe(recipe, facts_of(dataset), len(dataset.images))
    train_one(wanted, dataset, out, epochs=epochs, seed=seed, device=device, say=partial(typer.echo, err=True))
    typer.echo(f"bundle: {out}", err=True)


def export(
    study: options.Study,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="bundle to write")],
    trial: Annotated[int | None, typer.Option(metavar="N", min=0, help="default the best")] = None,
) -> None:
    """Write the bundle of the best trial, or of one."""
    from search.commands.bundle import export_trial

    with open_storage() as (store, settings):
        number = export_trial(store, study, out, trial=trial, home=settings.home)
        typer.echo(f"bundle of trial {number}: {out}", err=True)


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="folder that export or train wrote")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="data set with test images (.npz)")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help=".npz with masks, or .csv as the homework submits")],
    tta: Annotated[bool, typer.Option("--tta", help="average over mirrored images")] = False,
) -> None:
    """Label the test images of a data set."""
    from search.outcome.bundle import read_bundle
    from search.outcome.submission import check_prediction_path, write_prediction
    from search.training.predict import predict_labels
    from storage.data.dataset import read_dataset

    check_prediction_path(out)
    refuse_same_file(file, out)
    opened = read_bundle(bundle)
    dataset = read_dataset(file)
    if dataset.test_images is None or not len(dataset.test_images):
        raise UsageError(f"{file}: has no test images (test_set or test_images), nothing to predict")
    if dataset.channels != opened.facts.channels:
        raise UsageError(f"{file}: {dataset.channels} channels, the bundle was trained on {opened.facts.channels}")
    masks = predict_labels(opened.network, dataset.test_images, tta=tta)
    write_prediction(out, masks)
    typer.echo(f"{out}: masks of {len(masks)} test images", err=True)
