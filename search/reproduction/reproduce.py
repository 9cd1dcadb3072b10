"""The reports' tables trained again: plan the trainings, train those that are missing, write what they reached."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from search.errors import TrainingFailed
from search.host.shutdown import counted_signals
from search.log import tell
from search.reproduction.plan import Request, in_turn, plan_row, prepare
from search.reproduction.report import as_csv, as_markdown, draw_table
from search.reproduction.table import PaperTable, Reproduction, row_results
from search.reproduction.training import train_missing
from search.worker.devices import device_slots
from spaces import Recipe, load_preset
from storage.atomic_write import write_bytes
from storage.data.dataset import read_dataset


def reproduce(
    tables: Sequence[PaperTable],
    request: Request,
    *,
    stop: threading.Event,
    load: Callable[[str], Recipe] = load_preset,
) -> tuple[Reproduction, ...]:
    """Train the rows of the tables and write ``NAME.md``, ``.csv`` and ``.png`` of each into the request's folder.

    Trainings whose results lie in ``runs`` are not repeated. stop: set by a signal too; what is finished by then is
    written all the same. load: gives a preset's recipe.
    Raises DataError, SpaceError, UsageError, or TrainingFailed when no training at all ended well.
    """
    slots = device_slots(request.device, request.workers, request.out / "logs")
    dataset = read_dataset(request.data)
    for note in dataset.notes:
        tell(note, "note on the data")
    setting = prepare(dataset, request)
    planned = {row.preset: plan_row(row.preset, load(row.preset), setting) for table in tables for row in table.rows}
    tasks = in_turn(planned.values())
    with counted_signals(stop):
        results = train_missing(tasks, slots, folder=request.out / "runs", stop=stop)
    done = []
    for table in tables:
        rows = tuple(row_results(row, planned[row.preset], results) for row in table.rows)
        done.append(made := Reproduction(table=table, setting=setting, rows=rows))
        write_report(request.out, table.name, as_markdown(made), as_csv(made), partial(draw_table, done=made))
    failures = [result.failure for result in results.values() if result.failure]
    if tasks and len(failures) == len(results) and not stop.is_set():
        raise TrainingFailed(f"all {len(tasks)} trainings failed, the last one with: {failures[-1]}")
    return tuple(done)


def write_report(out: Path, name: str, markdown: str, table: str, draw: Callable[[Path], None]) -> None:
    """Write the three files of a table, each whole or not at all."""
    for suffix, text in (("md", markdown), ("csv", table)):
        write_bytes(out / f"{name}.{suffix}", text.encode())
    draw(out / f"{name}.png")
