"""The head of a bundle's README.md, as the Hugging Face Hub reads it; what the Hub adds to a folder does no harm."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from search.outcome.bundle import BundleContents, load_bundle
from search.outcome.card.metadata import write_metadata
from search.outcome.evaluation import Evaluation
from search.training.metrics import mean_dice, scores


def test_the_hub_reads_what_the_model_is_and_how_good_it_is(bundle: Path, contents: BundleContents) -> None:
    card = ModelCard.load(bundle / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("marsearch", "image-segmentation")
    assert card.data.license == "unknown"
    assert {"image-segmentation", "onnx", "unet"} <= set(card.data.tags)
    assert card.text.lstrip().startswith("# Segmentation network")
    found = {(each.metric_type, each.metric_name): each.metric_value for each in card.data.eval_results}
    assert found["mean_iou", "Mean IoU"] == pytest.approx(contents.scores.miou, abs=1e-6)
    assert found["dice", "Mean Dice"] == pytest.approx(mean_dice(contents.scores, contents.facts), abs=1e-6)
    (result,) = {(each.task_type, each.dataset_split, each.dataset_name) for each in card.data.eval_results}
    assert result == ("image-segmentation", "validation", f"data set {'d' * 12}")
    assert card.data.model_name.startswith("unet d2 f4")


def test_the_holdout_has_results_of_its_own_and_what_is_undefined_has_none(contents: BundleContents) -> None:
    nothing = scores([[0] * 3] * 3, contents.facts)
    held = Evaluation(facts=contents.facts, scores=contents.scores, images=3)
    card = ModelCard(write_metadata(dataclasses.replace(contents, scores=nothing, holdout=held)))
    assert {each.dataset_split for each in card.data.eval_results} == {"holdout"}


def test_a_bundle_that_came_from_the_hub_is_read(bundle: Path, tmp_path: Path) -> None:
    (bundle / ".gitattributes").write_text("*.safetensors filter=lfs")
    (bundle / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (bundle / ".cache" / "huggingface" / "download" / "README.md.metadata").write_text("x")
    load_bundle(bundle)
    snapshot = tmp_path / "snapshot"  # the Hub's cache holds links to files that are named by their contents
    for file in (path for path in bundle.rglob("*") if path.is_file()):
        link = snapshot / file.relative_to(bundle)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    load_bundle(snapshot)
