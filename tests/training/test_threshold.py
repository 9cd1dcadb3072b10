"""`ThresholdSearch` agrees with merging and counting anew for every candidate."""

from __future__ import annotations

import math

import pytest
import torch

from search.training.confusion import confusion_matrix
from search.training.metrics import Objective, scores
from search.training.threshold import CANDIDATES, ThresholdSearch
from spaces.facts import DataFacts
from spaces.modules.networks.background import merge_background

FACTS = DataFacts(channels=1, height=8, width=8, class_names=("sky", "soil", "rock"), excluded=("sky",))
CPU = torch.device("cpu")


def random_batches(seed: int, count: int = 3) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(2, 3, 8, 8, generator=generator),
            2 * torch.randn(2, 8, 8, generator=generator),
            torch.randint(0, 4, (2, 8, 8), generator=generator),  # label 3 is the ignored one
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_each_candidates_confusion_is_that_of_the_merged_prediction(seed: int) -> None:
    search = ThresholdSearch(FACTS, 3, CPU)
    batches = random_batches(seed)
    for logits, background, truth in batches:
        search.add(logits, background, truth)
    found = search.confusions()
    assert found.shape == (CANDIDATES, 3, 3)
    for place, candidate in enumerate(search.candidates):
        expected = torch.zeros(3, 3, dtype=torch.int64)
        for logits, background, truth in batches:
            merged = merge_background(logits, background[:, None], candidate, 0)
            expected += confusion_matrix(merged.argmax(dim=1), truth, 3, 3)
        assert torch.equal(found[place], expected)


@pytest.mark.parametrize("objective", ["miou", "miou_strict"])
def test_the_best_candidate_has_the_highest_score_that_the_training_goes_by(objective: Objective) -> None:
    search = ThresholdSearch(FACTS, 3, CPU)
    for batch in random_batches(7):
        search.add(*batch)
    threshold, reached = search.best(objective)
    values = [getattr(scores(confusion, FACTS), objective) for confusion in search.confusions()]
    assert getattr(reached, objective) == max(values)
    assert threshold == pytest.approx(float(search.candidates[values.index(max(values))]))


def test_a_perfect_background_network_is_trusted() -> None:
    truth = torch.tensor([[[0, 0, 1, 2]]])
    logits = torch.nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2).float()
    logits[:, 1, :, :2] = 5.0  # the multi-class network takes background for soil
    search = ThresholdSearch(FACTS, None, CPU)
    search.add(logits, torch.where(truth == 0, 4.0, -4.0), truth)
    threshold, reached = search.best("miou_strict")
    assert reached.miou_strict == 1.0
    assert -4.0 < threshold < 4.0


def test_candidates_are_probabilities_in_order() -> None:
    shares = torch.sigmoid(ThresholdSearch(FACTS, None, CPU).candidates)
    assert math.isclose(float(shares[0]), 0.01, rel_tol=1e-5)
    assert math.isclose(float(shares[-1]), 0.99, rel_tol=1e-5)
    assert bool((shares.diff() > 0).all())
