"""What host and child say to each other: one JSON document a line, each carrying its job.

The protocol, for one child:

- the child says `Ready` once, when it can take a job;
- the host sends `Train`; the child answers `Trained` (one an epoch) and closes the job with exactly one of
  `Finished`, `Stopped`, `Failed`;
- the host may send `Stop` at any time: it is sticky for its job, and a job that has finished by then stays finished;
- the child never waits for the host, it only looks whether a `Stop` has come;
- the end of the child's input means that the host is gone: the child exits at once.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal


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
class Finished:
    """The training ran to its end; `weights.safetensors` and `panel.npz` of the best epoch lie in the job's `out`.

    best: number of the best epoch.
    """

    job: int
    best: int


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The job ended because the host said so."""

    job: int


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job ended by an error of its own; reason is one sentence, detail the traceback."""

    job: int
    reason: str
    detail: str


Message = Ready | Train | Stop | Trained | Finished | Stopped | Failed
_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Ready, Train, Stop, Trained, Finished, Stopped, Failed)
}


def to_line(message: Message) -> str:
    """The message as one line, newline included."""
    return json.dumps({"kind": type(message).__name__} | asdict(message)) + "\n"


def from_line(line: str) -> Message:
    """The message of a line. Raises ValueError for anything that is none."""
    value = json.loads(line)
    if not isinstance(value, dict) or value.get("kind") not in _KINDS:
        raise ValueError(f"a message was expected, got {line[:80]!r}")
    return _KINDS[value.pop("kind")](**{name: _frozen(field) for name, field in value.items()})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
