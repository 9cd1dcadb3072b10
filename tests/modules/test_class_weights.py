from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import SpaceError
from spaces.facts import DataFacts
from spaces.modules.losses.class_weights import adaptive_weights, class_weights
from spaces.recipe.loss import ClassWeights

MARS = DataFacts(
    channels=1,
    height=64,
    width=128,
    class_names=("background", "soil", "bedrock", "sand", "big rock"),
    excluded=("background",),
)
SHARES = (0.2431, 0.3390, 0.2328, 0.1838, 0.0013)


def test_no_scheme_weighs_all_alike() -> None:
    assert class_weights(ClassWeights(), MARS, SHARES).tolist() == [1.0] * 5


def test_inverse_frequency_of_report_e() -> None:
    """E, table 1: .82 .59 .86 1.09 152.22 are 1 / (5 share); ours have the same ratios."""
    weights = class_weights(ClassWeights(scheme="inverse_frequency", smoothing=1.0), MARS, SHARES)
    ratios = (weights / weights[1]).tolist()
    assert ratios == pytest.approx([w / 0.59 for w in (0.82, 0.59, 0.86, 1.09, 153.85)], rel=0.01)


@given(
    smoothing=st.floats(0, 1),
    background=st.floats(0, 1),
    rock=st.floats(0, 1000),
    shares=st.lists(st.floats(1e-6, 1), min_size=5, max_size=5),
)
def test_the_formula(smoothing: float, background: float, rock: float, shares: list[float]) -> None:
    section = ClassWeights(
        scheme="inverse_frequency", smoothing=smoothing, background=background, factors={"big rock": rock}
    )
    raw = [(1 / share) ** smoothing for share in shares]
    raw[4] *= rock
    mean = sum(raw[1:]) / 4
    expected = [background * raw[0] / mean, *(w / mean for w in raw[1:])]
    weights = class_weights(section, MARS, shares)
    assert weights.tolist() == pytest.approx(expected, rel=1e-5)
    assert float(weights[1:].mean()) == pytest.approx(1.0, rel=1e-5)


def test_explicit_weights_of_report_e() -> None:
    vector = (0.0, 0.025, 0.035, 0.04, 0.88)
    section = ClassWeights(scheme="explicit", factors=dict(zip(MARS.class_names, vector, strict=True)))
    assert class_weights(section, MARS, SHARES).tolist() == pytest.approx([w / 0.245 for w in vector])


def test_an_absent_class_weighs_as_the_rarest() -> None:
    section = ClassWeights(scheme="inverse_frequency", smoothing=1.0)
    weights = class_weights(section, MARS, (0.5, 0.3, 0.2, 0.0, 0.0)).tolist()
    assert weights[3] == weights[4] == weights[2] > weights[1]
    assert all(w == 1.0 for w in class_weights(section, MARS, (0.0,) * 5).tolist())


def test_explicit_needs_every_class() -> None:
    section = ClassWeights(scheme="explicit", factors={"soil": 1.0, "sand": 2.0})
    with pytest.raises(SpaceError, match=r"explicit needs a factor for every class: add \['background', 'bedrock'"):
        class_weights(section, MARS, SHARES)


def test_unknown_classes_are_named() -> None:
    with pytest.raises(SpaceError, match=r"names \['bigrock'\], but the classes are"):
        class_weights(ClassWeights(factors={"bigrock": 2.0}), MARS, SHARES)


def test_all_weights_zero_is_refused() -> None:
    section = ClassWeights(factors=dict.fromkeys(MARS.class_names[1:], 0.0))
    with pytest.raises(SpaceError, match="every class of the mean the weight 0"):
        class_weights(section, MARS, SHARES)
    with pytest.raises(ValueError, match="got 2 class shares for 5 classes"):
        class_weights(ClassWeights(), MARS, (0.5, 0.5))


def test_adaptive_starts_like_none() -> None:
    section = ClassWeights(scheme="adaptive", background=0.5, factors={"big rock": 3.0})
    start = class_weights(section, MARS, SHARES)
    assert start.tolist() == class_weights(section.model_copy(update={"scheme": "none"}), MARS, SHARES).tolist()
    assert start.tolist() == pytest.approx([0.5 / 1.5, 1 / 1.5, 1 / 1.5, 1 / 1.5, 3 / 1.5])


@given(
    iou=st.lists(st.floats(0, 1), min_size=5, max_size=5),
    offset=st.floats(0.02, 1),
    background=st.floats(0, 1),
    rock=st.floats(0, 1000),
)
def test_adaptive_is_the_inverse_of_iou_and_offset(
    iou: list[float], offset: float, background: float, rock: float
) -> None:
    section = ClassWeights(scheme="adaptive", iou_offset=offset, background=background, factors={"big rock": rock})
    raw = [1 / (one + offset) for one in iou]
    raw[4] *= rock
    mean = sum(raw[1:]) / 4
    weights = adaptive_weights(section, MARS, torch.tensor(iou, dtype=torch.float64))
    assert weights.dtype == torch.float32
    assert weights.tolist() == pytest.approx([background * raw[0] / mean, *(w / mean for w in raw[1:])], rel=1e-5)


def test_adaptive_weighs_a_class_without_a_score_as_the_mean_of_the_others() -> None:
    section = ClassWeights(scheme="adaptive", iou_offset=0.1)
    nan = float("nan")
    found = adaptive_weights(section, MARS, torch.tensor([0.2, 0.4, nan, 0.6, 0.0]))
    torch.testing.assert_close(found, adaptive_weights(section, MARS, torch.tensor([0.2, 0.4, 0.3, 0.6, 0.0])))
    assert adaptive_weights(section, MARS, torch.full((5,), nan)).tolist() == pytest.approx([1.0] * 5)


def test_adaptive_refuses_scores_that_are_not_one_per_class() -> None:
    with pytest.raises(ValueError, match=r"IoU of shape \(4,\), expected one for each of 5 classes"):
        adaptive_weights(ClassWeights(scheme="adaptive"), MARS, torch.ones(4))
