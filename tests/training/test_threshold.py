"""`ThresholdSearch` agrees with merging and counting anew for every candidate."""

from __future__ import annotations

import math

import pytest
import torch

from search.training.confusion import confusion_matrix
from search.training.metrics import Objective, scores
from search.training.threshold import PROBABILITIES, background_search, lead, lead_search
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
    search = background_search(FACTS, 3, CPU)
    batches = random_batches(seed)
    for logits, background, truth in batches:
        search.add(logits, background, truth)
    found = search.confusions()
    assert found.shape == (PROBABILITIES, 3, 3)
    for place, candidate in enumerate(search.candidates):
        expected = torch.zeros(3, 3, dtype=torch.int64)
        for logits, background, truth in batches:
            merged = merge_background(logits, background[:, None], candidate, 0)
            expected += confusion_matrix(merged.argmax(dim=1), truth, 3, 3)
        assert torch.equal(found[place], expected)


@pytest.mark.parametrize("objective", ["miou", "miou_strict"])
def test_the_best_candidate_has_the_highest_score_that_the_training_goes_by(objective: Objective) -> None:
    search = background_search(FACTS, 3, CPU)
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
    search = background_search(FACTS, None, CPU)
    search.add(logits, torch.where(truth == 0, 4.0, -4.0), truth)
    threshold, reached = search.best("miou_strict")
    assert reached.miou_strict == 1.0
    assert -4.0 < threshold < 4.0


def test_candidates_are_probabilities_in_order() -> None:
    shares = torch.sigmoid(background_search(FACTS, None, CPU).candidates)
    assert math.isclose(float(shares[0]), 0.01, rel_tol=1e-5)
    assert math.isclose(float(shares[-1]), 0.99, rel_tol=1e-5)
    assert bool((shares.diff() > 0).all())


@pytest.mark.parametrize("seed", range(3))
def test_each_leads_confusion_is_that_of_shifted_logits(seed: int) -> None:
    search = lead_search(FACTS, 3, 2, CPU)
    batches = random_batches(seed)
    for logits, _, truth in batches:
        search.add(logits, lead(logits, 2), truth)
    found = search.confusions()
    for place, candidate in enumerate(search.candidates):
        expected = torch.zeros(3, 3, dtype=torch.int64)
        for logits, _, truth in batches:
            shifted = logits - candidate * torch.tensor([0.0, 0.0, 1.0]).view(1, 3, 1, 1)
            expected += confusion_matrix(shifted.argmax(dim=1), truth, 3, 3)
        assert torch.equal(found[place], expected)


def test_a_rare_class_that_never_leads_is_found_nevertheless() -> None:
    truth = torch.tensor([[[1] * 20 + [2]]])
    logits = torch.zeros(1, 3, 1, 21)
    logits[:, 1] = 4.0
    logits[:, 2, :, 20] = 3.0  # likelier here than elsewhere, but soil is likelier still
    search = lead_search(FACTS, None, 2, CPU)
    search.add(logits, lead(logits, 2), truth)
    threshold, reached = search.best("miou")
    assert reached.miou == 1.0
    assert threshold == pytest.approx(-1.1)  # of all that give the same, the one nearest to none


def test_without_a_gain_no_lead_is_asked_for() -> None:
    truth = torch.tensor([[[1, 1, 2, 2]]])
    logits = 9.0 * torch.nn.functional.one_hot(truth, 3).permute(0, 3, 1, 2)
    search = lead_search(FACTS, None, 2, CPU)
    search.add(logits, lead(logits, 2), truth)
    assert search.best("miou")[0] == 0.0
