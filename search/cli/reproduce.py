"""The command that trains the reports' tables again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from search.cli import options
from search.log import log_to_stderr, tell

Table = Annotated[
    Literal["B1", "C1", "E3", "A4", "D7", "all"], typer.Option(help="a table by report and number, or all of them")
]


def reproduce(
    data: options.Data,
    table: Table,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, max=2000, help="epochs of every training")] = 15,
    seeds: Annotated[int, typer.Option(metavar="S", min=1, max=100, help="trainings of each row")] = 2,
    out: Annotated[Path, typer.Option(metavar="DIR", help="folder for tables, pictures and results")] = Path(
        "reproduce"
    ),
    tiles: Annotated[
        int | None, typer.Option(metavar="N", min=8, help="train on a subset of so many tiles; default all")
    ] = None,
    width: Annotated[float, typer.Option(metavar="SHARE", min=0.01, max=1.0, help="of every preset's filters")] = 1.0,
    folds: Annotated[
        int | None, typer.Option(metavar="K", min=2, max=20, help="also train each row once per fold and pool")
    ] = None,
    trials: Annotated[int, typer.Option("--trials", metavar="N", min=1, help="of each search of D7")] = 12,
    workers: options.Workers = None,
    device: options.Device = "auto",
) -> None:
    """Train the rows of the reports' tables and print them beside the papers; again = continue."""
    import threading

    from search.api.place import quiet_optuna
    from search.reproduction import report, searches
    from search.reproduction.plan import Budget, Request
    from search.reproduction.reproduce import reproduce as train_tables
    from search.reproduction.table import TABLES

    budget = Budget(epochs=epochs, seeds=seeds, tiles=tiles, width=width, folds=folds or 0)
    request = Request(data=data, out=out, budget=budget, workers=workers, device=device)
    quiet_optuna()
    stop = threading.Event()

    wanted = [found for name, found in TABLES.items() if table in (name, "all")]
    with log_to_stderr():
        for done in train_tables(wanted, request, stop=stop) if wanted else ():
            typer.echo(report.as_markdown(done), nl=False)
        if table in ("D7", "all") and not stop.is_set():
            typer.echo(searches.as_markdown(searches.search_again(request, trials, stop=stop)), nl=False)
    tell(f"tables, pictures and results are in {out}", "said")
    if stop.is_set():
        tell("stopped; the same command again continues where it was", "said")
