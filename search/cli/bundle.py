"""Commands around a bundle: make one by a training or from a study, and predict with it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from search.cli import options
from search.cli.ending import end
from search.cli.options import refuse_same_file


def train(
    recipe: options.Recipe,
    data: options.Data,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="bundle to write")] = None,
    out_option: options.OutOption = None,
    epochs: Annotated[int | None, typer.Option(metavar="N", min=1, max=2000, help="default the recipe's")] = None,
    clean: options.Clean = "auto",
    seed: options.Seed = 0,
    objective: Annotated[
        Literal["miou", "miou_strict"] | None, typer.Option(help="mean IoU that chooses the epoch, as in `create`")
    ] = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train one recipe without a study."""
    from search.commands.train import train_one
    from search.studies.recipes import read_recipe
    from search.worker.job_files import facts_of
    from storage.data.dataset import read_dataset

    out = options.one_out(out, out_option)
    dataset = read_dataset(data)
    wanted = read_recipe(recipe, facts_of(dataset), len(dataset.images))
    say = partial(typer.echo, err=True)
    train_one(
        wanted,
        dataset,
        out,
        source=str(data),
        clean=clean,
        epochs=epochs,
        seed=seed,
        device=device,
        objective=objective,
        say=say,
    )
    end({"bundle": str(out)}, "predict", out, data, "masks.npz", as_json=as_json, said=f"bundle: {out}")


def export(
    study: options.Study,
    out: Annotated[Path | None, typer.Argument(metavar="OUT", help="bundle to write")] = None,
    trial: Annotated[int | None, typer.Option(metavar="N", min=0, help="default the best")] = None,
    out_option: options.OutOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the bundle of the best trial, or of one."""
    out = options.one_out(out, out_option)
    with options.known(study, None) as known:  # it counts looks at the holdout where it may
        number = known.export(out, trial=trial).number
    end({"study": study, "trial": number, "bundle": str(out)}, "predict", out, "FILE", "masks.npz", as_json=as_json)


def predict(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="folder that export or train wrote")],
    source: Annotated[Path, typer.Argument(metavar="IN", help="an image, a folder of images, or a data set (.npz)")],
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help=".npz, .csv, .png, or a folder for a PNG of each image")
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="draw the labels half transparent over each image")
    ] = False,
    tta: Annotated[bool, typer.Option("--tta", help="average over images mirrored as in the training")] = False,
    device: options.OwnDevice = "auto",
    out_option: options.OutOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Label an image, a folder of images (its test/, else images/), or the test images of a data set."""
    from search.commands.prediction import Prediction, predict_all

    out = options.one_out(out, out_option)
    refuse_same_file(source, out)
    order = Prediction(bundle=bundle, source=source, out=out, overlay=overlay, tta=tta, device=device)
    count = predict_all(order, partial(typer.echo, err=True))
    said = f"{out}: masks of {count:,} image{'s' if count != 1 else ''}"
    end({"out": str(out), "images": count}, "evaluate", bundle, "LABELLED", as_json=as_json, said=said)


def evaluate(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="folder that export or train wrote")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="labelled data set (.npz, a folder, or a CSV)")],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="folder for pictures and tables")] = None,
    device: options.OwnDevice = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Score a bundle on all labelled images of a data set."""
    from search.commands.predict import evaluate_file

    found = evaluate_file(bundle, file, out=out, device=device, say=partial(typer.echo, err=True))
    typer.echo(json.dumps(found.document()) if as_json else found.table())
