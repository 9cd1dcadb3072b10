"""Both mean IoU agree with torchmetrics and with a reference counted pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from search.training.confusion import _added_up, confusion_matrix, count_cells
from search.training.metrics import scores
from spaces.facts import DataFacts
from support.examples import examples

Case = tuple[np.ndarray, np.ndarray, DataFacts, int | None]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Targets and prediction (n,) with absent classes, pixels to ignore and excluded classes."""
    classes = draw(st.integers(2, 6))
    names = tuple(f"c{k}" for k in range(classes))
    excluded = tuple(draw(st.lists(st.sampled_from(names), max_size=classes - 1, unique=True)))
    ignore = draw(st.sampled_from([None, 255, 0]))
    label = st.sampled_from(draw(st.lists(st.integers(0, classes - 1), min_size=1, max_size=classes)))
    size = draw(st.integers(1, 30))
    truth = draw(st.lists(label | (st.just(ignore) if ignore is not None else label), min_size=size, max_size=size))
    prediction = draw(st.lists(st.integers(0, classes - 1), min_size=size, max_size=size))
    facts = DataFacts(channels=1, height=8, width=8, class_names=names, excluded=excluded)
    return np.array(truth, np.uint8), np.array(prediction, np.uint8), facts, ignore


def reference_iou(pairs: list[tuple[int, int]], label: int) -> float:
    both = sum(t == label and p == label for t, p in pairs)
    either = sum(t == label or p == label for t, p in pairs)
    return both / either if either else math.nan


def reference_mean(values: list[float]) -> float:
    present = [value for value in values if not math.isnan(value)]
    return sum(present) / len(present) if present else math.nan


def scored(case: Case):
    truth, prediction, facts, ignore = case
    counts = confusion_matrix(torch.tensor(prediction), torch.tensor(truth), facts.classes, ignore)
    return scores(counts, facts)


@settings(deadline=None, max_examples=examples(150))
@given(case=cases())
def test_scores_agree_with_the_reference(case: Case) -> None:
    truth, prediction, facts, ignore = case
    result = scored(case)
    pairs = [(int(t), int(p)) for t, p in zip(truth, prediction, strict=True) if t != ignore]
    kept = [(t, p) for t, p in pairs if t not in facts.excluded_labels]
    counted = [k for k in range(facts.classes) if k not in facts.excluded_labels]

    lenient = [reference_iou(kept, k) if k in counted else math.nan for k in range(facts.classes)]
    strict = [reference_iou(pairs, k) for k in range(facts.classes)]
    assert result.iou == pytest.approx(lenient, nan_ok=True)
    assert result.iou_strict == pytest.approx(strict, nan_ok=True)
    assert result.miou == pytest.approx(reference_mean(lenient), nan_ok=True)
    assert result.miou_strict == pytest.approx(reference_mean([strict[k] for k in counted]), nan_ok=True)
    right = sum(t == p for t, p in pairs) / len(pairs) if pairs else math.nan
    assert result.accuracy == pytest.approx(right, nan_ok=True)
    assert sum(map(sum, result.confusion)) == len(pairs)


def test_both_forms_are_torchmetrics() -> None:
    jaccard = pytest.importorskip("torchmetrics.functional.classification").multiclass_jaccard_index
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 5, (4, 20, 30), generator=generator)
    prediction = torch.where(torch.rand(truth.shape, generator=generator) < 0.6, truth, truth.flip(-1))
    facts = DataFacts(channels=1, height=20, width=30, class_names=tuple("abcde"), excluded=("a",))
    result = scores(confusion_matrix(prediction, truth, 5), facts)
    lenient = jaccard(prediction, truth, num_classes=5, average="none", ignore_index=0)[1:]
    strict = jaccard(prediction, truth, num_classes=5, average="none")
    assert result.iou[1:] == pytest.approx(lenient.tolist())
    assert result.iou_strict == pytest.approx(strict.tolist())
    assert result.miou == pytest.approx(float(lenient.mean()))
    assert result.miou_strict == pytest.approx(float(strict[1:].mean()))


def test_by_hand() -> None:
    """Targets 0 0 1 1 2, prediction 0 1 1 2 2 with class 0 excluded; class 3 occurs nowhere."""
    facts = DataFacts(channels=1, height=8, width=8, class_names=("a", "b", "c", "d"), excluded=("a",))
    result = scores(confusion_matrix(torch.tensor([0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 1, 2]), 4), facts)
    assert result.confusion == ((1, 1, 0, 0), (0, 1, 1, 0), (0, 0, 1, 0), (0, 0, 0, 0))
    assert result.iou == pytest.approx((math.nan, 1 / 2, 1 / 2, math.nan), nan_ok=True)
    assert result.iou_strict == pytest.approx((1 / 2, 1 / 3, 1 / 2, math.nan), nan_ok=True)
    assert (result.miou, result.miou_strict) == (pytest.approx(1 / 2), pytest.approx(5 / 12))
    assert result.accuracy == pytest.approx(3 / 5)


def test_the_matrix_may_come_from_a_file() -> None:
    facts = DataFacts(channels=1, height=8, width=8, class_names=("a", "b"), excluded=())
    assert scores(((3, 1), (0, 4)), facts) == scores(np.array([[3, 1], [0, 4]]), facts)


@pytest.mark.parametrize("cells", [1, 5, 26])
def test_a_gpu_which_is_not_asked_for_the_largest_number_counts_the_same(cells: int) -> None:
    cell = torch.randint(cells, (3, 40, 50), generator=torch.Generator().manual_seed(0))
    expected = count_cells(cell, cells)
    assert torch.equal(_added_up(cell.flatten(), cells), expected)
    assert expected.sum() == cell.numel()
