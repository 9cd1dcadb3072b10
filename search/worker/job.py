"""One job of a worker, from its recipe or its checkpoint to the files it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from search.training.epoch import EpochRecord, read_records
from search.worker.checkpoint_file import CheckpointWriter
from search.worker.protocol import EpochEnd, Finished, Message, Note, Resumed, Stopped, Train

if TYPE_CHECKING:
    from torch import Tensor

    from search.training.checkpoint import Snapshot
    from search.training.fit import Epoch
    from storage.data.dataset import Dataset

LARGEST_CHECKPOINT = 16 * 2**30  # bytes; a network of a billion weights under AdamW, with its best ones beside

Send = Callable[[Message], None]


@dataclass
class TrainingJob:
    """A training under way.

    epochs: those to come. start: the checkpoint it continues from. history: the record of each epoch until now.
    best, weights, shown: number of the epoch that counts until now, maybe one from before the start, its weights, and
    the labels that they give the panel. moments: those after the epochs where they are wanted, None until then.
    """

    epochs: Iterator[Epoch]
    start: Snapshot | None = None
    history: list[EpochRecord] = field(default_factory=list)
    best: int = 0
    weights: Mapping[str, Tensor] = field(default_factory=dict)
    shown: Tensor | None = None
    moments: dict[int, Tensor | None] = field(default_factory=dict)


def train(job: Train, dataset: Dataset, stopped: Callable[[], bool], send: Send) -> Finished | Stopped:
    """Train one job to its end on the data set, sending the host each epoch; its last message is returned.

    stopped: called before every batch, whether the host has given the job up. send: takes messages from any thread.
    """
    from search.errors import Stopped as TrainingStopped
    from search.training.fit import fit
    from search.worker.job_files import save_panel, save_weights, training_data
    from search.worker.moments import save_moments
    from search.worker.worst import save_worst
    from spaces import load_recipe

    recipe = load_recipe(job.recipe)
    data = training_data(dataset, recipe.data.cleaning, job.samples)

    def begin(resume: Snapshot | None) -> Iterator[Epoch]:
        return fit(recipe, data, device=job.device, objective=job.objective, should_stop=stopped, resume=resume)

    training = begin_or_resume(job, begin, send)
    training.moments = dict.fromkeys(job.samples.moments)
    with ExitStack() as stack:
        writer = stack.enter_context(CheckpointWriter(job, training.start, send)) if job.checkpoint.path else None
        try:
            run_epochs(job.job, training, writer, send)
        except TrainingStopped:
            if writer is not None:
                writer.write_newest()
            return Stopped(job=job.job)
    save_weights(job, training.weights)
    assert training.shown is not None
    try:
        save_panel(job, training.shown)
        seen = {epoch: labels for epoch, labels in training.moments.items() if labels is not None}
        save_moments(Path(job.out), seen | {training.best: training.shown})
        reached = getattr(training.history[training.best - 1], job.objective)
        if job.samples.beat is not None and reached > job.samples.beat:
            save_worst(Path(job.out), recipe, data, training.weights, job.device)
    except Exception as error:  # whatever it is, the training is done and its weights are good
        send(Note(job=job.job, text=f"the trial has no pictures: {' '.join(str(error).split())[:500]}"))
    return Finished(job=job.job, best=training.best)


def begin_or_resume(job: Train, begin: Callable[[Snapshot | None], Iterator[Epoch]], send: Send) -> TrainingJob:
    """Continue from the job's checkpoint and tell the host so; without a usable one, start at the first epoch."""
    from search.training.checkpoint import CheckpointError, read_snapshot

    if not job.checkpoint.resume:
        return TrainingJob(epochs=begin(None))
    try:
        start = read_snapshot(Path(job.checkpoint.resume), LARGEST_CHECKPOINT)
        history = read_records(start.document.get("history"))
        if len(history) != start.epoch:
            raise CheckpointError(f"the checkpoint of epoch {start.epoch} has a curve of {len(history)} epochs")
        epochs = begin(start)
    except (CheckpointError, ValueError) as error:
        send(Note(job=job.job, text=f"the training starts at its first epoch: {error}"))
        return TrainingJob(epochs=begin(None))
    send(Resumed(job=job.job, history=history))
    return TrainingJob(epochs, start, list(history), start.kept_epoch, start.kept_weights(), start.kept_shown)


def run_epochs(job: int, training: TrainingJob, writer: CheckpointWriter | None, send: Send) -> None:
    """Train to the last epoch, handing each record to the host and the state after it to the writer."""
    from search.training.checkpoint import on_host

    for epoch in training.epochs:
        if epoch.weights is not None:
            training.best, training.weights, training.shown = epoch.record.number, epoch.weights, epoch.shown
        if epoch.record.number in training.moments:
            training.moments[epoch.record.number] = epoch.shown
        training.history.append(epoch.record)
        send(EpochEnd(job=job, record=epoch.record))
        if writer is not None:
            snapshot = epoch.snapshot()
            history = [vars(record) for record in training.history]
            writer.take(replace(snapshot, document={**snapshot.document, "history": history}))
    training.weights = on_host(training.weights)
