"""Commands that look at studies and at the installation."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from search.cli import options
from search.cli.options import open_storage

if TYPE_CHECKING:
    from storage.store import Store


def status(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="name of a study; all of them without")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show trials by state, the best one and the workers."""
    from search.service.report import study_report
    from storage.studies import list_studies

    with open_storage() as (store, _):
        names = [study] if study is not None else list(list_studies(store))
        reports = [study_report(store, name) for name in names]
        if as_json:
            typer.echo(json.dumps(reports[0] if study is not None else {"studies": reports}))
            return
        if not reports:
            typer.echo(f"no study in {store.url} yet; start with: marsearch demo", err=True)
        for report in reports:
            typer.echo(_as_text(report))


def trials(
    study: options.Study,
    format: Annotated[Literal["table", "csv", "json"], typer.Option(help="how they are written")] = "table",
) -> None:
    """List the trials of a study."""
    from search.service.report import trial_reports

    with open_storage() as (store, _):
        found = trial_reports(store, study)
        if format == "json":
            typer.echo(json.dumps(found))
        elif format == "csv":
            _frame(found).to_csv(sys.stdout, index=False)
        else:
            _print_table(store, study)


def dashboard(
    host: Annotated[str, typer.Option(metavar="H", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=1, max=65535, help="port to listen on")] = 8080,
) -> None:
    """Serve optuna-dashboard for the storage, until Ctrl-C."""
    from search.service.dashboard import serve

    with open_storage() as (store, _):
        serve(store, host, port)


def doctor() -> None:
    """Check installation, devices, database and artifact store."""
    from search.service.doctor import examine
    from search.settings import read_settings

    findings = examine(read_settings())
    for finding in findings:
        typer.echo(f"{'ok  ' if finding.well else 'FAIL'}  {finding.what}: {finding.detail}")
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


def _as_text(report: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {state}" for state, number in report["trials"].items() if number)
    best = report["best"]
    lines = [
        f"study {report['study']}: {report['finished']} of {report['target']} trials finished ({counts or 'none yet'})",
        f"  best  {best['value']:.4f}, trial {best['number']}" if best else "  best  no complete trial yet",
    ]
    for worker in report["workers"]:
        doing = f", trial {worker['trials']}" if worker["trials"] else ""
        lines.append(f"  worker {worker['id']} on {worker['host']} ({worker['device']}), {worker['state']}{doing}")
    return "\n".join(lines)


def _frame(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    flat = [{**row, **{f"params_{k}": v for k, v in row["params"].items()}} for row in rows]
    return pd.DataFrame([{k: v for k, v in row.items() if k != "params"} for row in flat])


def _print_table(store: Store, study: str) -> None:
    from rich.console import Console

    from search.outcome.leaderboard import render
    from search.service.report import leaderboard

    render(leaderboard(store, study), Console())
