"""The command that shows everything at once."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from search.cli import options
from search.cli.options import WORKER_S, open_storage
from search.cli.study import make, serve
from storage.studies.config import StudyConfig


def demo(
    trials: options.Trials = 12,
    workers: options.Workers = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="bundle; default demo-bundle in MARSEARCH_HOME")
    ] = None,
) -> None:
    """Search on synthetic data: study `demo`, pruning, leaderboard, exported bundle."""
    from rich.console import Console

    from search.commands.export import export_trial
    from search.host.host import WorkOptions
    from search.outcome.bundle import check_target
    from search.outcome.leaderboard import render
    from search.studies.reports import leaderboard
    from storage.data.dataset import write_dataset
    from storage.data.synthetic import synthesise

    with open_storage(WORKER_S) as (store, settings):
        bundle = out or settings.home / "demo-bundle"
        check_target(bundle)
        data = settings.home / "demo.npz"
        data.parent.mkdir(parents=True, exist_ok=True)
        write_dataset(synthesise(train=320, test=40, seed=0), data)
        space = (resources.files("search.cli") / "demo.yaml").read_text("utf-8")
        config = StudyConfig(study="demo", space=space, trials=trials, epochs=9, warm_start="none")
        make(store, config, data, "demo space")
        order = WorkOptions(
            study="demo", workers=workers, trials=trials, timeout=None, device="auto", home=settings.home
        )
        finished = serve(store, order)
        render(leaderboard(store, "demo"), Console())
        if not finished:
            typer.echo("continue marsearch demo")
            return
        number = export_trial(store, "demo", bundle, trial=None, home=settings.home)
        typer.echo(f"bundle   {bundle}  (trial {number})")
        typer.echo("watch    marsearch dashboard    then open http://127.0.0.1:8080")
