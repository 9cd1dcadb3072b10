"""The messages between host and worker: one JSON document a line, with the name of its class and its job.

The protocol, for one worker process:

- the worker sends `Ready` once, when it can take a job;
- the host sends `Train`; the worker closes the job with exactly one of `Finished`, `Stopped`, `Failed`, and sends
  nothing about it afterwards. Before that come, in this order:
    1. `Resumed`, if the job continues from a checkpoint: then the next `EpochEnd` is the one after its epoch, or none
       if that was the last. A job whose checkpoint cannot be used starts at epoch 1, after a `Note` with the reason;
    2. `EpochEnd`, one an epoch, numbered without a gap;
    3. `Saved`, at any place among them: the epoch's checkpoint is on the disk, and none after it yet. Numbers grow,
       many epochs have none;
    4. `Note`, anywhere: something a person should know, which the job survives (a full disk);
- a checkpoint holds the records of all epochs up to its own, so `Resumed` brings the whole curve, also to another host;
- checkpoints are written beside the training, at most every `seconds` of the job's `Checkpointing`, and only the
  newest: the training never waits for the disk. Nothing is written after the job is closed: its files belong to the
  host then;
- the host may send `Stop` at any time: it is sticky for its job, and a job that has finished by then stays finished.
  The worker ends its batch and, if the newest completed epoch is not on the disk yet, writes its checkpoint (`Saved`);
  then it sends `Stopped`. The epoch under way is given up; resumed, it is trained again to the same bits;
- the worker never waits for the host, it only checks whether a `Stop` has come;
- the end of the worker's input means that the host is gone: the worker exits at once;
- a line that is no message ends its reader: the two are of different versions, or one of them is broken.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pydantic import ConfigDict, TypeAdapter

from search.training.epoch import EpochRecord


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The worker has loaded everything and waits for a job."""


@dataclass(frozen=True, kw_only=True)
class JobMessage:
    """A message about one job. job: its number, never used twice within a worker."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What a job trains on.

    path: of the data set's file.
    train, validation: indices of the samples of each part, before the recipe's own cleaning.
    contaminated: those of train that the study's rule found.
    panel: indices of the validation images whose prediction is wanted. moments: epochs after which it is kept, beside
        that of the one that counts. beat: the score above which the worst images are wanted, too; None where never.
    """

    path: str
    train: tuple[int, ...]
    validation: tuple[int, ...]
    contaminated: tuple[int, ...] = ()
    panel: tuple[int, ...]
    moments: tuple[int, ...] = ()
    beat: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """Where a job's checkpoints are.

    path: in an existing directory, where the newest one is kept; "" for none.
    resume: path of the checkpoint to continue from, may be the same; "" for none.
    seconds: least time between two checkpoints, or from the start to the first.
    """

    path: str = ""
    resume: str = ""
    seconds: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Train(JobMessage):
    """A job for the worker.

    recipe: YAML text.
    out: existing directory for the weights and predictions.
    device: as torch names it. share: of its memory, that the training may take, 0 to 1.
    objective: the score that the epoch whose weights are kept is chosen by.
    """

    recipe: str
    samples: Samples
    out: str
    device: str
    share: float = 1.0
    objective: Literal["miou", "miou_strict"]
    checkpoint: Checkpointing = Checkpointing()


@dataclass(frozen=True, kw_only=True)
class Stop(JobMessage):
    """The host gives the job up."""


@dataclass(frozen=True, kw_only=True)
class EpochEnd(JobMessage):
    """One epoch is done."""

    record: EpochRecord


@dataclass(frozen=True, kw_only=True)
class Resumed(JobMessage):
    """The training continues from a checkpoint.

    history: the records of all epochs that the checkpoint comes after, at least one.
    """

    history: tuple[EpochRecord, ...]

    @property
    def epoch(self) -> int:
        """Number of the epoch after which the checkpoint was taken."""
        return self.history[-1].number


@dataclass(frozen=True, kw_only=True)
class Saved(JobMessage):
    """The checkpoint of that epoch is on the disk."""

    epoch: int


@dataclass(frozen=True, kw_only=True)
class Note(JobMessage):
    """Something that a person should know, in one sentence; the job goes on."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Finished(JobMessage):
    """The training is complete; `weights.safetensors` of the epoch that counts is in the job's `out`.

    So are `panel.npz`, `moments.npz` and `worst.npz`, unless a `Note` has said why not; a moment from before a resume
    is missing.
    best: number of that epoch, which may be one from before a resume.
    """

    best: int


@dataclass(frozen=True, kw_only=True)
class Stopped(JobMessage):
    """The job ended because of a `Stop`."""


@dataclass(frozen=True, kw_only=True)
class Failed(JobMessage):
    """The job ended by an error of its own; reason is one sentence, detail the traceback.

    kind: "diverged" for a loss that is no number, "memory" for too little of it on device or host, "room"
    for a full disk where the job leaves its files. After "memory" and "error" the worker is of no more use: memory
    stays taken, and after an error of CUDA every further call fails.
    """

    reason: str
    detail: str
    kind: Literal["diverged", "memory", "room", "error"] = "error"


Message = Ready | Train | Stop | EpochEnd | Resumed | Saved | Note | Finished | Stopped | Failed


def _adapter(kind: Any) -> TypeAdapter[list[Message]]:
    return TypeAdapter(list[kind], config=ConfigDict(extra="forbid"))  # for a dataclass itself it takes no config


_ADAPTERS = {kind.__name__: _adapter(kind) for kind in get_args(Message)}


def to_line(message: Message) -> str:
    """The message as one line, newline included."""
    return json.dumps({"message": type(message).__name__} | asdict(message)) + "\n"


def from_line(line: str) -> Message:
    """The message of a line. Raises ValueError for anything that is none."""
    value = json.loads(line)
    if not isinstance(value, dict) or str(value.get("message")) not in _ADAPTERS:
        raise ValueError(f"a message was expected, got {line[:80]!r}")
    return _ADAPTERS[value.pop("message")].validate_python([value])[0]
