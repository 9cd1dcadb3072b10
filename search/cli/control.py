"""Commands that steer studies: list, pause, resume, stop, delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.options import open_storage
from search.errors import UsageError

if TYPE_CHECKING:
    from storage.studies.control import Command


def list_studies(as_json: options.AsJson = False) -> None:
    """List the studies: state, trials, best value, workers, age."""
    from search.studies.reports import study_list

    with open_storage() as (store, _):
        studies = study_list(store)
        if as_json:
            typer.echo(json.dumps({"studies": studies}))
        elif studies:
            _print_table(studies)
        else:
            typer.echo(options.NO_STUDY.format(store.url), err=True)


def pause(study: options.Study) -> None:
    """Let the workers of a study wait, from the end of their epochs on."""
    then = f"; go on with: marsearch study resume {study}"
    _give(study, "pause", "paused", "hand their trials back and wait", "workers that come will wait", then)


def resume(study: options.Study) -> None:
    """Let a paused or stopped study go on."""
    nobody = f"nobody works on it, start with: marsearch work {study}"
    _give(study, "run", "resumed", "go on", nobody)


def stop(study: options.Study) -> None:
    """Let the workers of a study leave, from the end of their epochs on."""
    then = f"; allow it again with: marsearch study resume {study}"
    _give(study, "stop", "stopped", "hand their trials back and leave", "nobody works on it", then)


def delete(
    study: options.Study,
    yes: Annotated[bool, typer.Option("--yes", help="yes, for good")] = False,
    force: Annotated[bool, typer.Option("--force", help="even while workers are at work on it")] = False,
) -> None:
    """Remove a study with its trials, curves, weights and pictures."""
    from search.studies.checkpoints import remove_study
    from storage.studies.studies import load_config

    with open_storage() as (store, settings):
        load_config(store, study)
        if not yes:
            raise UsageError(f"study {study} and all its files would be removed for good: say so with --yes")
        deleted = remove_study(store, settings.home, study, force=force)
        typer.echo(f"study {study} is deleted: {deleted.trials} trials, {deleted.files} files", err=True)


def _give(study: str, command: Command, done: str, workers: str, nobody: str, then: str = "") -> None:
    """Give the command, and print what its workers do, or what holds without any."""
    from storage.studies.control import set_command
    from storage.studies.liveness import attending

    with open_storage() as (store, _):
        set_command(store, study, command)
        there = len(attending(store, study))
        what = f"its workers ({there}) {workers}" if there else nobody
        typer.echo(f"study {study} is {done}: {what}{then}", err=True)


def _print_table(studies: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from search.host.progress import clock

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("study", overflow="fold")
    for name in ("state", "trials", "best", "workers", "age"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for study in studies:
        best, trials = study["best"], f"{study['finished']}/{study['target']}"
        score = "-" if best is None else f"{best:.4f}"
        cells = (study["study"], study["state"], trials, score, str(study["workers"]), clock(study["age_s"]))
        table.add_row(*map(Text, cells))  # as they are: rich would read square brackets in a name as markup
    Console().print(table)
