"""The head of a model card: the YAML that the Hugging Face Hub files a model by, and shows its scores from.

https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

import math
from typing import Any

import yaml

from search.outcome.contents import BundleContents
from search.outcome.leaderboard import summarise
from search.training.metrics import mean_dice, mean_dice_strict

TASK = "image-segmentation"
UNKNOWN = "unknown"  # the Hub's word for a licence that nobody has named


def write_metadata(contents: BundleContents) -> str:
    """The metadata between two lines of dashes, with an empty line behind."""
    text = yaml.safe_dump(metadata(contents), sort_keys=False, allow_unicode=True, width=1000)
    return f"---\n{text}---\n\n"


def metadata(contents: BundleContents) -> dict[str, Any]:
    """What the Hub knows of the model; scores that are undefined are left out."""
    family = contents.recipe.model.family
    return {
        "library_name": "marsearch",
        "pipeline_tag": TASK,
        "license": UNKNOWN,
        "tags": [TASK, "semantic-segmentation", "onnx", family],
        "metrics": ["mean_iou", "accuracy"],
        "model-index": [{"name": summarise(contents.recipe), "results": _results(contents)}],
    }


def _results(contents: BundleContents) -> list[dict[str, Any]]:
    parts = {"validation": contents.scores}
    if contents.holdout is not None:
        parts["holdout"] = contents.holdout.scores
    results = []
    for part, scores in parts.items():
        known = {
            ("mean_iou", "Mean IoU"): scores.miou,
            ("mean_iou", "Mean IoU, strict"): scores.miou_strict,
            ("dice", "Mean Dice"): mean_dice(scores, contents.facts),
            ("dice", "Mean Dice, strict"): mean_dice_strict(scores, contents.facts),
            ("accuracy", "Pixel accuracy"): scores.accuracy,
        }
        metrics = [
            {"type": kind, "name": name, "value": round(value, 6)}
            for (kind, name), value in known.items()
            if math.isfinite(value)
        ]
        data = {"type": "custom", "name": f"data set {contents.data_digest[:12]}", "split": part}
        if metrics:
            results.append({"task": {"type": TASK, "name": "Image segmentation"}, "dataset": data, "metrics": metrics})
    return results
