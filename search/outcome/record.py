"""``metrics.json``: what was measured of a bundle's network, and the facts it needs to be built again."""

from __future__ import annotations

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from search.errors import BundleError
from search.outcome.contents import BundleContents
from search.outcome.evaluation import constant_document, number
from search.outcome.manifest import METRICS
from search.outcome.onnx_file import OnnxFile
from search.outcome.pictures.colours import class_colours
from search.training.metrics import mean_dice, mean_dice_strict
from spaces.facts import DataFacts
from storage.data.quality.scale import Pixels

LARGEST = 8_000_000  # bytes; 255 classes and 2,000 epochs stay below 1,000,000
_LIBRARIES = ("marsearch", "torch", "numpy", "onnxruntime", "safetensors", "pydantic", "optuna")


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """What ``metrics.json`` says.

    facts: channels, size and classes of the data.
    mean, std: per channel, in the data's own scale.
    ignore_label: label of pixels that count nowhere; None if there is none.
    pixels: the numbers in the images of its data; None in a record of a version that did not say.
    metrics: the whole document, with None where a number is undefined.
    """

    facts: DataFacts
    mean: tuple[float, ...]
    std: tuple[float, ...]
    ignore_label: int | None
    pixels: Pixels | None
    metrics: Mapping[str, Any]


def write_record(contents: BundleContents, parameters: int, onnx: OnnxFile) -> str:
    """The text of ``metrics.json``; an undefined number (NaN) is null.

    parameters: the number of trainable numbers in the network. onnx: what was written beside it.
    """
    scores, names = contents.scores, contents.facts.class_names
    document = {
        "miou": number(scores.miou),
        "miou_strict": number(scores.miou_strict),
        "accuracy": number(scores.accuracy),
        "iou": _named(names, scores.iou),
        "iou_strict": _named(names, scores.iou_strict),
        "mean_dice": number(mean_dice(scores, contents.facts)),
        "mean_dice_strict": number(mean_dice_strict(scores, contents.facts)),
        "dice": _named(names, scores.dice),
        "dice_strict": _named(names, scores.dice_strict),
        "constant": constant_document(contents.validation.constant),
        "holdout": None if contents.holdout is None else {"looks": contents.looks, **contents.holdout.document()},
        "confusion": [list(row) for row in scores.confusion],
        "parameters": parameters,
        "background_threshold": background_threshold(contents),
        "offsets": class_offsets(contents) or None,
        "epoch": contents.epoch,
        "study": contents.study,
        "trial": contents.trial,
        "data_digest": contents.data_digest,
        "validation_images": len(contents.validation_images),
        "facts": contents.facts.model_dump(mode="json"),
        "colours": dict(zip(names, class_colours(contents.facts), strict=True)),
        "ignore_label": contents.ignore_label,
        "onnx": onnx.document(),
        "data": None if contents.report is None else contents.report.model_dump(mode="json"),
        "pixels": asdict(contents.pixels),
        "mirrors": list(contents.recipe.augment.mirrors),
        "normalisation": {"mean": list(contents.mean), "std": list(contents.std)},
        "curve": [epoch.point() for epoch in contents.curve],
        "versions": library_versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def read_record(content: bytes) -> Record:
    """Read ``metrics.json``. Raises BundleError when it lacks what the network is built from."""
    try:
        metrics = json.loads(content)
        scale = metrics["normalisation"]
        facts = DataFacts.model_validate_json(json.dumps(metrics["facts"]))
        mean, std = (tuple(float(value) for value in scale[key]) for key in ("mean", "std"))
        ignore_label = metrics["ignore_label"]
        pixels = _pixels(metrics["pixels"]) if "pixels" in metrics else None
        if not all(map(math.isfinite, (*mean, *std))) or not (ignore_label is None or isinstance(ignore_label, int)):
            raise ValueError("a number was expected")
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        wanted = "facts, normalisation and ignore_label were expected"
        raise BundleError(f"{METRICS} is not as marsearch writes it ({wanted}): export the bundle again") from error
    return Record(facts=facts, mean=mean, std=std, ignore_label=ignore_label, pixels=pixels, metrics=metrics)


def _pixels(document: Mapping[str, Any]) -> Pixels:
    return Pixels(**{**document, "void": tuple(document["void"])})


def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries that a result can depend on; what is not installed is left out."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def background_threshold(contents: BundleContents) -> float | None:
    """The probability above which the background network's word counts; None without such a network."""
    logit = contents.weights.get("threshold")
    return None if logit is None else number(float(logit.double().sigmoid()))


def class_offsets(contents: BundleContents) -> dict[str, float]:
    """What is added to the logits of a class, of those where it is not 0."""
    offsets = contents.weights.get("offsets")
    if offsets is None:
        return {}
    values = (round(offset, 2) for offset in offsets.flatten().tolist())
    return {name: value for name, value in zip(contents.facts.class_names, values, strict=True) if value}


def _named(names: Sequence[str], values: Sequence[float]) -> dict[str, float | None]:
    return {name: number(value) for name, value in zip(names, values, strict=True)}
