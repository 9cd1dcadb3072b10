"""The loss over several levels: report A's two tables as numbers, shares, heads, half precision, weights."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from spaces.facts import DataFacts
from spaces.modules.losses import level_loss
from spaces.modules.losses.losses import build_loss
from spaces.modules.networks.model import Outputs
from spaces.recipe.loss import CrossEntropy, Dice, Focal, Level, Loss, Term, Terms, Tversky

WEIGHTS = (0.5, 1.0, 2.0, 6.0)
ROCK = 3


def as_numpy(logits: Tensor) -> np.ndarray:
    """Probabilities (K, B, H, W) in float64."""
    e = np.exp(logits.double().numpy())
    return np.moveaxis(e / e.sum(1, keepdims=True), 1, 0)


def by_hand(terms: dict[str, float], logits: Tensor, labels: np.ndarray) -> float:
    """sum of share * term from the formulas, in float64, over the pixels with labels 1 and up; gamma is 2."""
    p, counted = as_numpy(logits), labels > 0
    own = np.take_along_axis(p, labels[None], 0)[0][counted]
    w = np.array(WEIGHTS)[labels][counted]
    values = {
        "cross_entropy": (w * -np.log(own)).sum() / w.sum(),
        "focal": (w * (1 - own) ** 2 * -np.log(own)).sum() / w.sum(),
        "dice": sum(WEIGHTS[k] * dice_by_hand(p[k], labels, k) for k in (1, 2, ROCK)) / sum(WEIGHTS[1:]),
        "boundary": sum(WEIGHTS[k] * boundary_by_hand(p[k], labels, k) for k in (1, 2, ROCK)) / sum(WEIGHTS[1:]),
    }
    return sum(share * values[name] for name, share in terms.items())


def dice_by_hand(p: np.ndarray, labels: np.ndarray, k: int) -> float:
    counted, y = labels > 0, labels == k
    return 1 - 2 * p[y].sum() / (p[counted].sum() + y.sum())


def boundary_by_hand(p: np.ndarray, labels: np.ndarray, k: int) -> float:
    total = 0.0
    for image, here in zip(p, labels, strict=True):
        inside, others = here == k, (here > 0) & (here != k)
        phi = np.where(inside, 1 - distance_transform_edt(~others), distance_transform_edt(~inside))
        total += (image * phi)[here > 0].sum()
    return total / (labels > 0).sum()


TABLE_1 = {
    "low": {"focal": 0.7, "cross_entropy": 0.3},
    "inter": {"dice": 0.2, "cross_entropy": 0.8},
    "high": {"focal": 0.7, "dice": 0.3},
}
TABLE_3 = {
    "low": {"focal": 0.4, "boundary": 0.6},
    "inter": {"focal": 0.3, "dice": 0.5, "boundary": 0.2},
    "high": {"focal": 0.2, "dice": 0.5, "boundary": 0.3},
}
SECTIONS = {
    "table 1": Loss(
        cross_entropy=None,
        focal=Focal(weight=0.7),
        dice=Dice(weight=0.3),
        inter=Level(cross_entropy=CrossEntropy(weight=0.8), dice=Dice(weight=0.2)),
        low=Level(cross_entropy=CrossEntropy(weight=0.3), focal=Focal(weight=0.7)),
    ),
    "table 3": Loss(
        cross_entropy=None,
        focal=Focal(weight=0.2),
        dice=Dice(weight=0.5),
        boundary=Term(weight=0.3),
        level_weight=0.4,
        inter=Level(
            cross_entropy=None,
            focal=Focal(weight=0.3),
            dice=Dice(weight=0.5),
            boundary=Term(weight=0.2),
            level_weight=0.5,
        ),
        low=Level(cross_entropy=None, focal=Focal(weight=0.4), boundary=Term(weight=0.6), level_weight=0.1),
    ),
}


@pytest.fixture
def outputs() -> Outputs:
    """Logits of a network with one head at each level."""
    generator = torch.Generator().manual_seed(0)
    high, inter, low = (torch.randn(2, 4, 9, 13, generator=generator, dtype=torch.float64) for _ in range(3))
    return Outputs(high=high, inter=(inter,), low=(low,))


@pytest.fixture
def target() -> Tensor:
    """Labels 0 .. 3 in both images."""
    return torch.randint(0, 4, (2, 9, 13), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("name", "table", "levels"),
    [
        ("table 1", TABLE_1, {"low": 1 / 3, "inter": 1 / 3, "high": 1 / 3}),
        ("table 3", TABLE_3, {"low": 0.1, "inter": 0.5, "high": 0.4}),
    ],
)
def test_report_a_is_expressed_exactly(
    name: str,
    table: dict[str, dict[str, float]],
    levels: dict[str, float],
    facts: DataFacts,
    outputs: Outputs,
    target: Tensor,
) -> None:
    loss = build_loss(SECTIONS[name], torch.tensor(WEIGHTS), facts, None, regions=True)
    logits = {"high": outputs.high, "inter": outputs.inter[0], "low": outputs.low[0]}
    labels = target.numpy()
    expected = sum(levels[level] * by_hand(table[level], logits[level], labels) for level in levels)
    assert loss(outputs, target).item() == pytest.approx(expected, rel=1e-6)
    assert loss(outputs.high, target).item() == pytest.approx(by_hand(table["high"], outputs.high, labels), rel=1e-6)


@pytest.mark.parametrize("name", ["dice", "tversky", "lovasz", "boundary"])
def test_class_weights_weigh_pixels_and_regions_only_if_asked(
    name: str, facts: DataFacts, outputs: Outputs, target: Tensor
) -> None:
    """Kervadec et al. and Berman et al. take the mean over classes: weighed, big rock alone was 95 % of the loss."""

    def value(weights: Tensor, *, regions: bool) -> float:
        section = Loss.model_validate({"cross_entropy": None, name: {}})
        return build_loss(section, weights, facts, None, regions=regions)(outputs.high, target).item()

    weights = torch.tensor(WEIGHTS)
    assert value(weights, regions=False) == value(torch.ones(4), regions=True) != value(weights, regions=True)
    left_out = torch.tensor([1.0, 0.0, 1.0, 1.0])  # a class that weighs nothing is left out of both
    assert value(left_out * weights, regions=False) == value(left_out, regions=True)


@pytest.mark.parametrize("average", ["per_class", "pooled"])
def test_dice_can_leave_out_the_classes_that_the_mean_leaves_out(
    average: Literal["per_class", "pooled"], facts: DataFacts, outputs: Outputs, target: Tensor
) -> None:
    """nnU-Net's `do_bg: False`: no region is compared for the background, whose pixels still count as claimed."""

    def value(weights: Tensor, *, excluded: bool) -> float:
        section = Loss(cross_entropy=None, dice=Dice(average=average, excluded=excluded), ignore_excluded=False)
        return build_loss(section, weights, facts, None, regions=True)(outputs.high, target).item()

    foreground = torch.tensor([0.0, 1.0, 1.0, 1.0])
    assert (
        value(torch.ones(4), excluded=False) == value(foreground, excluded=True) != value(torch.ones(4), excluded=True)
    )


def test_several_heads_at_a_level_count_as_their_mean(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    loss = build_loss(SECTIONS["table 3"], torch.tensor(WEIGHTS), facts, None)
    two = (outputs.high * 2, outputs.high * 0.5)
    found = loss(outputs._replace(inter=two), target)
    each = [loss(outputs._replace(inter=(one,)), target) for one in two]
    torch.testing.assert_close(found, (each[0] + each[1]) / 2)


def test_a_level_without_outputs_has_no_share(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    loss = build_loss(SECTIONS["table 3"], torch.tensor(WEIGHTS), facts, None, regions=True)
    labels = target.numpy()
    high, low = by_hand(TABLE_3["high"], outputs.high, labels), by_hand(TABLE_3["low"], outputs.low[0], labels)
    found = loss(outputs._replace(inter=()), target).item()
    assert found == pytest.approx((0.4 * high + 0.1 * low) / 0.5, rel=1e-6)
    assert loss(Outputs(high=outputs.high), target).item() == loss(outputs.high, target).item()


def test_outputs_of_a_level_that_is_off_are_left_alone(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    loss = build_loss(Loss(), torch.tensor(WEIGHTS), facts, None)
    assert loss(outputs, target).item() == loss(outputs.high, target).item()


def test_each_level_receives_gradients(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    logits = [each.requires_grad_() for each in (outputs.high, *outputs.inter, *outputs.low)]
    build_loss(SECTIONS["table 3"], torch.tensor(WEIGHTS), facts, None)(outputs, target).backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in logits)


def test_distance_maps_are_made_once_for_all_levels_and_not_without_a_boundary_term(
    facts: DataFacts, outputs: Outputs, target: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = level_loss.signed_distances
    monkeypatch.setattr(level_loss, "signed_distances", lambda *given: made.append(given) or real(*given))
    build_loss(SECTIONS["table 3"], torch.tensor(WEIGHTS), facts, None)(outputs, target)
    assert len(made) == 1
    build_loss(SECTIONS["table 1"], torch.tensor(WEIGHTS), facts, None)(outputs, target)
    assert len(made) == 1


EVERY = {
    "cross_entropy": CrossEntropy(weight=0.2),
    "bce": Term(weight=0.3),
    "dice": Dice(weight=0.4, average="pooled"),
    "focal": Focal(weight=0.5, gamma=3.0),
    "boundary": Term(weight=0.6),
    "lovasz": Term(weight=0.7),
    "tversky": Tversky(weight=0.8, false_positives=0.2, false_negatives=0.9),
    "mae": Term(weight=0.9),
}


def test_the_loss_is_the_mean_of_its_terms_by_their_weights(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    assert set(EVERY) == set(Terms.needs_one)

    def value(**terms: Term) -> float:
        section = Loss(**{"cross_entropy": None, **terms})
        return build_loss(section, torch.tensor(WEIGHTS), facts, None)(outputs.high, target).item()

    single = {name: value(**{name: term}) for name, term in EVERY.items()}
    assert len({round(one, 6) for one in single.values()}) == len(EVERY)
    total = sum(term.weight for term in EVERY.values())
    expected = sum(term.weight * single[name] for name, term in EVERY.items()) / total
    assert value(**EVERY) == pytest.approx(expected, rel=1e-6)


def test_the_options_of_a_term_reach_it(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    def value(**terms: Term) -> float:
        section = Loss(**{"cross_entropy": None, **terms})
        return build_loss(section, torch.tensor(WEIGHTS), facts, None)(outputs.high, target).item()

    assert value(dice=Dice()) != value(dice=Dice(average="pooled"))
    assert value(focal=Focal(gamma=1.0)) != value(focal=Focal(gamma=2.0))
    assert value(tversky=Tversky(false_positives=0.5, false_negatives=0.5)) == pytest.approx(value(dice=Dice()))
    assert value(tversky=Tversky(false_positives=0.2)) != value(tversky=Tversky())
    assert value(tversky=Tversky(false_negatives=0.2)) != value(tversky=Tversky())


@pytest.mark.parametrize("ignore_label", [None, 255])
@pytest.mark.parametrize("ignore_excluded", [True, False])
def test_uncounted_labels_are_left_out_of_every_term(
    ignore_label: int | None, ignore_excluded: bool, facts: DataFacts, outputs: Outputs, target: Tensor
) -> None:
    if ignore_label is not None:
        target[0, :3] = ignore_label
    uncounted = (target == ignore_label) | (ignore_excluded & (target == 0))
    logits = outputs.high.requires_grad_()
    loss = build_loss(Loss(**EVERY, ignore_excluded=ignore_excluded), torch.tensor(WEIGHTS), facts, ignore_label)
    loss(logits, target).backward()
    assert logits.grad is not None
    touched = logits.grad.abs().sum(1) > 0
    assert torch.equal(touched, ~uncounted)


def test_half_precision_is_judged_in_float32(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    loss = build_loss(Loss(**EVERY), torch.tensor(WEIGHTS), facts, None)
    half = outputs.high.bfloat16().requires_grad_()
    found = loss(half, target)
    assert found.dtype == torch.float32
    assert found.item() == loss(half.detach().float(), target).item()
    found.backward()
    assert half.grad is not None
    assert half.grad.isfinite().all()


def test_new_weights_take_the_place_of_the_old_and_are_saved(
    facts: DataFacts, outputs: Outputs, target: Tensor
) -> None:
    loss = build_loss(Loss(**EVERY), torch.ones(4), facts, None)
    buffer, before = loss.weights, loss(outputs, target).item()
    loss.reweight(torch.tensor(WEIGHTS, dtype=torch.float64))
    assert loss.weights is buffer
    assert loss.state_dict()["weights"].tolist() == list(WEIGHTS)
    expected = build_loss(Loss(**EVERY), torch.tensor(WEIGHTS), facts, None)(outputs, target).item()
    assert loss(outputs, target).item() == expected != before
    with pytest.raises(ValueError, match=r"weights have shape \(3,\), expected one for each of 4 classes"):
        loss.reweight(torch.ones(3))


def test_weights_must_be_one_per_class(facts: DataFacts) -> None:
    with pytest.raises(ValueError, match=r"weights have shape \(3,\), expected one for each of 4 classes"):
        build_loss(Loss(), torch.ones(3), facts, None)


def test_logits_must_have_the_size_of_the_masks(facts: DataFacts, outputs: Outputs, target: Tensor) -> None:
    loss = build_loss(Loss(low=Level()), torch.ones(4), facts, None)
    small = outputs._replace(low=(outputs.low[0][..., ::2],))
    with pytest.raises(ValueError, match=r"logits have shape \(2, 4, 9, 7\), expected \(2, 4, 9, 13\): upsample"):
        loss(small, target)
