"""Commands that look at studies and steer them, and that look at the installation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from search.cli import options
from search.cli.ending import end, end_with_report
from search.errors import UsageError
from search.settings import read_settings
from storage.errors import NothingStored
from storage.garbage import uncollected

if TYPE_CHECKING:
    from search.api.status import Status
    from storage.store import Purpose, Store
LISTED_WIDTH = 70  # columns; a narrower terminal is shown names, states and scores only


def status(
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY]", help="name of a study; all of them without", autocompletion=options.study_names
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show state, trials, the best one, and what each worker trains."""
    with uncollected():  # a tenth of its time, and a health check asks every minute
        found = _statuses(study)
    if as_json:
        reports = [dict(each.report) for each in found]
        typer.echo(json.dumps(reports[0] if study is not None else {"studies": reports}))
        return
    for each in found:
        typer.echo(str(each))


def _statuses(study: str | None) -> list[Status]:
    from search.api.status import Status
    from search.studies.reports import study_report
    from storage.studies.studies import list_studies

    if study is None:
        return [Status(known) for known in _of_all(lambda s: [study_report(s, name) for name in list_studies(s)])]
    with options.known(study, "look") as known:
        return [known.status]


def trials(
    study: options.Study,
    format: Annotated[Literal["table", "csv", "json"], typer.Option(help="how they are written")] = "table",
    as_json: options.AsJson = False,
) -> None:
    """List the trials of a study."""
    if as_json and format == "csv":
        raise UsageError("--format csv --json: one of the two was expected")
    from search.outcome.leaderboard import render
    from search.output import console

    with options.known(study, "look") as known:
        if as_json or format == "json":
            typer.echo(json.dumps(known.trial_reports()))
        elif format == "csv":
            from search.outcome.spreadsheet import safe_csv

            typer.echo(safe_csv(known.trials().to_csv(index=False)), nl=False)
        else:
            board = known.leaderboard()
            render(board.rows, console(), constant=board.constant)


def list_studies(as_json: options.AsJson = False) -> None:
    """List the studies: state, trials, best value, workers, age."""
    from search.studies.reports import study_list

    studies = _of_all(study_list)
    if as_json:
        typer.echo(json.dumps({"studies": studies}))
    elif studies:
        _print_table(studies)


def pause(study: options.Study, as_json: options.AsJson = False) -> None:
    """Let the workers of a study wait, from the end of their epochs on."""
    with options.known(study) as known:
        known.pause()
        end_with_report(known.status.report, as_json=as_json, follows=False)


def resume(study: options.Study, as_json: options.AsJson = False) -> None:
    """Let a paused or stopped study go on."""
    with options.known(study) as known:
        known.resume()
        end_with_report(known.status.report, as_json=as_json, follows=False)


def stop(study: options.Study, as_json: options.AsJson = False) -> None:
    """Let the workers of a study leave, from the end of their epochs on."""
    with options.known(study) as known:
        known.stop()
        end_with_report(known.status.report, as_json=as_json, follows=False)


def delete(
    study: options.Study,
    yes: Annotated[bool, typer.Option("--yes", help="yes, for good")] = False,
    force: Annotated[bool, typer.Option("--force", help="even while workers are at work on it")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Remove a study with its trials, curves, weights and pictures."""
    with options.known(study) as known:
        _ = known.config  # of one that there is
        if not yes:
            raise UsageError(f"study {study} and all its files would be removed for good: say so with --yes")
        known.delete(force=force)
    end({"study": study}, as_json=as_json)


def dashboard(
    host: Annotated[str, typer.Option(metavar="H", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=1, max=65535, help="port to listen on")] = 8080,
) -> None:
    """Serve optuna-dashboard and the leaderboard for the storage, until Ctrl-C."""
    from search.api.place import open_storage
    from search.dashboard.access import check_binding, read_access
    from search.dashboard.server import ANSWER_S, serve
    from storage.database.engine import writable

    access = read_access(os.environ)
    check_binding(host, access)
    purpose: Purpose = "make" if writable(read_settings().storage) else "look"  # it may be there before any study
    with open_storage(ANSWER_S, purpose=purpose) as (store, settings):
        serve(store, settings.home, access, host, port)


def doctor(
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="update tables, hand back stale trials, remove orphaned checkpoints, send what waits"
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check installation, devices, storage and what was left behind; status 1 when something is not well."""
    from search.api.place import quiet_optuna
    from search.commands.doctor import examine
    from search.commands.doctor import fix as fix_all

    quiet_optuna()
    settings = read_settings()
    for sentence in fix_all(settings) if fix else ():
        typer.echo(sentence, err=True)
    findings = examine(settings)
    well = all(finding.well for finding in findings)
    if as_json:
        typer.echo(json.dumps({"well": well, "findings": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.well else 'FAIL'}  {finding.what}: {finding.detail}")
            if finding.fix:
                typer.echo(f"      fix: {finding.fix}")
    if not well:
        raise typer.Exit(1)


def _of_all(report: Callable[[Store], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What is reported of all studies; where there is none, a sentence says so, and nothing is made."""
    from search.api.place import open_storage

    try:
        with open_storage(purpose="look") as (store, _):
            found, nothing = report(store), f"no study in {store.url} yet; start with: marsearch demo"
    except NothingStored as error:
        found, nothing = [], str(error)
    if not found:
        typer.echo(nothing, err=True)
    return found


def _print_table(studies: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from search.host.progress import clock
    from search.output import console

    terminal = console()
    wide = terminal.width >= LISTED_WIDTH
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("study", overflow="fold", min_width=5)
    names = ("state", "trials", "best", *(("constant", "workers", "age") if wide else ()))
    for name in names:
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for study in studies:
        finished, target = study["finished"], study["target"]
        scores = ("-" if study[name] is None else f"{study[name]:.4f}" for name in ("best", "constant"))
        shown = {
            "state": study["state"],
            "trials": f"{finished}/{target}" if finished <= target else str(finished),
            **dict(zip(("best", "constant"), scores, strict=True)),
            "workers": str(study["workers"]),
            "age": clock(study["age_s"]),
        }
        table.add_row(study["study"], *(shown[name] for name in names))
    terminal.print(table)
