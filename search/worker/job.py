"""One job of a child, from its recipe or its checkpoint to the files it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.worker.checkpoint_file import remove_parts
from search.worker.checkpoint_writer import CheckpointWriter
from search.worker.protocol import Finished, Message, Note, Resumed, Saved, Stopped, Train, Trained, trained_epochs

if TYPE_CHECKING:
    from torch import Tensor

    from search.training.checkpoint import Snapshot
    from search.training.fit import Epoch
    from storage.data.dataset import Dataset

LARGEST_CHECKPOINT = 16 * 2**30  # bytes; a network of a billion weights under AdamW, with its best ones beside

Say = Callable[[Message], None]


@dataclass
class TrainingJob:
    """A training under way.

    epochs: those to come. start: what it goes on from. history: the fields of each `Trained` until now.
    best, weights: number and weights of the best epoch until now, maybe one from before the start.
    """

    epochs: Iterator[Epoch]
    start: Snapshot | None
    history: list[dict[str, Any]]
    best: int
    weights: Mapping[str, Tensor]


def train(job: Train, dataset: Dataset, stopped: Callable[[], bool], say: Say) -> Finished | Stopped:
    """Train one job to its end on the data set, telling the host of each epoch; its last message is returned.

    stopped: asked before every batch, whether the host wants no more of it. say: sends a message; any thread may.
    """
    from search.training.fit import Stopped as TrainingStopped
    from search.training.fit import fit
    from search.worker.job_files import save_result, training_data
    from spaces import load_recipe

    recipe = load_recipe(job.recipe)
    data = training_data(dataset, recipe.data.cleaning, job.train, job.validation)

    def begin(resume: Snapshot | None) -> Iterator[Epoch]:
        return fit(recipe, data, device=job.device, objective=job.objective, should_stop=stopped, resume=resume)

    course = _begin(job, begin, say)
    with ExitStack() as stack:
        keeper = stack.enter_context(_keeper(job, course, say)) if job.checkpoint else None
        try:
            _follow(job, course, keeper, say)
        except TrainingStopped:
            if keeper is not None:
                keeper.write_newest()
            return Stopped(job=job.job)
    save_result(job, recipe, dataset, data, course.weights)
    return Finished(job=job.job, best=course.best)


def _begin(job: Train, begin: Callable[[Snapshot | None], Iterator[Epoch]], say: Say) -> TrainingJob:
    """Go on from the job's checkpoint and say so; without a usable one, start at the first epoch."""
    from search.training.checkpoint import CheckpointError, read_snapshot

    if not job.resume:
        return TrainingJob(epochs=begin(None), start=None, history=[], best=0, weights={})
    try:
        start = read_snapshot(Path(job.resume), LARGEST_CHECKPOINT)
        resumed = _resumed(job, start)
        epochs = begin(start)
    except CheckpointError as error:
        say(Note(job=job.job, text=f"the training starts at its first epoch: {error}"))
        return TrainingJob(epochs=begin(None), start=None, history=[], best=0, weights={})
    say(resumed)
    return TrainingJob(
        epochs=epochs,
        start=start,
        history=[dict(fields) for fields in resumed.history],
        best=start.best_epoch,
        weights=start.best_weights(),
    )


def _resumed(job: Train, start: Snapshot) -> Resumed:
    """What the checkpoint tells of the epochs until then. Raises CheckpointError when it does not tell of each."""
    from search.training.checkpoint import CheckpointError

    try:
        epochs = trained_epochs(start.document.get("history"), job.job)
        seconds = sum(float(epoch.seconds) for epoch in epochs)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint's curve cannot be read: {error}") from error
    if len(epochs) != start.epoch:
        raise CheckpointError(f"the checkpoint of epoch {start.epoch} has a curve of {len(epochs)} epochs")
    return Resumed(job=job.job, epoch=start.epoch, history=tuple(map(asdict, epochs)), seconds=seconds)


def _keeper(job: Train, course: TrainingJob, say: Say) -> CheckpointWriter:
    path = Path(job.checkpoint)
    remove_parts(path)  # of a child that was killed while it wrote
    return CheckpointWriter(
        path,
        job.checkpoint_seconds,
        saved=lambda epoch: say(Saved(job=job.job, epoch=epoch)),
        trouble=lambda text: say(Note(job=job.job, text=text)),
        newest=course.start,
        written=course.start.epoch if course.start is not None and job.resume == job.checkpoint else 0,
    )


def _follow(job: Train, course: TrainingJob, keeper: CheckpointWriter | None, say: Say) -> None:
    """Train to the last epoch, telling the host of each and the keeper of the state after it."""
    for epoch in course.epochs:
        if epoch.weights is not None:
            course.best, course.weights = epoch.number, epoch.weights
        told = _trained(job.job, epoch)
        course.history.append(asdict(told))
        say(told)
        if keeper is not None:
            snapshot = epoch.snapshot()
            keeper.take(replace(snapshot, document={**snapshot.document, "history": list(course.history)}))


def _trained(job: int, epoch: Epoch) -> Trained:
    return Trained(
        job=job,
        number=epoch.number,
        train_loss=epoch.train_loss,
        validation_loss=epoch.validation_loss,
        miou=epoch.scores.miou,
        miou_strict=epoch.scores.miou_strict,
        accuracy=epoch.scores.accuracy,
        iou=tuple(None if value != value else value for value in epoch.scores.iou),
        confusion=epoch.scores.confusion,
        lr=epoch.lr,
        seconds=epoch.seconds,
        memory_mb=epoch.memory_mb,
        parameters=epoch.parameters,
        improved=epoch.improved,
        last=epoch.last,
    )
