"""Dice beside IoU: torchmetrics' numbers, a count pixel by pixel in float64, and the same rule on excluded classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_f1_score

from search.training.confusion import confusion_matrix
from search.training.metrics import mean_dice, mean_dice_strict, scores
from spaces.facts import DataFacts


def by_counting(truth: NDArray[np.int64], prediction: NDArray[np.int64], label: int) -> float:
    """2 |T and P| / (|T| + |P|), as scikit-learn's f1_score with zero_division=nan."""
    both = np.float64(((truth == label) & (prediction == label)).sum())
    either = np.float64((truth == label).sum() + (prediction == label).sum())
    return float(2 * both / either) if either else math.nan


@pytest.mark.parametrize("seed", range(12))
def test_dice_is_what_is_counted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 7))
    present = rng.choice(classes, rng.integers(1, classes + 1), replace=False)  # the others occur nowhere
    truth, prediction = (rng.choice(present, (3, 9, 11)) for _ in range(2))
    names = tuple(f"c{k}" for k in range(classes))
    excluded = tuple(rng.choice(names, rng.integers(0, classes), replace=False).tolist())
    facts = DataFacts(channels=1, height=9, width=11, class_names=names, excluded=excluded)
    result = scores(confusion_matrix(torch.tensor(prediction), torch.tensor(truth), classes), facts)

    counted = [k for k in range(classes) if k not in facts.excluded_labels]
    kept = ~np.isin(truth, facts.excluded_labels)
    strict = [by_counting(truth, prediction, k) for k in range(classes)]
    lenient = [by_counting(truth[kept], prediction[kept], k) if k in counted else math.nan for k in range(classes)]
    assert result.dice == pytest.approx(lenient, nan_ok=True, rel=1e-12)
    assert result.dice_strict == pytest.approx(strict, nan_ok=True, rel=1e-12)
    for mean, values in ((mean_dice, lenient), (mean_dice_strict, [strict[k] for k in counted])):
        known = [value for value in values if not math.isnan(value)]
        expected = sum(known) / len(known) if known else math.nan
        assert mean(result, facts) == pytest.approx(expected, nan_ok=True, rel=1e-12)


def test_dice_is_torchmetrics_f1() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 4, (4, 20, 30), generator=generator)
    prediction = torch.where(torch.rand(truth.shape, generator=generator) < 0.6, truth, truth.flip(-1))
    facts = DataFacts(channels=1, height=20, width=30, class_names=tuple("abcd"))
    result = scores(confusion_matrix(prediction, truth, 4), facts)
    expected = multiclass_f1_score(prediction.flatten(), truth.flatten(), num_classes=4, average="none")
    assert result.dice == result.dice_strict == pytest.approx(expected.tolist())
    assert mean_dice(result, facts) == pytest.approx(float(expected.mean()))
