"""The trainings of a reproduction on worker processes: what is missing is trained, each result kept at once."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from search.errors import TrainingFailed
from search.host.progress import clock
from search.reproduction.plan import DatasetRef, Task
from search.reproduction.result import Result, read_result, write_result
from search.training.epoch import EpochRecord
from search.worker.devices import DeviceSlot
from search.worker.pool import run_jobs
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Finished, Samples, Stopped, Train
from spaces import dump_recipe

MOST_DEATHS = 5  # workers in a row that may die before the next one is taken to do the same

log = logging.getLogger(__name__)


def train_missing(
    tasks: Sequence[Task],
    dataset: DatasetRef,
    slots: Sequence[DeviceSlot],
    *,
    folder: Path,
    stop: threading.Event,
) -> dict[str, Result]:
    """Train the tasks that the folder has no result of; all results there are, by the task's name.

    stop: once set, trainings under way are given up and nothing is kept of them.
    Raises TrainingFailed when workers only die.
    """
    results = {task.name: known for task in tasks if (known := read_result(folder, task, dataset)) and known.final}
    lock, deaths = threading.Lock(), 0
    if results:
        log.info("%d of %d trainings are there already", len(results), len(tasks))

    def handle(worker: WorkerProcess, task: Task) -> None:
        nonlocal deaths
        died, result = False, None
        try:
            result = train_task(worker, task, dataset)
        except WorkerDied as error:
            if died := not stop.is_set():
                result = Result(task=task, dataset=dataset, device=worker.slot.device, failure=str(error))
        if result is not None:
            with lock:
                write_result(folder, result)
                results[task.name] = result
                log.info("%s", _line(result, tasks, results, len(slots)))
                deaths = deaths + 1 if died else 0
                if deaths >= MOST_DEATHS:
                    raise TrainingFailed(f"{deaths} trainings in a row died, the last one with: {result.failure}")

    run_jobs([task for task in tasks if task.name not in results], slots, handle, stop=stop)
    return results


def train_task(worker: WorkerProcess, task: Task, dataset: DatasetRef) -> Result | None:
    """Train one task; None when it was stopped. Raises WorkerDied."""
    epochs: list[EpochRecord] = []
    best, failure = 0, ""
    train, validation = task.part.train, task.part.validation
    path = str(dataset.data.resolve())
    samples = Samples(path=path, train=train, validation=validation, panel=validation[:1])
    with tempfile.TemporaryDirectory(prefix="marsearch-") as folder:
        job = Train(
            job=worker.next_job(),
            recipe=dump_recipe(task.recipe),
            samples=samples,
            out=folder,
            device=worker.slot.device,
            objective="miou",
        )
        for message in worker.train(job):
            if isinstance(message, EpochEnd):
                epochs.append(message.record)
            elif isinstance(message, Finished):
                best = message.best
            elif isinstance(message, Failed):
                failure = message.reason
            elif isinstance(message, Stopped):
                return None
    return Result(
        task=task, dataset=dataset, device=worker.slot.device, epochs=tuple(epochs), best_epoch=best, failure=failure
    )


def seconds_left(tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> float:
    """An estimate for the tasks without a result: each takes as long as those of its preset did, or as the mean."""
    took: dict[str, list[float]] = {}
    for result in results.values():
        if not result.failure:
            took.setdefault(result.task.preset, []).append(result.seconds)
    means = {preset: sum(seconds) / len(seconds) for preset, seconds in took.items()}
    typical = sum(means.values()) / max(1, len(means))
    left = [means.get(task.preset, typical) for task in tasks if task.name not in results]
    return sum(left) / max(1, min(workers, len(left)))


def _line(result: Result, tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> str:
    """One line on a training that has ended, with the time that the others will take."""
    how = f"failed: {result.failure}"
    if result.best is not None:
        scores = f"lenient {100 * result.best.miou:.1f}, strict {100 * result.best.miou_strict:.1f}"
        how = f"{scores} at epoch {result.best_epoch}, {result.seconds:.0f} s"
    left = seconds_left(tasks, results, workers)
    return f"{len(results)}/{len(tasks)}  {result.task.name}: {how}{f'; about {clock(left)} left' if left else ''}"
