"""Commands that steer studies: list, pause, resume, stop, delete."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options
from search.cli.options import open_storage
from search.errors import UsageError

if TYPE_CHECKING:
    from storage.store import Store
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
            typer.echo(f"no study in {store.url} yet; start with: marsearch demo", err=True)


def pause(study: options.Study) -> None:
    """Let the workers of a study wait, from the end of their epochs on."""
    with open_storage() as (store, _):
        there = _say(store, study, "pause")
        what = f"its workers ({there}) hand their trials back and wait" if there else "workers that come will wait"
        typer.echo(f"study {study} is paused: {what}; go on with: marsearch study resume {study}", err=True)


def resume(study: options.Study) -> None:
    """Let a paused or stopped study go on."""
    with open_storage() as (store, _):
        there = _say(store, study, "run")
        what = f"its workers ({there}) go on" if there else f"nobody works on it, start with: marsearch work {study}"
        typer.echo(f"study {study} is resumed: {what}", err=True)


def stop(study: options.Study) -> None:
    """Let the workers of a study leave, from the end of their epochs on."""
    with open_storage() as (store, _):
        there = _say(store, study, "stop")
        what = f"its workers ({there}) hand their trials back and leave" if there else "nobody works on it"
        typer.echo(f"study {study} is stopped: {what}; allow it again with: marsearch study resume {study}", err=True)


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


def _say(store: Store, study: str, command: Command) -> int:
    """Give the command; how many workers will hear it."""
    from storage.studies.control import set_command
    from storage.studies.liveness import attending

    set_command(store, study, command)
    return len(attending(store, study))


def _print_table(studies: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from search.host.progress import clock

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("study", overflow="fold")
    for name in ("state", "trials", "best", "workers", "age"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for study in studies:
        table.add_row(
            _literal(study["study"]),
            study["state"],
            f"{study['finished']}/{study['target']}",
            "-" if study["best"] is None else f"{study['best']:.4f}",
            str(study["workers"]),
            clock(study["age_s"]),
        )
    Console().print(table)


def _literal(name: str) -> Any:
    """A study's name as it is: rich would read square brackets as markup."""
    from rich.text import Text

    return Text(name)
