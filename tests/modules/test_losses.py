"""Losses agree with float64 references written as loops, and with other libraries where they compute the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from spaces.modules.losses.boundary import boundary, signed_distances
from spaces.modules.losses.lovasz import BINS, lovasz
from spaces.modules.losses.overlap import dice, tversky
from spaces.modules.losses.targets import IGNORED
from spaces.modules.losses.terms import bce, cross_entropy, focal, mae
from support.examples import examples

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
Pixels = list[tuple[np.ndarray, int]]


def softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max())
    return e / e.sum()


def counted_pixels(logits: np.ndarray, target: np.ndarray) -> Pixels:
    """(logits, label) of each pixel that counts."""
    counted = ((at, int(label)) for at, label in np.ndenumerate(target) if label != IGNORED)
    return [(logits[at[0], :, at[1], at[2]], label) for at, label in counted]


def mean_over_pixels(loss: Callable[[np.ndarray, int], float], case: Case) -> float:
    logits, target, weights = case
    total = mass = 0.0
    for z, label in counted_pixels(logits, target):
        total += weights[label] * loss(z, label)
        mass += weights[label]
    return total / mass if mass else 0.0


def mean_over_classes(loss: Callable[[Pixels, int], float], case: Case) -> float:
    logits, target, weights = case
    pixels = [(softmax(z), label) for z, label in counted_pixels(logits, target)]
    total = mass = 0.0
    for k, weight in enumerate(weights):
        if any(label == k for _, label in pixels):
            total += weight * loss(pixels, k)
            mass += weight
    return total / mass if mass else 0.0


def focal_of_pixel(z: np.ndarray, label: int, gamma: float) -> float:
    p = softmax(z)[label]
    return (1 - p) ** gamma * -math.log(p)


def bce_of_pixel(z: np.ndarray, label: int) -> float:
    s = [1 / (1 + math.exp(-x)) for x in z]
    return -sum(math.log(s_k) if k == label else math.log(1 - s_k) for k, s_k in enumerate(s))


def mae_of_pixel(z: np.ndarray, label: int) -> float:
    return float(np.mean([abs(p - (k == label)) for k, p in enumerate(softmax(z))]))


def tversky_of_class(pixels: Pixels, k: int, a: float, b: float) -> float:
    hits = sum(p[k] for p, label in pixels if label == k)
    wrong = sum(p[k] for p, label in pixels if label != k)
    missed = sum(1 - p[k] for p, label in pixels if label == k)
    return 1 - hits / (hits + a * wrong + b * missed)


def dice_of_class(pixels: Pixels, k: int) -> float:
    hits = sum(p[k] for p, label in pixels if label == k)
    return 1 - 2 * hits / (sum(p[k] for p, _ in pixels) + sum(label == k for _, label in pixels))


def lovasz_of_class(pixels: Pixels, k: int) -> float:
    """Each error, from the worst, times what it adds to the Jaccard loss |M| / |class or M| of the worst pixels M."""
    region = {i for i, (_, label) in enumerate(pixels) if label == k}
    errors = [1 - p[k] if label == k else p[k] for p, label in pixels]
    worst: set[int] = set()
    total = before = 0.0
    for i in sorted(range(len(pixels)), key=lambda i: -errors[i]):
        worst.add(i)
        jaccard = len(worst) / len(region | worst)
        total += errors[i] * (jaccard - before)
        before = jaccard
    return total


def pooled_dice(case: Case) -> float:
    logits, target, weights = case
    pixels = [(softmax(z), label) for z, label in counted_pixels(logits, target)]
    if not any(weights[label] for _, label in pixels):
        return 0.0
    both = sum(weights[label] * p[label] for p, label in pixels)
    size = sum(weights[k] * (p[k] + (label == k)) for p, label in pixels for k in range(len(weights)))
    return 1 - 2 * both / size


TERMS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "bce": bce,
    "focal 0.5": partial(focal, gamma=0.5),
    "focal 2": partial(focal, gamma=2.0),
    "focal 5": partial(focal, gamma=5.0),
    "mae": mae,
    "dice per class": dice,
    "dice pooled": partial(dice, average="pooled"),
    "tversky": partial(tversky, false_positives=0.3, false_negatives=0.7),
    "tversky of Jaccard": partial(tversky, false_positives=1.0, false_negatives=1.0),
    "lovasz": lovasz,
    "boundary": lambda logits, target, weights: boundary(
        logits, target, weights, signed_distances(target, logits.shape[1]).to(logits.dtype)
    ),
}

REFERENCES: dict[str, Callable[[Case], float]] = {
    "cross_entropy": partial(mean_over_pixels, partial(focal_of_pixel, gamma=0.0)),
    "bce": partial(mean_over_pixels, bce_of_pixel),
    "focal 0.5": partial(mean_over_pixels, partial(focal_of_pixel, gamma=0.5)),
    "focal 2": partial(mean_over_pixels, partial(focal_of_pixel, gamma=2.0)),
    "focal 5": partial(mean_over_pixels, partial(focal_of_pixel, gamma=5.0)),
    "mae": partial(mean_over_pixels, mae_of_pixel),
    "dice per class": partial(mean_over_classes, dice_of_class),
    "dice pooled": pooled_dice,
    "tversky": partial(mean_over_classes, partial(tversky_of_class, a=0.3, b=0.7)),
    "tversky of Jaccard": partial(mean_over_classes, partial(tversky_of_class, a=1.0, b=1.0)),
    "lovasz": partial(mean_over_classes, lovasz_of_class),
}

each_term = pytest.mark.parametrize("name", TERMS)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Logits, a target with absent classes and uncounted pixels, weights some of which may be zero."""
    classes = draw(st.integers(2, 6))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    logits = rng.normal(0, draw(st.sampled_from([0.1, 1.0, 6.0])), (shape[0], classes, *shape[1:]))
    labels = draw(st.lists(st.sampled_from([IGNORED, *range(classes)]), min_size=1, max_size=classes + 1))
    weights = np.array(draw(st.lists(st.sampled_from([0.0, 0.1, 1.0, 7.5]), min_size=classes, max_size=classes)))
    return logits, rng.choice(labels, shape), weights


def tensors(case: Case) -> tuple[Tensor, Tensor, Tensor]:
    logits, target, weights = case
    return torch.tensor(logits, requires_grad=True), torch.tensor(target), torch.tensor(weights)


def gradient(loss: Tensor, logits: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, logits)
    return found


def random_case(classes: int = 5, images: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Every class in every image; weights all different."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(images, classes, 9, 11, generator=generator, dtype=torch.float64) * 2
    target = torch.randint(0, classes, (images, 9, 11), generator=generator)
    return logits, target, torch.tensor([0.2, 1.0, 3.0, 0.5, 9.0], dtype=torch.float64)[:classes]


@pytest.mark.parametrize("name", REFERENCES)
def test_each_term_agrees_with_its_reference(name: str) -> None:
    @settings(deadline=None, max_examples=examples(40))
    @given(case=cases())
    def agrees(case: Case) -> None:
        logits, target, weights = tensors(case)
        loss = TERMS[name](logits, target, weights)
        assert loss.shape == ()
        near = 1 / BINS if name == "lovasz" else 1e-6  # errors that close together count as equal
        assert loss.item() == pytest.approx(REFERENCES[name](case), rel=1e-9, abs=near)
        assert gradient(loss, logits).isfinite().all()

    agrees()


@each_term
def test_pixels_that_do_not_count_have_no_say(name: str) -> None:
    @settings(deadline=None, max_examples=examples(15))
    @given(case=cases())
    def holds(case: Case) -> None:
        logits, target, weights = tensors(case)
        outside = (target == IGNORED)[:, None].expand_as(logits)
        loss = TERMS[name](logits, target, weights)
        assert gradient(loss, logits)[outside].abs().sum() == 0
        other = torch.where(outside, 50 * torch.cos(logits.detach() * 1e3), logits.detach())
        assert TERMS[name](other, target, weights).item() == loss.item()

    holds()


@each_term
@pytest.mark.parametrize("nothing", ["no pixel counts", "no class weighs"])
def test_a_term_is_zero_with_zero_gradients_when_nothing_counts(name: str, nothing: str) -> None:
    logits, target, weights = random_case()
    logits.requires_grad_()
    if nothing == "no pixel counts":
        target = torch.full_like(target, IGNORED)
    else:
        weights = torch.zeros_like(weights)
    loss = TERMS[name](logits, target, weights)
    assert loss.item() == 0
    assert gradient(loss, logits).abs().sum() == 0


@each_term
def test_only_the_ratio_of_the_weights_matters(name: str) -> None:
    logits, target, weights = random_case()
    torch.testing.assert_close(TERMS[name](logits, target, weights), TERMS[name](logits, target, weights * 17.0))


@each_term
def test_the_order_of_the_classes_does_not_matter(name: str) -> None:
    logits, target, weights = random_case()
    target[0, :3] = IGNORED
    order = torch.tensor([3, 0, 4, 1, 2])
    renamed = torch.where(target == IGNORED, IGNORED, order.argsort()[target.clamp_min(0)])
    torch.testing.assert_close(
        TERMS[name](logits[:, order], renamed, weights[order]), TERMS[name](logits, target, weights)
    )


@pytest.mark.parametrize("name", sorted(set(TERMS) - {"boundary"}))
@settings(deadline=None, max_examples=examples(10))
@given(seed=st.integers(0, 2**32))
def test_the_order_of_the_pixels_does_not_matter(name: str, seed: int) -> None:
    logits, target, weights = random_case()
    target[0, :3] = IGNORED
    order = torch.randperm(target.numel(), generator=torch.Generator().manual_seed(seed))
    shuffled = logits.transpose(0, 1).flatten(1)[:, order].reshape(5, 3, 9, 11).transpose(0, 1)
    torch.testing.assert_close(
        TERMS[name](shuffled, target.flatten()[order].reshape(3, 9, 11), weights), TERMS[name](logits, target, weights)
    )


@settings(deadline=None, max_examples=examples(60))
@given(case=cases())
def test_each_term_stays_in_its_range(case: Case) -> None:
    logits, target, weights = tensors(case)
    for name, term in TERMS.items():
        value = term(logits, target, weights).item()
        edge = math.hypot(*target.shape[1:])
        lowest = -edge if name == "boundary" else 0
        highest = {"mae": 2 / logits.shape[1], "cross_entropy": 40, "bce": 200, "boundary": edge}.get(
            name, 40 if "focal" in name else 1
        )
        assert lowest - 1e-9 <= value <= highest + 1e-9, name


@each_term
def test_a_perfect_prediction_has_the_least_loss(name: str) -> None:
    logits, target, weights = random_case()
    right = (functional.one_hot(target, 5).permute(0, 3, 1, 2) * 2 - 1.0) * 60
    best = TERMS[name](right, target, weights.float()).item()
    assert best == pytest.approx(0, abs=1e-5)  # of the boundary loss too: in noise no region has an inside
    assert TERMS[name](logits, target, weights).item() > best + 1e-3
    assert TERMS[name](right * 1e-3 + logits, target, weights).item() < TERMS[name](logits, target, weights).item()


@each_term
def test_descending_a_term_finds_the_labels(name: str) -> None:
    logits, target, weights = random_case(images=1)
    logits = (logits * 0.1).float().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.2)
    first = TERMS[name](logits, target, weights.float()).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = TERMS[name](logits, target, weights.float())
        loss.backward()
        optimizer.step()
    assert loss.item() < first
    assert (logits.argmax(1) == target).all()


@each_term
def test_the_gradient_is_the_slope(name: str) -> None:
    logits, target, weights = random_case(images=1)
    logits, target = logits[:, :, :4, :3].clone().requires_grad_(), target[:, :4, :3].clone()
    target[0, 0, 0] = IGNORED
    assert torch.autograd.gradcheck(lambda z: TERMS[name](z, target, weights), (logits,))


@each_term
@pytest.mark.parametrize("scale", [100.0, 1e4])
def test_extreme_logits_give_finite_loss_and_gradients(name: str, scale: float) -> None:
    logits, target, weights = random_case()
    logits = (logits.sign() * scale).float().requires_grad_()
    logits.data[0] = scale * functional.one_hot(target[0], 5).permute(2, 0, 1)  # a certain and right image
    logits.data[1] = -logits.data[0]
    loss = TERMS[name](logits, target, weights.float())
    assert loss.isfinite()
    assert gradient(loss, logits).isfinite().all()


def test_large_batches_keep_their_digits_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(32, 5, 64, 128, generator=generator)
    target = torch.randint(0, 4, (32, 64, 128), generator=generator)
    target[0, :2] = 4
    weights = torch.tensor([0.2, 1.0, 3.0, 0.5, 9.0])
    for name, term in TERMS.items():
        if name != "boundary":
            precise = term(logits.double(), target, weights.double()).item()
            assert term(logits, target, weights).item() == pytest.approx(precise, rel=1e-5), name


@settings(deadline=None, max_examples=examples(30))
@given(case=cases())
def test_dice_is_tversky_with_even_halves(case: Case) -> None:
    logits, target, weights = tensors(case)
    for average in ("per_class", "pooled"):
        even = tversky(logits, target, weights, false_positives=0.5, false_negatives=0.5, average=average)
        assert dice(logits, target, weights, average).item() == even.item()


def test_tversky_of_jaccard_is_one_minus_iou_of_hard_predictions() -> None:
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    logits, target, _ = random_case()
    hard = functional.one_hot(logits.argmax(1), 5).permute(0, 3, 1, 2) * 1e3
    expected = 1 - torchmetrics.multiclass_jaccard_index(logits.argmax(1), target, 5, average="macro")
    for name in ("tversky of Jaccard", "lovasz"):
        assert TERMS[name](hard.double(), target, torch.ones(5).double()).item() == pytest.approx(float(expected))


def test_cross_entropy_is_torchs() -> None:
    logits, target, weights = random_case()
    target[0] = IGNORED
    torch.testing.assert_close(
        cross_entropy(logits, target, weights), functional.cross_entropy(logits, target, weight=weights)
    )


def test_bce_and_mae_are_torchs() -> None:
    logits, target, _ = random_case()
    truth = functional.one_hot(target, 5).permute(0, 3, 1, 2).double()
    ones = torch.ones(5, dtype=torch.float64)
    expected = 5 * functional.binary_cross_entropy(logits.sigmoid(), truth)
    torch.testing.assert_close(bce(logits, target, ones), expected)
    torch.testing.assert_close(mae(logits, target, ones), functional.l1_loss(logits.softmax(1), truth))


def test_focal_is_kornias_and_monais() -> None:
    kornia = pytest.importorskip("kornia.losses")
    monai = pytest.importorskip("monai.losses")
    logits, target, _ = random_case()
    found = focal(logits, target, torch.ones(5, dtype=torch.float64), 1.7)
    # their means also run over the classes, where all but the true one are 0
    torch.testing.assert_close(found, 5 * kornia.focal_loss(logits, target, alpha=None, gamma=1.7, reduction="mean"))
    theirs = monai.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=1.7)(logits, target[:, None])
    assert found.item() == pytest.approx(5 * theirs.item(), rel=1e-6)  # MONAI computes in float32


def test_dice_per_class_is_monais() -> None:
    losses = pytest.importorskip("monai.losses")
    logits, target, weights = random_case()
    options = {"softmax": True, "to_onehot_y": True, "batch": True, "smooth_nr": 0, "smooth_dr": 0}
    expected = losses.DiceLoss(**options, weight=weights)(logits, target[:, None])
    # its mean over the classes divides by their number, not by their weights
    torch.testing.assert_close(dice(logits, target, weights), expected * 5 / weights.sum())


def test_dice_pooled_is_monais_generalised_dice_without_weights() -> None:
    losses = pytest.importorskip("monai.losses")
    logits, target, _ = random_case()
    options = {"softmax": True, "to_onehot_y": True, "batch": True, "smooth_nr": 0, "smooth_dr": 0}
    expected = losses.GeneralizedDiceLoss(**options, w_type="uniform")(logits, target[:, None])
    torch.testing.assert_close(dice(logits, target, torch.ones(5, dtype=torch.float64), "pooled"), expected)


@pytest.mark.parametrize(("average", "theirs"), [("per_class", "macro"), ("pooled", "micro")])
def test_dice_is_kornias_on_one_image_with_weights_ignored_pixels_and_an_absent_class(
    average: str, theirs: str
) -> None:
    kornia = pytest.importorskip("kornia.losses")
    logits, target, weights = random_case(images=1)
    target[target == 3] = 1
    target[0, :2] = IGNORED
    expected = kornia.dice_loss(logits, target, average=theirs, eps=0.0, weight=weights)
    torch.testing.assert_close(dice(logits, target, weights, average), expected)


def test_tversky_is_monais_and_on_one_image_kornias() -> None:
    monai = pytest.importorskip("monai.losses")
    kornia = pytest.importorskip("kornia.losses")
    logits, target, _ = random_case()
    ones = torch.ones(5, dtype=torch.float64)
    options = {"softmax": True, "to_onehot_y": True, "batch": True, "smooth_nr": 0, "smooth_dr": 0}
    expected = monai.TverskyLoss(**options, alpha=0.3, beta=0.7)(logits, target[:, None])
    torch.testing.assert_close(TERMS["tversky"](logits, target, ones), expected)

    logits, target = logits[:1], target[:1]
    target[target == 3] = 1
    target[0, :2] = IGNORED
    expected = kornia.tversky_loss(logits, target, alpha=0.3, beta=0.7, eps=0.0)
    torch.testing.assert_close(TERMS["tversky"](logits, target, ones), expected)


def test_lovasz_is_kornias_on_one_image() -> None:
    kornia = pytest.importorskip("kornia.losses")
    logits, target, weights = random_case(images=1)
    # its mean over the classes divides by their number, not by their weights
    expected = kornia.lovasz_softmax_loss(logits, target, weights) * 5 / weights.sum()
    torch.testing.assert_close(lovasz(logits, target, weights), expected)


def test_focal_survives_a_certain_pixel() -> None:
    """At p = 1 the slope of (1 - p) ** 0.5 is infinite: the gradient must not become NaN."""
    logits = torch.tensor([[[[200.0]], [[0.0]]]], requires_grad=True)
    loss = focal(logits, torch.zeros(1, 1, 1, dtype=torch.int64), torch.ones(2), 0.5)
    assert gradient(loss, logits).isfinite().all()
