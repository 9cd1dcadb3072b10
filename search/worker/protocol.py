"""What host and child say to each other: one JSON document a line, with the name of its class and its job.

The protocol, for one child:

- the child says `Ready` once, when it can take a job;
- the host sends `Train`; the child closes the job with exactly one of `Finished`, `Stopped`, `Failed`, and says nothing
  of it afterwards. Before that come, in this order:
    1. `Resumed`, if the job goes on from a checkpoint: then the next `Trained` is the one after its epoch, or none if
       that was the last. A job whose `resume` cannot be used starts at epoch 1, after a `Note` that says why;
    2. `Trained`, one an epoch, numbered without a gap;
    3. `Saved`, at any place among them: the epoch's checkpoint lies on the disk, and none after it yet. Numbers grow,
       many epochs have none;
    4. `Note`, anywhere: something a person should know, which the job survives (a full disk);
- a checkpoint holds all `Trained` up to its epoch, so `Resumed` brings the whole curve, also to another host;
- checkpoints are written beside the training, at most every `checkpoint_seconds`, and only the newest: the training
  never waits for the disk. Nothing is written after the job is closed: its files are the host's then;
- the host may send `Stop` at any time: it is sticky for its job, and a job that has finished by then stays finished.
  The child ends its batch and, if the newest completed epoch is not on the disk yet, writes its checkpoint (`Saved`);
  then it says `Stopped`. The epoch under way is given up; resumed, it is trained again to the same bits;
- the child never waits for the host, it only looks whether a `Stop` has come;
- the end of the child's input means that the host is gone: the child exits at once;
- a line that is no message ends the one who reads it: the two are of different versions, or one of them is broken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The child has loaded everything and waits for a job."""


@dataclass(frozen=True, kw_only=True)
class Train:
    """A job for the child.

    job: its number, never used twice within a child.
    recipe: YAML text.
    data: path of the data set's file.
    train, validation: indices of the samples of each part, before the recipe's own cleaning.
    panel: indices (into the data set) of the validation images whose prediction is wanted.
    out: existing directory for the weights and predictions.
    device: as torch names it.
    objective: "miou" or "miou_strict".
    checkpoint: path, in an existing directory, that the child keeps its newest checkpoint at; "" for none.
    resume: path of the checkpoint to go on from, may be the same; "" for none.
    checkpoint_seconds: least time between two checkpoints, or from the start to the first.
    """

    job: int
    recipe: str
    data: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    panel: tuple[int, ...]
    out: str
    device: str
    objective: Literal["miou", "miou_strict"]
    checkpoint: str = ""
    resume: str = ""
    checkpoint_seconds: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The host wants no more of this job."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """One epoch is done; scores are shares of one, iou has one entry per class (None where undefined).

    parameters: trainable numbers of the network.
    """

    job: int
    number: int
    train_loss: float
    validation_loss: float
    miou: float
    miou_strict: float
    accuracy: float
    iou: tuple[float | None, ...]
    confusion: tuple[tuple[int, ...], ...]
    lr: float
    seconds: float
    memory_mb: float
    parameters: int
    improved: bool
    last: bool


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """The training goes on after this epoch.

    history: the fields of the `Trained` of epochs 1 .. epoch. seconds: what they took, all together.
    """

    job: int
    epoch: int
    history: tuple[Mapping[str, Any], ...]
    seconds: float

    def epochs(self) -> tuple[Trained, ...]:
        """What was said of each epoch until now, as messages of this job."""
        return trained_epochs(self.history, self.job)


@dataclass(frozen=True, kw_only=True)
class Saved:
    """The checkpoint of that epoch lies on the disk."""

    job: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that a person should know, in one sentence; the job goes on."""

    job: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The training ran to its end; `weights.safetensors` and `panel.npz` of the best epoch lie in the job's `out`.

    best: number of the best epoch, which may be one from before a resume.
    """

    job: int
    best: int


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The job ended because the host said so."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job ended by an error of its own; reason is one sentence, detail the traceback.

    kind: "diverged" for a loss that is no number, "memory" for too little of it on device or host.
    """

    job: int
    reason: str
    detail: str
    kind: Literal["diverged", "memory", "error"] = "error"


Message = Ready | Train | Stop | Trained | Resumed | Saved | Note | Finished | Stopped | Failed
M = TypeVar("M", bound=Message)
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Ready, Train, Stop, Trained, Resumed, Saved, Note, Finished, Stopped, Failed)
}


def to_line(message: Message) -> str:
    """The message as one line, newline included."""
    return json.dumps({"message": type(message).__name__} | asdict(message)) + "\n"


def from_line(line: str) -> Message:
    """The message of a line. Raises ValueError for anything that is none."""
    value = json.loads(line)
    if not isinstance(value, dict) or value.get("message") not in _KINDS:
        raise ValueError(f"a message was expected, got {line[:80]!r}")
    return _made(_KINDS[value.pop("message")], value)


def trained_epochs(history: object, job: int) -> tuple[Trained, ...]:
    """The messages of epochs 1, 2, ... from the fields of each, under that job's number.

    Raises ValueError for anything else, such as a gap.
    """
    if not isinstance(history, list | tuple):
        raise ValueError(f"the epochs of a training were expected, got {type(history).__name__}")
    if not all(isinstance(fields, Mapping) for fields in history):
        raise ValueError("the epochs of a training were expected, each with its fields")
    epochs = tuple(_made(Trained, {**fields, "job": job}) for fields in history)
    if [epoch.number for epoch in epochs] != list(range(1, len(epochs) + 1)):
        raise ValueError("the epochs of a training are not numbered one after the other")
    return epochs


def _made(kind: type[M], fields: Mapping[str, Any]) -> M:
    try:
        return kind(**{name: _frozen(field) for name, field in fields.items()})
    except TypeError as error:
        raise ValueError(f"a message {kind.__name__} has other fields: {error}") from error


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
