"""What is said of scores: the strict ones only where they are others."""

from __future__ import annotations

import pytest

from search.outcome.evaluation import Evaluation
from search.training.metrics import scores
from spaces.facts import DataFacts

CONFUSION = ((6, 2), (1, 9))


def found(*excluded: str) -> Evaluation:
    facts = DataFacts(channels=1, height=8, width=8, class_names=("soil", "rock"), excluded=excluded)
    return Evaluation(facts=facts, scores=scores(CONFUSION, facts), images=3)


def test_without_excluded_classes_nothing_is_strict() -> None:
    table = found().table().splitlines()
    assert table[0].split() == ["class", "IoU", "Dice", "pixels"]
    assert [line.split()[-3:] for line in table[1:4]] == [
        ["0.6667", "0.8000", "8"],
        ["0.7500", "0.8571", "10"],
        ["0.7083", "0.8286", "-"],
    ]
    assert "strict" not in f"{found()}{found().table()}"


def test_with_excluded_classes_both_are_shown() -> None:
    table = found("soil").table().splitlines()
    assert table[0].split() == ["class", "IoU", "IoU", "strict", "Dice", "Dice", "strict", "pixels"]
    assert table[2].split() == ["rock", "0.9000", "0.7500", "0.9474", "0.8571", "10"]
    assert str(found("soil")).startswith("mIoU 0.9000 (strict 0.7500), best constant answer 1.0000 (strict ")


def test_the_document_names_dice_of_classes_and_their_mean() -> None:
    told = found("soil").document()
    assert told["mean_dice"] == pytest.approx(18 / 19)
    assert told["mean_dice_strict"] == pytest.approx(18 / 21)
    assert told["classes"]["rock"]["dice"] == pytest.approx(18 / 19)
    assert told["classes"]["soil"]["dice"] is None
