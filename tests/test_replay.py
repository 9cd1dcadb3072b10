"""The replay that samplers are chosen by counts what a search spends, and when it gets there."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.samplers import BaseSampler, RandomSampler

from storage.studies.config import StudyConfig

EPOCHS = 9
STEPS = "0.1:-0.2;0.4:0.01"


class Line:
    """A problem whose score is its one number, in every epoch, and whose epochs cost 1 each."""

    name, epochs = "line", EPOCHS

    def suggest(self, trial: Any) -> None:
        """Ask the trial for the number."""
        trial.suggest_float("x", 0.0, 1.0)

    def curve(self, params: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """The same score and the same cost in each epoch."""
        return np.full(EPOCHS, params["x"]), np.ones(EPOCHS)


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return importlib.import_module("replay")


def candidate(replay: ModuleType, low: float, high: float, pruner: str) -> Any:
    """Draws from a part of the line alone."""

    class Part(RandomSampler):
        def sample_independent(self, *given: Any, **named: Any) -> Any:
            return low + (high - low) * super().sample_independent(*given, **named)

    def make(_: StudyConfig) -> Any:
        def made(seed: int) -> BaseSampler:
            return Part(seed)

        return made

    return replay.Candidate(make=make, config=StudyConfig(study="line", pruner=pruner))


def search(replay: ModuleType, candidate: Any, workers: int) -> Any:
    """What a search for a number over 0.99 comes to, with the compute of 60 trainings."""
    return replay.Replay(Line(), candidate, workers, 0).run(replay.Target(value=0.99, cost=60.0 * EPOCHS))


def test_the_target_is_the_median_best_of_sixty_random_trials(replay: ModuleType) -> None:
    found = replay.target_of(Line())
    assert found.value == pytest.approx(0.5 ** (1 / 60), abs=0.01)
    assert found.cost == 60 * EPOCHS


@pytest.mark.parametrize(("workers", "spent"), [(1, 9), (4, 4 * 8 + 1)])
def test_a_search_that_proposes_the_best_at_once_pays_for_what_its_workers_train(
    replay: ModuleType, workers: int, spent: int
) -> None:
    """Four workers go on side by side: when the first one ends, the others have trained all epochs but the last."""
    run = search(replay, candidate(replay, 0.995, 1.0, "none"), workers)
    assert run.share == pytest.approx(spent / 540)
    assert run.trials == 0
    [(_, nothing), (share, best)] = run.steps
    assert nothing == -np.inf
    assert share == run.share
    assert best >= 0.995


@pytest.mark.parametrize(("pruner", "least", "most"), [("none", 60, 60), ("asha", 90, 540)])
def test_a_search_that_never_gets_there_spends_all_of_it(
    replay: ModuleType, pruner: str, least: int, most: int
) -> None:
    """Without a pruner as many trainings as the compute holds; with one more, which cost only what they trained."""
    run = search(replay, candidate(replay, 0.0, 0.5, pruner), 1)
    assert run.share is None
    assert least <= run.trials - 1 <= most


def rows(**shares: list[float | None]) -> pd.DataFrame:
    """Runs of candidates, one of each seed in two sets in turn."""
    listed = [
        {"set": f"set {seed % 2}", "candidate": name, "seed": seed, "share": share, "ask_ms": 1.0, "steps": STEPS}
        for name, of_name in shares.items()
        for seed, share in enumerate(of_name)
    ]
    return pd.DataFrame(listed).astype({"share": float})


def test_a_report_counts_runs_and_compares_them_in_pairs(replay: ModuleType, tmp_path: Path) -> None:
    found = rows(ours=[0.1, 0.2, 0.2, 0.3], other=[0.2, 0.4, 0.4, None])
    _, _, ours, other = replay.report(found).splitlines()
    assert ours.startswith("| ours | 0.20 (")
    assert "| 4 of 4 | 1.00 (1.00 to 1.00) |" in ours
    ratio = (2 * 2 * 2 * (1 / 0.3)) ** 0.25  # one that never got there counts as all of the compute
    assert f"| 3 of 4 | {ratio:.2f} (" in other
    replay.draw(found, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_intervals_are_wider_where_runs_of_a_set_share_its_luck(replay: ModuleType) -> None:
    def width(names: list[str]) -> float:
        table = rows(ours=[0.1] * 40, other=[0.1, 0.4] * 20)
        table["set"] = [names[seed % 2] for seed in table.seed]
        low, high = replay.report(table).splitlines()[-1].split("|")[4].split("(")[1].strip(" )").split(" to ")
        return float(high) - float(low)

    assert width(["one", "other"]) > 2 * width(["one", "one"])


def test_the_best_so_far_holds_until_it_is_beaten(replay: ModuleType) -> None:
    report = importlib.import_module("replay_report")
    found = report.best_so_far(STEPS, np.array([0.0, 0.1, 0.39, 0.4, 1.0]))
    assert np.array_equal(found, [-np.inf, -0.2, -0.2, 0.01, 0.01])
    assert report.best_so_far("", np.array([0.5])).tolist() == [-np.inf]
