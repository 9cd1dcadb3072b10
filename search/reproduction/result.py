"""One training of `marsearch reproduce`, kept as a JSON file: what it was, what it reached, or why it failed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search.outcome.atomic import replacing
from search.training.epoch import EpochRecord

if TYPE_CHECKING:
    from search.training.metrics import Scores
    from spaces.facts import DataFacts

DIVERGED = "Diverged"  # how the reason of a training begins whose loss was no number any more


@dataclass(frozen=True, kw_only=True)
class Result:
    """How one training ended.

    name: preset with seed or fold, such as ``c1-dice-seed0`` or ``c1-dice-fold2of3``; see `result_path`.
    digest: sha256 of the recipe, the data set and the indices of both parts: equal digests, equal training.
    recipe: YAML text. device: as torch names it.
    best, last: the epoch of the highest lenient mIoU on validation, and the last one; None after a failure.
    best_epoch: its number, from 1; 0 after a failure. curve: all epochs there were.
    parameters: trainable numbers of the network. seconds: of training and validation, start-up not counted.
    failure: one sentence; "" for a training that ran to its end.
    """

    name: str
    digest: str
    data_digest: str
    recipe: str
    device: str
    best: Scores | None
    last: Scores | None
    best_epoch: int
    curve: tuple[EpochRecord, ...]
    parameters: int
    seconds: float
    failure: str

    @property
    def final(self) -> bool:
        """Whether the same training again would end the same: a crash may have been the machine's fault."""
        return not self.failure or self.failure.startswith(DIVERGED)


def result_path(folder: Path, name: str, digest: str) -> Path:
    """Where the result of a training is kept; trainings of other budgets lie beside it under other digests."""
    return folder / f"{name}-{digest[:8]}.json"


def write_result(folder: Path, result: Result) -> Path:
    """Write the result whole or not at all, and return its path. Raises OSError."""
    path = result_path(folder, result.name, result.digest)
    folder.mkdir(parents=True, exist_ok=True)
    document = asdict(result) | {
        "best": _scores_as_dict(result.best),
        "last": _scores_as_dict(result.last),
        "curve": [epoch.point() for epoch in result.curve],
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
    return path


def read_result(folder: Path, name: str, digest: str, facts: DataFacts) -> Result | None:
    """The result of exactly this training; None when there is none, or when its file is not whole.

    The scores are computed again from the confusion matrices.
    """
    try:
        document = json.loads(result_path(folder, name, digest).read_text("utf-8"))
        result = _result(document, facts)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return result if result.digest == digest else None


def _result(document: Mapping[str, Any], facts: DataFacts) -> Result:
    plain = ("name", "digest", "data_digest", "recipe", "device", "best_epoch", "parameters", "seconds", "failure")
    return Result(
        best=_scores(document["best"], facts),
        last=_scores(document["last"], facts),
        curve=tuple(EpochRecord(**_with_nan(point)) for point in document["curve"]),
        **{name: document[name] for name in plain},
    )


def _scores(document: Mapping[str, Any] | None, facts: DataFacts) -> Scores | None:
    from search.training.metrics import scores

    return None if document is None else scores(tuple(tuple(row) for row in document["confusion"]), facts)


def _scores_as_dict(scores: Scores | None) -> dict[str, Any] | None:
    if scores is None:
        return None
    document = _without_nan(asdict(scores))
    return document | {name: [_number(value) for value in document[name]] for name in ("iou", "iou_strict")}


def _without_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in values.items()}
