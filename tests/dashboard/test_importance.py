"""Which settings matter: found where they do, not where they do not, and within bounds of time and size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.dashboard.board.axes import MOST_LINES, draw_axes
from search.dashboard.board.importance import LEAST_TRIALS, importances

from .conftest import PASSWORD, Client

Train = Callable[..., Any]


def made(count: int, seed: int = 0) -> tuple[list[dict[str, Any]], list[float]]:
    """Trials whose score hangs on x, on a weight that only trials with part "on" have, and on nothing else."""
    chance = np.random.default_rng(seed)
    params, scores = [], []
    for _ in range(count):
        on = bool(chance.random() < 0.5)
        given: dict[str, Any] = {"x": float(chance.random()), "noise": float(chance.random()), "part.use": on}
        given["kind"] = str(chance.choice(["a", "b", "c"]))
        if on:
            given["part.weight"] = float(chance.random())
        params.append(given)
        scores.append(given["x"] + 0.3 * given.get("part.weight", 0.0) + 0.1 * float(chance.normal()))
    return params, scores


def test_what_matters_is_found_and_its_interval_tells_it_from_chance() -> None:
    params, scores = made(200)
    found = {each.path: each for each in importances(params, scores)}
    assert next(iter(found)) == "x"
    assert found["x"].low > 0.4
    assert found["part.weight"].share > found["noise"].share
    for name in ("noise", "kind"):
        assert found[name].share < 0.05
        assert found[name].low < 0.02
    for each in found.values():
        assert 0 <= each.low <= each.high <= 1


def test_the_interval_holds_what_another_sample_shows() -> None:
    truth = next(each.share for each in importances(*made(1000, seed=99)) if each.path == "x")
    held = 0
    for seed in range(20):
        x = next(each for each in importances(*made(80, seed=seed)) if each.path == "x")
        held += x.low <= truth <= x.high
    assert held >= 16


def test_noise_alone_is_no_importance() -> None:
    chance = np.random.default_rng(3)
    params = [{f"axis {k}": float(chance.random()) for k in range(40)} for _ in range(60)]
    found = importances(params, [float(chance.random()) for _ in params])
    assert len(found) == 10
    assert sum(each.low > 0.05 for each in found) <= 3


def trial(number: int, params: dict[str, Any], score: float) -> FrozenTrial:
    def axis(value: Any) -> Any:
        return CategoricalDistribution([value]) if isinstance(value, bool | str) else FloatDistribution(0, 1)

    made = create_trial(
        state=TrialState.COMPLETE, value=score, params=params, distributions={k: axis(v) for k, v in params.items()}
    )
    made.number = number
    return made


@pytest.mark.whole
def test_a_large_study_is_told_in_bounded_time_and_bytes() -> None:
    params, scores = made(5000)
    wide = [given | {f"more {k}": given["x"] * k % 1 for k in range(80)} for given in params]
    trials = [trial(number, *each) for number, each in enumerate(zip(wide, scores, strict=True))]
    began = time.process_time()
    text = draw_axes(trials)
    assert time.process_time() - began < 10
    assert text.count(b'class="trial') == MOST_LINES
    assert len(text) < 100_000


def test_nothing_is_told_before_there_are_enough_trials(client: Client, train: Train) -> None:
    for number in range(LEAST_TRIALS - 1):
        train(TrialState.COMPLETE, number / 100, steps=1)
    page = client("GET", "/board/1/axes", PASSWORD)
    assert b"told from 20 complete trials on; there are 19" in page.body
    train(TrialState.PRUNED)
    assert b"there are 19" in client("GET", "/board/1/axes", PASSWORD).body
    train(TrialState.COMPLETE, 0.5)
    page = client("GET", "/board/1/axes", PASSWORD)
    assert page.body.count(b'class="share"') == 10
    assert b'class="trial shade4"' in page.body
    assert client("GET", "/board/1/axes", PASSWORD, if_none_match=page.headers["etag"]).status == 304
