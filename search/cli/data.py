"""Commands on data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.ending import end
from search.cli.options import refuse_same_file
from search.errors import UsageError
from storage.data.quality.rules import Rule

if TYPE_CHECKING:
    from storage.data.dataset import Dataset
    from storage.data.quality.report import DataReport


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="file to write (.npz), or folder with --folder")],
    train: Annotated[int, typer.Option(metavar="N", min=8, max=100_000, help="labelled images")] = 400,
    test: Annotated[int, typer.Option(metavar="N", min=0, max=100_000, help="images without labels")] = 100,
    seed: options.DataSeed = 0,
    size: Annotated[str, typer.Option(metavar="HxW", help="height and width in pixels")] = "64x128",
    channels: Annotated[int, typer.Option(metavar="1|3", min=1, max=3, help="grey or colour")] = 1,
    classes: Annotated[int, typer.Option(metavar="N", min=2, max=32, help="classes, background included")] = 5,
    folder: Annotated[bool, typer.Option("--folder", help="write a folder of PNGs")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Write a synthetic, Mars-like data set."""
    from storage.data.dataset import write_dataset
    from storage.data.npz import memory_limit
    from storage.data.synthetic import synthesise

    match = re.fullmatch(r"([0-9]{1,4})x([0-9]{1,4})", size)
    if match is None or not all(8 <= int(side) <= 4096 for side in match.groups()):
        raise UsageError(f"--size {size}: HxW in pixels was expected, from 8x8 to 4096x4096, such as 64x128")
    if channels == 2:
        raise UsageError("--channels 2: 1 (grey) or 3 (colour) was expected")
    height, width = int(match[1]), int(match[2])
    needed, limit = (train + test) * height * width * (channels + 1), memory_limit()
    if needed > limit:
        raise UsageError(f"--train {train} --size {size}: {needed:,} bytes of data, at most {limit:,} are made")
    _make_folder(out.parent, None if folder else out)
    shape = {"height": height, "width": width, "channels": channels, "classes": classes}
    dataset = synthesise(train=train, test=test, seed=seed, **shape)
    if folder:
        from search.outcome.pictures.colours import class_colours
        from search.worker.job_files import facts_of
        from storage.data.folder.writer import write_folder

        write_folder(dataset, out, class_colours(facts_of(dataset)))
    else:
        write_dataset(dataset, out)
    said = f"{out}: {train} labelled and {test} test images, digest {dataset.digest[:12]}"
    known = {"file": str(out), "samples": train, "test_images": test, "digest": dataset.digest}
    end(known, "data", "inspect", out, "--out", "inspected", as_json=as_json, said=said)


def import_(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="a folder, the AI4Mars release, or a CSV of paths")],
    out: Annotated[Path, typer.Argument(metavar="OUT.npz", help="file to write")],
    shrink: Annotated[
        int, typer.Option(metavar="N", min=1, max=64, help="divide every side by N: means of images, middles of masks")
    ] = 1,
    as_json: options.AsJson = False,
) -> None:
    """Write one data file from single images and masks."""
    from storage.data.dataset import read_dataset, write_dataset
    from storage.data.folder.reader import is_source

    if source.is_file() and not is_source(source):
        raise UsageError(f"{source}: a folder, or a CSV with the columns image and mask, was expected")
    if out.suffix.lower() != ".npz":
        raise UsageError(f"{out}: a name that ends in .npz was expected")
    if not source.exists():
        raise UsageError(f"{source}: no such folder or file, name one with images and masks")
    dataset = read_dataset(source, shrink=shrink)
    _make_folder(out.parent, out)
    write_dataset(dataset, out)
    for note in dataset.notes:
        typer.echo(note, err=True)
    tests = 0 if dataset.test_images is None else len(dataset.test_images)
    said = f"{out}: {len(dataset.images):,} labelled and {tests:,} test images, digest {dataset.digest[:12]}"
    known = {"file": str(out), "samples": len(dataset.images), "test_images": tests, "digest": dataset.digest}
    end(known, "data", "inspect", out, "--out", "inspected", as_json=as_json, said=said)


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="data set: an .npz, a folder, or a CSV of paths")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="folder for the pictures")] = None,
    clean: options.Clean = "auto",
    seed: options.SplitSeed = 0,
    as_json: options.AsJson = False,
) -> None:
    """Show what a study would make of a data set, and what each rule finds; with --out also as pictures."""
    from search.studies.objective import objective_for, objective_note
    from search.training.metrics import best_constant
    from search.worker.job_files import facts_of
    from storage.data.dataset import read_dataset
    from storage.data.quality.examination import inspect as report_on
    from storage.data.quality.outliers import METHODS, find_outliers

    dataset = read_dataset(file)
    found = {rule: find_outliers(dataset, rule) for rule in METHODS if rule != "none"}
    report, named = report_on(dataset, clean=clean, seed=seed), facts_of(dataset)
    if report.parts:
        constant = best_constant([*report.parts["validation"].pixels.values()], named)
        note = objective_note(objective_for(constant), None, constant)
        report = report.model_copy(update={"notes": (*report.notes, *filter(None, [note]))})
    facts = {"file": str(file), **report.model_dump(mode="json")}
    facts["ignore_label"] = dataset.ignore_label
    facts["outliers"] = {rule: int(samples.sum()) for rule, samples in found.items()}
    if out is not None:
        from search.outcome.pictures.figures import draw_class_shares, draw_outliers, draw_samples

        _make_folder(out)
        shares = tuple(report.class_shares.values())
        draw_class_shares(out / "class_shares.png", shares, named, title=f"{file.name}: class shares")
        arrays: dict[str, Any] = {"images": dataset.images, "masks": dataset.masks}
        drawn = arrays | {"facts": named, "ignore_label": dataset.ignore_label, "sizes": dataset.sizes}
        draw_samples(out / "samples.png", title=f"{file.name}: samples from all of it", **drawn)
        for rule, samples in found.items():
            title = f"{file.name}: {samples.sum()} outliers by {rule}"
            draw_outliers(out / f"outliers_{rule}.png", found=samples, title=title, **drawn)
    if not as_json:
        typer.echo(_as_text(file, report, facts["outliers"], _void(dataset)))
    end(facts, *(("run", "first", "--data", file) if report.parts else ()), as_json=as_json)


def clean(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="data set: an .npz, a folder, or a CSV of paths")],
    out: Annotated[Path, typer.Argument(metavar="OUT.npz", help="file to write")],
    method: Annotated[Rule, typer.Option(help="how outliers are found")],
    as_json: options.AsJson = False,
) -> None:
    """Write a copy of a data set without its outliers."""
    from storage.data.dataset import read_dataset, write_dataset
    from storage.data.quality.outliers import clean_dataset

    refuse_same_file(file, out)
    dataset = read_dataset(file)
    _make_folder(out.parent, out)
    kept = clean_dataset(dataset, method)
    write_dataset(kept, out)
    for note in dataset.notes:
        typer.echo(note, err=True)
    said = f"{out}: {len(kept.images)} of {len(dataset.images)} samples kept"
    known = {"file": str(out), "kept": len(kept.images), "samples": len(dataset.images), "digest": kept.digest}
    end(known, "data", "inspect", out, as_json=as_json, said=said)


def _as_text(file: Path, report: DataReport, outliers: Mapping[str, int], void: str) -> str:
    pixels, groups = report.pixels, "no groups" if report.groups is None else f"{report.groups} groups"
    mean, std = (" ".join(f"{value:.4g}" for value in values) for values in (pixels.mean, pixels.std))
    least = "" if report.smallest is None else f"{report.smallest[0]}x{report.smallest[1]} to "
    channels = f"{report.channels} channel{'s' if report.channels > 1 else ''}"
    size = f"{least}{report.height}x{report.width} pixels, {channels}"
    rows = {
        "file": f"{file}, digest {report.digest}",
        "images": f"{report.samples} labelled, {report.test_images} for prediction, {size}, {groups}",
        "pixels": f"{pixels.dtype} from {pixels.low:g} to {pixels.high:g}, mean {mean}, standard deviation {std}",
        "class shares": ", ".join(f"{name} {share:.4%}" for name, share in report.class_shares.items()),
        "void": void,
        "not in the mean": ", ".join(report.excluded_from_mean) or "none, all classes count",
        "licence": report.licence,
        "source": report.source,
        "contaminated": f"{', '.join(f'{rule} {found}' for rule, found in outliers.items())}; {report.clean} is used",
    }
    for name, part in report.parts.items():
        shows = ", ".join(f"{label} in {images}" for label, images in part.images.items())
        rows[name] = f"{part.samples} images: {shows}"
    lines = [f"{name:16} {value}" for name, value in rows.items() if value]
    return "\n".join([*lines, *(f"{'note':16} {note}" for note in report.notes)])


def _void(dataset: Dataset) -> str:
    """Which label means nothing, and how common it is."""
    if dataset.ignore_label is None:
        return "none, every pixel has a class"
    share = float((dataset.masks == dataset.ignore_label).mean())
    return f"label {dataset.ignore_label}, {share:.4%} of the pixels: they count nowhere"


def _make_folder(folder: Path, file: Path | None = None) -> None:
    """Make a folder, for this file in it. Raises UsageError when that cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if file is not None and file.is_dir():
            raise IsADirectoryError(21, "is a folder")
    except OSError as error:
        place, why = file or folder, error.strerror or error
        raise UsageError(f"{place}: cannot be written ({why}), choose another place") from error
