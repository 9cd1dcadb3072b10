"""Samplers, pruners and rungs are what the study's plan says, in every thread and process."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import optuna
import pytest
from optuna.samplers import RandomSampler
from optuna.trial import FrozenTrial, TrialState

from search.outcome.leaderboard import Row, rank
from search.studies.create import Created, create
from search.studies.near_best import NearBestSampler
from search.studies.pruners import build_pruner, rungs
from search.studies.samplers import build_sampler, sampler_of
from search.studies.study import StudyDefinition, trial_seed
from storage.store import Store
from storage.studies.config import StudyConfig, declared
from storage.studies.studies import load_config
from storage.trials.queries import best_of, ranked
from support.studies import GRID, Inputs

CHOICES = {field.name: get_args(field.type) for field in declared()}


def params_of_trials(plan: StudyConfig, numbers: int) -> list[dict[str, object]]:
    study = optuna.create_study(direction="maximize", sampler=build_sampler(StudyDefinition(plan)))
    found = []
    for _ in range(numbers):
        trial = study.ask()
        StudyDefinition(plan).space.suggest(trial)
        found.append(dict(trial.params))
        study.tell(trial, 0.5)
    return found


@pytest.mark.parametrize("sampler", CHOICES["sampler"])
def test_the_same_trial_of_the_same_study_is_sampled_the_same(created: Created, sampler: str) -> None:
    plan = replace(created.config, sampler=sampler)
    assert params_of_trials(plan, 6) == params_of_trials(plan, 6)
    assert params_of_trials(plan, 2) != params_of_trials(replace(plan, seed=1), 2)


@pytest.mark.parametrize(
    ("changes", "random"),
    [({}, 20), ({"trials": 40}, 10), ({"trials": 3}, 4), ({"pruner": "none"}, 10), ({"epochs": 1}, 10)],
)
def test_more_random_trials_begin_a_search_where_most_are_pruned_soon(
    created: Created, changes: dict[str, Any], random: int
) -> None:
    sampler = sampler_of(replace(created.config, **({"trials": 100, "epochs": 27} | changes)))(0)
    assert isinstance(sampler, NearBestSampler)
    assert sampler.startup == random


def test_trials_of_a_study_differ(created: Created) -> None:
    params = params_of_trials(created.config, 8)
    assert len({str(sorted(p.items())) for p in params}) == 8
    assert len({trial_seed(s, n) for s in range(20) for n in range(20)}) == 400


@pytest.mark.parametrize(
    ("pruner", "epochs", "expected"),
    [
        ("asha", 30, {3, 9, 27, 30}),
        ("asha", 6, {1, 3, 6}),
        ("asha", 1, {1}),
        ("hyperband", 27, {3, 9, 27}),
        ("median", 30, {3, 6, 9, 12, 15, 18, 21, 24, 27, 30}),
        ("none", 30, {30}),
    ],
)
def test_optuna_hears_of_the_rungs_only(created: Created, pruner: str, epochs: int, expected: set[int]) -> None:
    assert rungs(replace(created.config, pruner=pruner, epochs=epochs)) == expected


@pytest.mark.parametrize("pruner", CHOICES["pruner"])
def test_a_hopeless_trial_is_pruned_unless_nobody_asked_for_it(created: Created, pruner: str) -> None:
    plan = replace(created.config, pruner=pruner, epochs=9, trials=100)
    study = optuna.create_study(direction="maximize", pruner=build_pruner(plan))
    ended = []
    for number in range(24):
        trial = study.ask()
        good = 0.9 - 0.001 * number if number < 8 else 0.01
        for step in sorted(rungs(plan)):
            trial.report(good, step)
            if step < plan.epochs and trial.should_prune():
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                ended.append(number)
                break
        else:
            study.tell(trial, good)
    assert 0 not in ended
    assert 1 in ended or pruner != "asha"  # not spared: it is worse than the one before it
    assert bool([n for n in ended if n >= 8]) == (pruner != "none")


def test_a_grid_is_enqueued_whole(store: Store, inputs: Callable[..., Inputs]) -> None:
    made = create(store, *inputs(space=GRID, sampler="grid"))
    trials = optuna.load_study(study_name="tiny", storage=store.trials).get_trials()
    assert [t.state.name for t in trials] == ["WAITING"] * 4
    assert "4 points of the grid are enqueued" in made.notes
    assert load_config(store, "tiny").sampler == "grid"


class Witness(RandomSampler):
    """Notes for each trial which others the sampler learns from."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.seen: dict[int, set[int]] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, optuna.distributions.BaseDistribution]:
        self.seen[trial.number] = {other.number for other in study.get_trials(deepcopy=False)}
        return {}


@pytest.fixture
def hyperband(created: Created) -> tuple[optuna.Study, Witness]:
    """A study under Hyperband after 20 trials, and what its sampler saw."""
    config, witness = replace(created.config, pruner="hyperband", epochs=9, trials=100), Witness()
    study = optuna.create_study(
        study_name="a bracket follows from the name", direction="maximize", sampler=witness, pruner=build_pruner(config)
    )
    for _ in range(20):
        ask_and_tell(study)
    return study, witness


def ask_and_tell(study: optuna.Study) -> int:
    """A trial that samples a parameter and completes; its number."""
    trial = study.ask()
    study.tell(trial, trial.suggest_float("x", 0.0, 1.0))
    return trial.number


def test_under_hyperband_the_sampler_learns_from_one_bracket(hyperband: tuple[optuna.Study, Witness]) -> None:
    _, witness = hyperband
    assert all(len(witness.seen[number]) < number for number in range(12, 20))
    pairs = list(itertools.combinations(witness.seen.values(), 2))
    assert all(one <= other or not one & other for one, other in pairs)  # a trial is in one bracket, from the first on
    assert any(not one & other for one, other in pairs)


def test_a_retry_is_in_the_bracket_of_its_first_attempt(hyperband: tuple[optuna.Study, Witness]) -> None:
    study, witness = hyperband
    for first in range(10):
        study.add_trial(optuna.create_trial(state=TrialState.WAITING, system_attrs={"retry_history": [first]}))
        assert first in witness.seen[ask_and_tell(study)]


def test_equal_values_rank_by_size_then_by_number_everywhere() -> None:
    sizes, values = [None, 300, 100, 100, 50], [0.5, 0.5, 0.5, 0.5, 0.4]
    known = list(zip(values, sizes, strict=True))
    trials = [optuna.create_trial(value=v, user_attrs={"parameters": s} if s else {}) for v, s in known]
    for number, trial in enumerate(trials):
        trial.number = number
    rows = [Row(number=n, state="complete", value=v, parameters=s) for n, (v, s) in enumerate(known)]
    assert [trial.number for trial in ranked(trials)] == [2, 3, 1, 0, 4]
    assert [row.number for row in rank(rows)] == [2, 3, 1, 0, 4]
    best = best_of(trials)
    assert best is not None
    assert best.number == 2
