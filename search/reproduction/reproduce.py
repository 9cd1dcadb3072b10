"""The reports' tables trained again: plan the trainings, train those that are missing, write what came out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from search.errors import TrainingFailed, UsageError
from search.host.progress import clock
from search.host.shutdown import stop_on_signals
from search.outcome.atomic import replacing
from search.reproduction.agenda import Part, Request, in_turn, plan_row, split_parts
from search.reproduction.comparison import draw_comparison
from search.reproduction.paper import PaperRow, PaperTable
from search.reproduction.pool import DatasetRef, train_all
from search.reproduction.result import Result, read_result, write_result
from search.reproduction.side_by_side import as_csv, as_markdown
from search.reproduction.subset import rarest_class
from search.reproduction.table import Ours, Reproduction, Setting, pool
from search.reproduction.task import Task
from search.worker.devices import places
from search.worker.job_files import facts_of
from search.worker.process import DeviceSlot
from spaces import DataFacts, Recipe, load_preset
from storage.data.dataset import Dataset, read_dataset

Say = Callable[[str], None]


def reproduce(
    tables: Sequence[PaperTable],
    request: Request,
    *,
    stop: threading.Event,
    say: Say,
    load: Callable[[str], Recipe] = load_preset,
) -> tuple[Reproduction, ...]:
    """Train the rows of the tables and write ``NAME.md``, ``.csv`` and ``.png`` of each into the request's folder.

    Trainings whose results lie in ``runs`` are not repeated. stop: set by a signal too; what is finished by then is
    written all the same. say: takes a line per finished training. load: gives a preset's recipe.
    Raises DataError, SpaceError, UsageError, or TrainingFailed when no training at all ended well.
    """
    seats = places(request.device, request.workers, request.out / "logs")
    dataset = read_dataset(request.data)
    ground = DatasetRef(data=request.data, digest=dataset.digest, facts=facts_of(dataset))
    make_folder(request.out)
    whole, folds = split_parts(dataset, request)
    planned = {
        row.preset: plan_row(row, request, whole, folds, ground.digest, load) for table in tables for row in table.rows
    }
    tasks = in_turn(planned.values())
    results = known_results(request.out, tasks, ground.facts)
    with stop_on_signals(stop):
        train_missing(tasks, results, ground, seats=seats, out=request.out, stop=stop, say=say)
    done = tuple(
        Reproduction(
            table=table,
            setting=describe(dataset, request, whole),
            facts=ground.facts,
            rows=tuple(_ours(row, planned[row.preset], results, ground.facts) for row in table.rows),
        )
        for table in tables
    )
    for reproduction in done:
        _write(request.out, reproduction)
    _check_any(results, tasks, stop)
    return done


def known_results(out: Path, tasks: Sequence[Task], facts: DataFacts) -> dict[str, Result]:
    """The results that earlier commands left and that the same training would give again, by the task's name."""
    found = ((task.name, read_result(out / "runs", task.name, task.digest, facts)) for task in tasks)
    return {name: result for name, result in found if result is not None and result.final}


def train_missing(
    tasks: Sequence[Task],
    results: dict[str, Result],
    ground: DatasetRef,
    *,
    seats: Sequence[DeviceSlot],
    out: Path,
    stop: threading.Event,
    say: Say,
) -> None:
    """Train the tasks without a result, write each result as soon as it is there, and add it to results."""
    missing = [task for task in tasks if task.name not in results]
    if results:
        say(f"{len(tasks) - len(missing)} of {len(tasks)} trainings are there already")

    def done(result: Result) -> None:
        write_result(out / "runs", result)
        results[result.name] = result
        say(_line(result, tasks, results, len(seats)))

    train_all(missing, ground, seats, stop=stop, done=done)


def describe(dataset: Dataset, request: Request, whole: Part) -> Setting:
    """What all trainings on this split have in common."""
    rarest = rarest_class(dataset)
    return Setting(
        data=request.data.name,
        digest=dataset.digest,
        train=len(whole.train),
        validation=len(whole.validation),
        train_clean=whole.train_clean,
        validation_clean=whole.validation_clean,
        tiles=request.tiles if request.tiles is not None and request.tiles < whole.train_clean else None,
        rarest="" if rarest is None else dataset.class_names[rarest],
        grouped=dataset.group is not None,
        epochs=request.epochs,
        seeds=request.seeds,
        folds=request.folds,
        width=request.width,
    )


def make_folder(out: Path) -> None:
    """Make the folder. Raises UsageError when that cannot be."""
    try:
        (out / "runs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written ({error.strerror or error}), choose another place") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def _ours(row: PaperRow, tasks: Sequence[Task], results: Mapping[str, Result], facts: DataFacts) -> Ours:
    there = [(task, results[task.name]) for task in tasks if task.name in results]
    folds = [result.best.confusion for task, result in there if task.fold and result.best is not None]
    complete = bool(folds) and len(folds) == sum(task.fold > 0 for task in tasks)
    return Ours(
        row=row,
        results=tuple(result for task, result in there if not task.fold and result.best is not None),
        pooled=pool(folds, facts) if complete else None,
        failures=tuple(f"{result.name}: {result.failure}" for _, result in there if result.failure),
        missing=len(tasks) - len(there),
    )


def _line(result: Result, tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> str:
    """One line on a training that has ended, with the time that the others will take."""
    if result.best is None:
        how = f"failed: {result.failure}"
    else:
        scores = f"lenient {100 * result.best.miou:.1f}, strict {100 * result.best.miou_strict:.1f}"
        how = f"{scores} at epoch {result.best_epoch}, {result.seconds:.0f} s"
    left = seconds_left(tasks, results, workers)
    time = f"; about {clock(left)} left" if left else ""
    return f"{len(results)}/{len(tasks)}  {result.name}: {how}{time}"


def seconds_left(tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> float:
    """An estimate for the tasks without a result: each takes as long as those of its preset did, or as the mean."""
    took: dict[str, list[float]] = {}
    for task in tasks:
        result = results.get(task.name)
        if result is not None and not result.failure:
            took.setdefault(task.preset, []).append(result.seconds)
    means = {preset: sum(seconds) / len(seconds) for preset, seconds in took.items()}
    typical = sum(means.values()) / max(1, len(means))
    left = [means.get(task.preset, typical) for task in tasks if task.name not in results]
    return sum(left) / max(1, min(workers, len(left)))


def _write(out: Path, done: Reproduction) -> None:
    name = done.table.name
    write_text(out / f"{name}.md", as_markdown(done))
    write_text(out / f"{name}.csv", as_csv(done))
    draw_comparison(out / f"{name}.png", done)


def _check_any(results: Mapping[str, Result], tasks: Sequence[Task], stop: threading.Event) -> None:
    failures = [result.failure for result in results.values() if result.failure]
    if tasks and len(failures) == len(results) and not stop.is_set():
        raise TrainingFailed(f"all {len(tasks)} trainings failed, the last one with: {failures[-1]}")
