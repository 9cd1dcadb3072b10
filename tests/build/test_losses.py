"""Losses agree with float64 references written as loops, and with other libraries where they compute the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from spaces.build.losses import IGNORED, build_loss, cross_entropy, dice, focal
from spaces.facts import DataFacts
from spaces.recipe import Focal, Loss, Term


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


def pixels(logits: np.ndarray, target: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """(probabilities, label) of each pixel that counts."""
    counted = ((at, int(label)) for at, label in np.ndenumerate(target) if label != IGNORED)
    return [(softmax(logits[at[0], :, at[1], at[2]]), label) for at, label in counted]


def reference_focal(logits: np.ndarray, target: np.ndarray, weights: np.ndarray, gamma: float) -> float:
    total = mass = 0.0
    for p, label in pixels(logits, target):
        total += weights[label] * (1 - p[label]) ** gamma * -math.log(p[label])
        mass += weights[label]
    return total / mass if mass else 0.0


def reference_dice(logits: np.ndarray, target: np.ndarray, weights: np.ndarray) -> float:
    counted = pixels(logits, target)
    total = mass = 0.0
    for k, weight in enumerate(weights):
        truth = sum(label == k for _, label in counted)
        if truth:
            both = sum(p[k] for p, label in counted if label == k)
            total += weight * (1 - 2 * both / (sum(p[k] for p, _ in counted) + truth))
            mass += weight
    return total / mass if mass else 0.0


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits, a target with absent classes and uncounted pixels, weights some of which may be zero."""
    classes = draw(st.integers(2, 6))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = rng.normal(0, draw(st.sampled_from([0.1, 1.0, 6.0])), (shape[0], classes, *shape[1:]))
    labels = draw(st.lists(st.sampled_from([IGNORED, *range(classes)]), min_size=1, max_size=classes + 1))
    weights = np.array(draw(st.lists(st.sampled_from([0.0, 0.1, 1.0, 7.5]), min_size=classes, max_size=classes)))
    return logits, rng.choice(labels, shape), weights


def tensors(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits, target, weights = case
    return torch.tensor(logits, requires_grad=True), torch.tensor(target), torch.tensor(weights)


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_cross_entropy_agrees_with_the_reference(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, target, weights = tensors(case)
    loss = cross_entropy(logits, target, weights)
    loss.backward()
    assert loss.item() == pytest.approx(reference_focal(*case, gamma=0.0), abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@settings(deadline=None, max_examples=60)
@given(case=cases(), gamma=st.floats(0.5, 5.0))
def test_focal_agrees_with_the_reference(case: tuple[np.ndarray, np.ndarray, np.ndarray], gamma: float) -> None:
    logits, target, weights = tensors(case)
    loss = focal(logits, target, weights, gamma)
    loss.backward()
    assert loss.item() == pytest.approx(reference_focal(*case, gamma=gamma), abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_dice_agrees_with_the_reference(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    logits, target, weights = tensors(case)
    loss = dice(logits, target, weights)
    loss.backward()
    assert loss.item() == pytest.approx(reference_dice(*case), abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@settings(deadline=None, max_examples=60)
@given(case=cases(), excluded=st.booleans(), ignore=st.booleans(), terms=st.tuples(*[st.floats(0.05, 1.0)] * 3))
def test_the_sum_agrees_with_the_reference(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], excluded: bool, ignore: bool, terms: tuple[float, float, float]
) -> None:
    logits, target, weights = case
    facts = DataFacts(
        channels=1, height=8, width=8, class_names=tuple(f"c{k}" for k in range(len(weights))), excluded=("c0",)
    )
    section = Loss(
        cross_entropy=Term(weight=terms[0]),
        dice=Term(weight=terms[1]),
        focal=Focal(weight=terms[2], gamma=2.0),
        ignore_excluded=excluded,
    )
    labels = np.where(target == IGNORED, 255, target) if ignore else np.where(target == IGNORED, 1, target)
    loss = build_loss(section, torch.tensor(weights), facts, 255 if ignore else None)

    counted = np.where((labels == 255) | (excluded & (labels == 0)), IGNORED, labels)
    single = weights.astype(np.float32).astype(np.float64)
    parts = (
        reference_focal(logits, counted, single, 0.0),
        reference_dice(logits, counted, single),
        reference_focal(logits, counted, single, 2.0),
    )
    expected = sum(share * part for share, part in zip(terms, parts, strict=True)) / sum(terms)
    assert float(loss(torch.tensor(logits), torch.tensor(labels))) == pytest.approx(expected, abs=1e-6)


def random_case(classes: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, classes, 9, 11, generator=generator, dtype=torch.float64) * 2
    return logits, torch.randint(0, classes, (3, 9, 11), generator=generator)


def test_cross_entropy_is_torchs() -> None:
    logits, target = random_case()
    target[0] = IGNORED
    weights = torch.tensor([0.2, 1.0, 3.0, 0.5, 9.0], dtype=torch.float64)
    torch.testing.assert_close(
        cross_entropy(logits, target, weights), functional.cross_entropy(logits, target, weight=weights)
    )


def test_focal_is_kornias() -> None:
    kornia = pytest.importorskip("kornia.losses")
    logits, target = random_case()
    # kornia's mean also runs over the classes, where all but the true one are 0
    expected = 5 * kornia.focal_loss(logits, target, alpha=None, gamma=1.7, reduction="mean")
    torch.testing.assert_close(focal(logits, target, torch.ones(5, dtype=torch.float64), 1.7), expected)


def test_dice_is_monais() -> None:
    losses = pytest.importorskip("monai.losses")
    logits, target = random_case()
    expected = losses.DiceLoss(softmax=True, to_onehot_y=True, batch=True, smooth_nr=0, smooth_dr=0)(
        logits, target[:, None]
    )
    torch.testing.assert_close(dice(logits, target, torch.ones(5, dtype=torch.float64)), expected)


def test_focal_survives_a_certain_pixel() -> None:
    """At p = 1 the slope of (1 - p) ** 0.5 is infinite: the gradient must not become NaN."""
    logits = torch.tensor([[[[200.0]], [[0.0]]]], requires_grad=True)
    focal(logits, torch.zeros(1, 1, 1, dtype=torch.int64), torch.ones(2), 0.5).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_weights_must_be_one_per_class() -> None:
    facts = DataFacts(channels=1, height=8, width=8, class_names=("a", "b"))
    with pytest.raises(ValueError, match=r"weights have shape \(3,\), expected one for each of 2 classes"):
        build_loss(Loss(), torch.ones(3), facts, None)
