"""The value of a trial is that of the weights that are kept, at each rung and at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from search.host.attempt import Completed, _completed
from search.host.reporter import TrialReporter
from search.studies.create import create
from search.studies.study import open_study
from search.training.epoch import counting
from spaces import Recipe
from storage.store import Store
from support.studies import EPOCH, Inputs, begin

SCORES = (0.2, 0.6, 0.4, 0.5)


def recipe(kept: str) -> Recipe:
    return Recipe.model_validate({"optimisation": {"kept": kept}})


@pytest.fixture
def reporter(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, request: pytest.FixtureRequest
) -> TrialReporter:
    """The reporter of a trial of four epochs that is told of each epoch."""
    create(store, *inputs(trials=3, epochs=4))
    trial = begin(store, "tiny")
    reporter = TrialReporter(store, open_study(store, "tiny", tmp_path), trial, request.param)
    for number, score in enumerate(SCORES, start=1):
        reporter.add(replace(EPOCH, number=number, miou=score, last=number == len(SCORES)))
    return reporter


@pytest.mark.parametrize(
    ("reporter", "number", "reported"),
    [("best", 2, {1: 0.2, 3: 0.6, 4: 0.6}), ("last", 4, {1: 0.2, 3: 0.4, 4: 0.5})],
    indirect=["reporter"],
)
def test_rungs_and_value_are_of_the_epoch_that_counts(
    reporter: TrialReporter, number: int, reported: dict[int, float], store: Store, tmp_path: Path
) -> None:
    assert reporter.counted().number == number
    assert reporter.trial.storage.get_trial(reporter.trial._trial_id).intermediate_values == reported
    kept = "last" if number == 4 else "best"
    outcome = _completed(open_study(store, "tiny", tmp_path), recipe(kept), reporter, number)
    assert isinstance(outcome, Completed)
    assert outcome.value == reporter.reported == SCORES[number - 1]


def test_the_rule_for_one_epoch_after_another_is_that_for_all_at_once() -> None:
    """A training asks whether an epoch beats the best until then, a host looks at the whole curve."""
    for scores in ((0.1, 0.3, 0.3, 0.2), (math.nan, 0.1, math.nan), (math.nan, math.nan), (0.0,)):
        assert counting("last", scores) == len(scores) - 1
        best, kept = -math.inf, 0
        for place, score in enumerate(scores):
            if place == 0 or counting("best", (best, score)) == 1:
                best, kept = -math.inf if math.isnan(score) else score, place
        assert counting("best", scores) == kept
