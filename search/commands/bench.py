"""What this machine gives a recipe: images per second, the time of an epoch and of a trial, and what a night holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from search.errors import TrainingFailed
from search.training.epoch import EpochRecord
from search.worker.devices import (
    DeviceSlot,
    cores,
    device_slots,
    free_gb,
    has_bfloat16,
    planned_gb,
    workers_on_cpu,
)
from search.worker.job_files import facts_of, panel_samples, samples_of
from search.worker.process import WorkerProcess
from search.worker.protocol import Checkpointing, EpochEnd, Failed, Samples, Train
from spaces import Recipe, dump_recipe
from spaces.crops import step_pixels
from storage.data.dataset import Dataset
from storage.data.split import Split

NIGHT_S = 8 * 3600.0
IMAGES = 256  # so many of the training part make a measured epoch, at most
MEASURED_S = 5.0  # for so long each number of workers is measured, and for an epoch, at least
FEWEST = 128  # of them, as `fit` measures statistics on so many: of fewer that would be too large a part of the time
WARM = 32  # images of a training before, which waits for imports and memory
MANY = 2000  # epochs of a training that is stopped


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What so many workers do at the same time, each with so many threads.

    epoch_s: seconds of an epoch over all samples, validation included, in each worker.
    images: that all workers train on in a second, the time of validations included.
    """

    workers: int
    threads: int
    epoch_s: float
    images: float


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What was measured.

    device: in words. gpus: how many of them are GPUs. epochs: of a trial. parameters: of the network. overhead_s:
    seconds of a trial in which no epoch runs.
    """

    device: str
    gpus: int
    epochs: int
    parameters: int
    overhead_s: float
    rates: tuple[Rate, ...]

    def trial_s(self, rate: Rate) -> float:
        """Seconds of a trial that is not pruned."""
        return self.overhead_s + self.epochs * rate.epoch_s

    def night(self, rate: Rate) -> float:
        """How many of these trials all workers end in a night."""
        return rate.workers * NIGHT_S / self.trial_s(rate)

    @property
    def best(self) -> Rate:
        """The number of workers that ends most trials; of nearly equal ones the smaller, which needs less memory."""
        most = max(map(self.night, self.rates))
        return next(rate for rate in self.rates if self.night(rate) >= 0.97 * most)

    @property
    def suggested(self) -> str:
        """The option that gives so many workers."""
        if self.gpus and self.best.workers % self.gpus == 0:
            return f"--per-gpu {self.best.workers // self.gpus}"
        return f"--workers {self.best.workers}"


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Trainings to be measured: of the recipe, on parts of the data, in a folder."""

    recipe: Recipe
    samples: Samples
    few: Samples
    folder: Path

    def job(self, worker: WorkerProcess, epochs: int) -> Train:
        """A training as a host orders it; one of a single epoch is on few samples."""
        out = self.folder / f"{worker.slot.name}-{epochs}"
        out.mkdir(exist_ok=True)
        optimisation = self.recipe.optimisation.model_copy(update={"epochs": epochs, "patience": epochs})
        return Train(
            job=worker.next_job(),
            recipe=dump_recipe(self.recipe.model_copy(update={"optimisation": optimisation})),
            samples=self.few if epochs == 1 else self.samples,
            out=str(out),
            device=worker.slot.device,
            share=worker.slot.share,
            objective="miou",
            checkpoint=Checkpointing(path=str(out / "checkpoint")),
        )


def measure(
    recipe: Recipe,
    dataset: Dataset,
    data: Path,
    split: Split,
    *,
    device: str,
    workers: Sequence[int] | None,
    folder: Path,
) -> Iterator[Bench]:
    """Train the recipe on a part of the data set in the file, by one worker and by more at a time.

    workers: measure these numbers only. folder: for what the trainings leave. Yields what is known after each number of
    workers, at the end all of it. Raises TrainingFailed where a training fails.
    """
    few = _part(split, dataset, data, WARM)
    work = _Work(recipe=recipe, samples=few, few=few, folder=folder)
    counts = workers or _counts(device, folder, _worker_gb(dataset))
    slots = device_slots(device, counts[0], folder)
    overhead, record = _overhead(work, slots[0])
    in_time = int(MEASURED_S * len(few.train) / record.seconds)
    least = max(FEWEST, 2 * recipe.optimisation.batch_size)
    work = replace(work, samples=_part(split, dataset, data, max(least, min(IMAGES, in_time))))
    found = Bench(
        device=_in_words(slots),
        gpus=len({slot.gpu.id for slot in slots if slot.gpu is not None}),
        epochs=recipe.optimisation.epochs,
        parameters=record.parameters,
        overhead_s=overhead,
        rates=(),
    )
    share = len(split.train) / len(work.samples.train)
    for count in counts:
        found = replace(found, rates=(*found.rates, _rate(work, device_slots(device, count, folder), share)))
        yield found


def _part(split: Split, dataset: Dataset, data: Path, most: int) -> Samples:
    """About so many of the training part, and as large a share of the validation part; both evenly spread."""
    step = max(1, round(len(split.train) / most))
    part = replace(split, train=split.train[::step], validation=split.validation[::step])
    return samples_of(part, data.resolve(), panel_samples(dataset, part.validation.tolist()))


def _worker_gb(dataset: Dataset) -> float:
    """Memory in GiB that a worker on a CPU is planned with for these data, as in a study."""
    held = dataset.images.nbytes + dataset.masks.nbytes
    return planned_gb(step_pixels(facts_of(dataset)), held, half=has_bfloat16())


def _counts(device: str, folder: Path, worker_gb: float) -> list[int]:
    """Numbers of workers worth a try: on GPUs one and two on each, else one, as many as there are cores, and half.

    No more than memory has room for, of so many GiB each on a CPU.
    """
    default = device_slots(device, None, folder)
    if default[0].gpu is not None:
        return [len(default), 2 * len(default)]
    most = workers_on_cpu(cores(), free_gb(), None, worker_gb)
    return sorted({1, max(1, most // 2), most})


def _in_words(slots: Sequence[DeviceSlot]) -> str:
    gpus = {slot.gpu.id: slot.gpu for slot in slots if slot.gpu is not None}
    known = [name if gpu.gb is None else f"{name} ({gpu.gb:.0f} GiB a training)" for name, gpu in gpus.items()]
    return ", ".join(known) or (f"{cores()} cores" if slots[0].device == "cpu" else slots[0].device)


def _overhead(work: _Work, slot: DeviceSlot) -> tuple[float, EpochRecord]:
    """Seconds of a trial of one epoch less those of its epoch, in a worker that has had one before; that epoch."""
    with WorkerProcess(slot) as worker:
        _warm_up(work, worker)
        began = time.monotonic()
        messages = list(worker.train(work.job(worker, 1)))
        took = time.monotonic() - began
    _check(messages)
    [record] = [message.record for message in messages if isinstance(message, EpochEnd)]
    return max(0.0, took - record.seconds), record


def _rate(work: _Work, slots: Sequence[DeviceSlot], share: float) -> Rate:
    """Measure these workers at the same time. share: how many times more samples than the part has there are."""
    with ThreadPoolExecutor(len(slots)) as threads, ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess(slot)) for slot in slots]
        list(threads.map(partial(_warm_up, work), workers))
        seconds = list(threads.map(partial(_epoch_seconds, work), workers))
    part = sum(seconds) / len(seconds)
    images = len(slots) * len(work.samples.train) / part
    return Rate(workers=len(slots), threads=slots[0].threads, epoch_s=part * share, images=images)


def _warm_up(work: _Work, worker: WorkerProcess) -> None:
    _check(list(worker.train(work.job(worker, 1))))


def _epoch_seconds(work: _Work, worker: WorkerProcess) -> float:
    """Seconds of an epoch of the part, while all workers train."""
    ends: list[float] = []
    job = work.job(worker, MANY)
    for message in worker.train(job):
        _check([message])
        if isinstance(message, EpochEnd):
            ends.append(time.monotonic())
            if len(ends) > 1 and ends[-1] - ends[0] >= MEASURED_S:
                worker.stop(job.job)
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def _check(messages: Sequence[object]) -> None:
    for message in messages:
        if isinstance(message, Failed):
            raise TrainingFailed(message.reason)
