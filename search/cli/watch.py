"""Commands that look at studies and steer them, and that look at the installation."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from search.cli import options
from search.cli.options import open_storage
from search.errors import UsageError
from search.settings import read_settings
from storage.errors import NothingStored
from storage.garbage import uncollected

if TYPE_CHECKING:
    from storage.store import Purpose, Store
    from storage.studies.control import Command

NO_TRIAL = "  best  no complete trial yet"
SHOWN_S = 3600.0  # for so long a lost worker has a line of its own


def status(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="name of a study; all of them without")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show state, trials, the best one, and what each worker trains."""
    with uncollected():  # a tenth of its time, and a health check asks every minute
        reports = _reports(study)
    if as_json:
        typer.echo(json.dumps(reports[0] if study is not None else {"studies": reports}))
        return
    for report in reports:
        typer.echo(_as_text(report))


def _reports(study: str | None) -> list[dict[str, Any]]:
    from search.studies.reports import study_report
    from storage.studies.studies import list_studies

    if study is None:
        return _of_all(lambda store: [study_report(store, name) for name in list_studies(store)])
    with open_storage(purpose="look") as (store, _):
        return [study_report(store, study)]


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
    from search.studies.reports import constant, leaderboard, trial_reports

    with open_storage(purpose="look") as (store, _):
        if as_json or format == "json":
            typer.echo(json.dumps(trial_reports(store, study)))
        elif format == "csv":
            import pandas as pd

            from search.outcome.spreadsheet import safe_csv

            table = pd.json_normalize(trial_reports(store, study), sep="_")
            typer.echo(safe_csv(table.to_csv(index=False)), nl=False)
        else:
            render(leaderboard(store, study), console(), constant=constant(store, study))


def list_studies(as_json: options.AsJson = False) -> None:
    """List the studies: state, trials, best value, workers, age."""
    from search.studies.reports import study_list

    studies = _of_all(study_list)
    if as_json:
        typer.echo(json.dumps({"studies": studies}))
    elif studies:
        _print_table(studies)


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


def dashboard(
    host: Annotated[str, typer.Option(metavar="H", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="P", min=1, max=65535, help="port to listen on")] = 8080,
) -> None:
    """Serve optuna-dashboard and the leaderboard for the storage, until Ctrl-C."""
    from search.dashboard.access import check_binding, read_access
    from search.dashboard.server import ANSWER_S, serve
    from storage.database.engine import writable

    access = read_access(os.environ)
    check_binding(host, access)
    purpose: Purpose = "make" if writable(read_settings().storage) else "look"  # it may be there before any study
    with open_storage(ANSWER_S, purpose=purpose) as (store, settings):
        serve(store, settings.home, access, host, port)


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="take up stale trials, remove orphaned checkpoints")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Check installation, devices, storage and what was left behind; status 1 when something is not well."""
    from search.commands.doctor import examine
    from search.commands.doctor import fix as fix_all

    options.quiet_optuna()
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
    try:
        with open_storage(purpose="look") as (store, _):
            found, nothing = report(store), f"no study in {store.url} yet; start with: marsearch demo"
    except NothingStored as error:
        found, nothing = [], str(error)
    if not found:
        typer.echo(nothing, err=True)
    return found


def _as_text(report: dict[str, Any]) -> str:
    from search.host.progress import clock
    from storage.studies.ends import End

    counts = ", ".join(f"{number} {state}" for state, number in report["trials"].items() if number)
    name, state, best = report["study"], report["state"], report["best"]
    lines = [
        f"study {name}: {state}, {report['finished']} of {report['target']} trials finished ({counts or 'none yet'})",
        f"  best  {best['value']:.4f}, trial {best['number']}{_constant(report)}" if best else NO_TRIAL,
    ]
    if report["budget_s"] is not None:
        lines.append(f"  time  {clock(report['worked_s'])} of {clock(report['budget_s'])}")
    if report["end"] is not None:
        end = End(**report["end"])
        lines.append(f"  ends  {end.reason}: {end.remedy}")
    if held := report["holdout"]:
        lines.append(f"  held out  {_held_out(held)}")
    gone = {"left": 0, "lost": 0}
    for worker in report["workers"]:
        if worker["state"] == "left" or (worker["state"] == "lost" and worker["beat_age_s"] > SHOWN_S):
            gone[worker["state"]] += 1
        else:
            where = f"{worker['id']} on {worker['host']} ({worker['device']})"
            does = [f"trial {t['trial']} epoch {t['epoch']} of {t['epochs']}" for t in worker["training"]]
            heard = f"heard of {clock(worker['beat_age_s'])} ago{': ' if does else ''}{', '.join(does)}"
            lines.append(f"  worker {where}, {worker['state']}, {heard}")
    if any(gone.values()):
        lines.append(f"  workers gone: {gone['left']} left in order, {gone['lost']} lost")
    if state in ("paused", "stopped"):
        lines.append(f"  go on with: marsearch study resume {name}")
    return "\n".join(lines)


def _constant(report: dict[str, Any]) -> str:
    """What the best constant answer has in the objective; "" where the study does not say."""
    from search.training.metrics import beside

    return beside(report["best"]["constant"][report["objective"] or "miou"])


def _held_out(held: dict[str, Any]) -> str:
    if not held["looks"]:
        return f"{held['images']} images, not looked at yet"
    scores = (f"{held[name]:.4f}" if held[name] is not None else "undefined" for name in ("miou", "miou_strict"))
    times = "once" if held["looks"] == 1 else f"{held['looks']} times"
    return "{}: {} (strict {}), trial {}".format(f"{held['images']} images, looked at {times}", *scores, held["trial"])


def _give(study: str, command: Command, done: str, workers: str, nobody: str, then: str = "") -> None:
    from storage.studies.control import set_command
    from storage.studies.liveness import attending

    with open_storage() as (store, _):
        set_command(store, study, command)
        there = len(attending(store, study))
        what = f"its workers ({there}) {workers}" if there else nobody
        typer.echo(f"study {study} is {done}: {what}{then}", err=True)


def _print_table(studies: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from search.host.progress import clock
    from search.output import console

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("study", overflow="fold")
    for name in ("state", "trials", "best", "constant", "workers", "age"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for study in studies:
        trials = f"{study['finished']}/{study['target']}"
        scores = ("-" if study[name] is None else f"{study[name]:.4f}" for name in ("best", "constant"))
        table.add_row(study["study"], study["state"], trials, *scores, str(study["workers"]), clock(study["age_s"]))
    console().print(table)
