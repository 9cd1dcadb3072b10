"""The trainings of a reproduction on worker processes: what is missing is trained, each result kept as a JSON file."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic_core import to_json

from search.errors import TrainingFailed
from search.host.progress import clock
from search.reproduction.plan import Task
from search.training.epoch import EpochRecord, read_records
from search.worker.devices import DeviceSlot
from search.worker.pool import run_jobs
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Finished, Samples, Train
from spaces import dump_recipe
from storage.atomic_write import write_bytes
from storage.temporary_folder import temporary_folder

if TYPE_CHECKING:
    from search.training.metrics import Scores

MOST_DEATHS = 5  # workers in a row that may die before the next one is taken to do the same

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one training ended.

    epochs: all there were, also before a failure. best_epoch: of the highest lenient mIoU on validation, from 1; 0
    after a failure. failure: one sentence; "" for a training that ran to its end.
    """

    task: Task
    device: str
    epochs: tuple[EpochRecord, ...] = ()
    best_epoch: int = 0
    failure: str = ""

    @cached_property
    def best(self) -> Scores | None:
        """The scores of the best epoch; None after a failure."""
        return self._scores(self.best_epoch)

    @property
    def parameters(self) -> int:
        """Trainable numbers of the network; 0 without an epoch."""
        return self.epochs[-1].parameters if self.epochs else 0

    @property
    def seconds(self) -> float:
        """Time of training and validation; start-up is not counted."""
        return round(sum(epoch.seconds for epoch in self.epochs), 3)

    @property
    def final(self) -> bool:
        """Whether the same training again would end the same: a crash may have been the machine's fault."""
        return not self.failure or self.failure.startswith("Diverged")

    def as_dict(self) -> dict[str, Any]:
        """The document that is kept."""
        known = ("device", "best_epoch", "parameters", "seconds", "failure", "best")
        return {
            "name": self.task.name,
            "digest": self.task.digest,
            "data_digest": self.task.dataset.digest,
            "recipe": dump_recipe(self.task.recipe),
            **{name: getattr(self, name) for name in known},
            "last": self._scores(len(self.epochs) if self.best_epoch else 0),
            "curve": self.epochs,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _scores(self, number: int) -> Scores | None:
        from search.training.metrics import scores

        return scores(self.epochs[number - 1].confusion, self.task.dataset.facts) if number else None


def result_path(folder: Path, task: Task) -> Path:
    """Where the result of a task is kept; trainings of other budgets lie beside it under other digests."""
    return folder / f"{task.name}-{task.digest[:8]}.json"


def write_result(folder: Path, result: Result) -> Path:
    """Write the result whole or not at all, and return its path; NaN becomes null. Raises OSError."""
    path = result_path(folder, result.task)
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(path, to_json(result.as_dict(), indent=1, inf_nan_mode="null") + b"\n")
    return path


def read_result(folder: Path, task: Task) -> Result | None:
    """The result of exactly this training; None when there is none, or when its file is not whole."""
    try:
        kept = json.loads(result_path(folder, task).read_text("utf-8"))
        known = {name: kept[name] for name in ("device", "best_epoch", "failure")}
        return Result(task=task, epochs=read_records(kept["curve"]), **known) if kept["digest"] == task.digest else None
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def train_missing(
    tasks: Sequence[Task], slots: Sequence[DeviceSlot], *, folder: Path, stop: threading.Event
) -> dict[str, Result]:
    """Train the tasks that the folder has no result of; all results there are, by the task's name.

    stop: once set, trainings under way are given up and nothing is kept of them.
    Raises TrainingFailed when workers only die.
    """
    results = {task.name: known for task in tasks if (known := read_result(folder, task)) and known.final}
    lock, deaths = threading.Lock(), 0
    if results:
        log.info("%d of %d trainings are there already", len(results), len(tasks))

    def handle(worker: WorkerProcess, task: Task) -> None:
        nonlocal deaths
        try:
            result, died = train_task(worker, task), False
        except WorkerDied as error:
            result, died = Result(task=task, device=worker.slot.device, failure=str(error)), True
        if result is None or (died and stop.is_set()):
            return
        with lock:
            write_result(folder, result)
            results[task.name] = result
            log.info("%s", _line(result, tasks, results, len(slots)))
            deaths = deaths + 1 if died else 0
            if deaths >= MOST_DEATHS:
                raise TrainingFailed(f"{deaths} trainings in a row died, the last one with: {result.failure}")

    run_jobs([task for task in tasks if task.name not in results], slots, handle, stop=stop)
    return results


def train_task(worker: WorkerProcess, task: Task) -> Result | None:
    """Train one task; None when it was stopped. Raises WorkerDied."""
    part, path = task.part, str(task.dataset.data.resolve())
    with temporary_folder() as folder:
        job = Train(
            job=worker.next_job(),
            recipe=dump_recipe(task.recipe),
            samples=Samples(
                path=path,
                train=part.train,
                validation=part.validation,
                contaminated=part.contaminated,
                panel=part.validation[:1],
            ),
            out=str(folder),
            device=worker.slot.device,
            share=worker.slot.share,
            objective="miou",
        )
        messages = list(worker.train(job))
    epochs = tuple(message.record for message in messages if isinstance(message, EpochEnd))
    result = partial(Result, task=task, device=worker.slot.device, epochs=epochs)
    match messages[-1]:
        case Finished(best=best):
            return result(best_epoch=best)
        case Failed(reason=reason):
            return result(failure=reason)
    return None


def seconds_left(tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> float:
    """An estimate for the tasks without a result: each takes as long as those of its preset did, or as the mean."""
    took = [(result.task.preset, result.seconds) for result in results.values() if not result.failure]
    means = pd.DataFrame(took, columns=["preset", "seconds"]).groupby("preset").seconds.mean()
    typical = means.mean() if took else 0.0
    left = [means.get(task.preset, typical) for task in tasks if task.name not in results]
    return float(sum(left)) / max(1, min(workers, len(left)))


def _line(result: Result, tasks: Sequence[Task], results: Mapping[str, Result], workers: int) -> str:
    """One line on a training that has ended, with the time that the others will take."""
    how = f"failed: {result.failure}"
    if result.best is not None:
        scores = f"lenient {100 * result.best.miou:.1f}, strict {100 * result.best.miou_strict:.1f}"
        how = f"{scores} at epoch {result.best_epoch}, {result.seconds:.0f} s"
    left = seconds_left(tasks, results, workers)
    return f"{len(results)}/{len(tasks)}  {result.task.name}: {how}{f'; about {clock(left)} left' if left else ''}"
