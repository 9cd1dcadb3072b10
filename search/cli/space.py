"""Commands about the search space."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options
from search.errors import UsageError

if TYPE_CHECKING:
    from spaces import DataFacts
    from spaces.catalogue import Chapter


def show(
    space: Annotated[
        str | None, typer.Option("--space", metavar="NAME|FILE", help="standard, cpu, whole, or a space file (.yaml)")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="data set (.npz or folder); the homework's classes without it"),
    ] = None,
    as_json: options.AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="the page docs/space.md, of the whole space")] = False,
) -> None:
    """Show every axis; with a space or a data set, what a study of it would search."""
    from search.api.options import space_text
    from spaces import bind
    from spaces import catalogue as pages

    bound = space is not None or data is not None
    if markdown and (bound or as_json):
        raise UsageError("--markdown writes the page of the whole space: leave --space, --data and --json away")
    if markdown:
        typer.echo(pages.markdown(), nl=False)
        return
    text = space_text(space, "--space")
    chapters = pages.catalogue(bind(_facts(data), text, name=space or "space") if bound else None)
    if as_json:
        axes = [{"chapter": chapter.title, **row.as_dict()} for chapter in chapters for row in chapter.rows]
        typer.echo(json.dumps({"axes": axes}))
    else:
        _print(chapters)


def _facts(data: Path | None) -> DataFacts:
    from spaces import DataFacts
    from storage.data.synthetic import class_names

    if data is None:
        return DataFacts(channels=1, height=64, width=128, class_names=class_names(5), excluded=("background",))
    from search.worker.job_files import facts_of
    from storage.data.dataset import read_dataset

    dataset = read_dataset(data)
    for note in dataset.notes:
        typer.echo(note, err=True)
    return facts_of(dataset)


def _print(chapters: tuple[Chapter, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    from search.output import console

    pages = console()
    for chapter in chapters:
        # The narrow columns first, the range last: 80 columns hold the longest name and the longest option together.
        table = Table(box=None, title=Text(chapter.title, style="bold"), title_justify="left", padding=(0, 1, 0, 0))
        for name in ("axis", "type", "default", "searched", "reports"):
            table.add_column(name, overflow="fold", no_wrap=name != "axis", header_style="dim")
        table.add_column("range", overflow="fold", header_style="dim")
        inside = chapter.title.partition(":")[0]
        for row in chapter.rows:
            searched, letters = "yes" if row.searched else "-", row.reports.replace(" ", "")
            cells = (row.path.removeprefix(f"{inside}."), row.type, row.default, searched, letters, row.range)
            table.add_row(*cells)
        pages.print(table, "")
    pages.print("searched: - is the same in every trial; reports: + stands for none", style="dim")
