"""The sampler of a study: Optuna's own promises, what it changes of the best trials, and what it learns from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.testing.pytest_samplers import BasicSamplerTestCase
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.studies.near_best import (
    BEST,
    CHANGED,
    CROSSED,
    CROSSING_STEP,
    MANY,
    OTHERS,
    STEP,
    NearBestSampler,
    near,
    neighbour,
)
from search.studies.pruners import RetryAwareHyperband
from spaces.axis import contains
from storage.trials.queries import best_seen, feasible
from support.cost import cpu_seconds
from support.examples import examples

AXES: dict[str, BaseDistribution] = {
    "rate": FloatDistribution(1e-4, 1e-1, log=True),
    "share": FloatDistribution(0.0, 1.0),
    "ladder": FloatDistribution(0.0, 1.0, step=0.25),
    "filters": IntDistribution(4, 64, log=True),
    "depth": IntDistribution(2, 6),
    "odd": IntDistribution(3, 7, step=2),
    "family": CategoricalDistribution(("plain", "residual", True, 2)),
    "fixed": IntDistribution(3, 3),
}


class TestNearBestSampler(BasicSamplerTestCase):
    """What Optuna asks of every sampler."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: NearBestSampler(seed=1, startup=0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore:PartialFixedSampler is experimental")
def test_what_somebody_fixed_is_left_out_of_changes_of_the_best_trial(seed: int) -> None:
    sampler = optuna.samplers.PartialFixedSampler({"y": 0.5}, NearBestSampler(seed, startup=0))
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1), n_trials=8)
    assert {done.params["y"] for done in study.trials} == {0.5}


def trial(number: int, value: float, **changes: Any) -> FrozenTrial:
    """A trial with a value on each axis."""
    random = np.random.default_rng(number)
    params = {name: _drawn(axis, random) for name, axis in AXES.items()}
    if changes.get("state") is TrialState.PRUNED:
        changes |= {"intermediate_values": {3: value}}
    return create_trial(params=params, distributions=AXES, value=value, **changes)


def _drawn(axis: BaseDistribution, random: np.random.Generator) -> Any:
    if isinstance(axis, CategoricalDistribution):
        return axis.choices[random.integers(len(axis.choices))]
    assert isinstance(axis, (IntDistribution, FloatDistribution))
    if axis.step:
        return axis.low + axis.step * random.integers(round((axis.high - axis.low) / axis.step) + 1).item()
    return random.uniform(axis.low, axis.high)


def study_of(trials: list[FrozenTrial], sampler: BaseSampler, **options: Any) -> optuna.Study:
    study = optuna.create_study(
        study_name="its bracket follows from it", direction="maximize", sampler=sampler, **options
    )
    study.add_trials(trials)
    return study


class Seen(NearBestSampler):
    """Notes the trials that TPE may learn from, and the one that is changed."""

    def asked(self, study: optuna.Study) -> tuple[set[int], int | None]:
        study.ask(AXES)
        assert self._history is not None
        kept = {other.number for other in self._history.get_trials(deepcopy=False)}
        return kept, self._good[0].number if self._good else None


VALUES = st.one_of(st.floats(0, 1), st.sampled_from((0.5, math.inf, -math.inf)))
STATES = st.sampled_from((TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING))


@given(st.lists(st.tuples(VALUES, STATES, st.booleans()), max_size=30), st.integers(0, 30))
@settings(max_examples=examples(100))
def test_the_best_seen_are_the_complete_ones_that_keep_the_limits_then_the_pruned_ones(
    kinds: list[tuple[float, TrialState, bool]], most: int
) -> None:
    trials = []
    for number, (value, state, keeps) in enumerate(kinds):
        ended = state in (TrialState.COMPLETE, TrialState.PRUNED)
        other = create_trial(state=state, value=value if ended else None, constraints={} if keeps else {"size": 1.0})
        other.number = number
        trials.append(other)
    competitors = [t for t in trials if t.value is not None and feasible(t)]
    expected = sorted(competitors, key=lambda t: (t.state is TrialState.PRUNED, -(t.value or 0.0), t.number))
    assert [t.number for t in best_seen(trials, most)] == [t.number for t in expected[:most]]


def test_a_value_that_is_no_number_is_not_among_the_best_seen() -> None:
    nothing = create_trial(value=0.0)
    nothing.values = [math.nan]
    assert best_seen([nothing, create_trial(value=-math.inf)], 5)[0].value == -math.inf


@given(st.sampled_from(sorted(AXES)), st.integers(0, 2**31), st.integers(0, 500))
@settings(max_examples=examples(200))
def test_a_near_value_is_on_its_axis(name: str, seed: int, number: int) -> None:
    axis, value = AXES[name], trial(number, 0.5).params[name]
    found = near(axis, value, np.random.default_rng(seed))
    assert contains(axis, found)
    assert type(found) is type(value) or name in ("ladder", "family")


@pytest.mark.parametrize("axis", [FloatDistribution(0, 1), FloatDistribution(1e-6, 1, log=True)])
def test_a_step_is_a_share_of_the_axis(axis: FloatDistribution) -> None:
    value = 1e-3 if axis.log else 0.5
    random = np.random.default_rng(0)
    found = np.array([near(axis, value, random) for _ in range(4000)])
    places = np.log(found / axis.low) / math.log(axis.high / axis.low) if axis.log else found
    assert places.mean() == pytest.approx(0.5, abs=0.01)
    assert places.std() == pytest.approx(STEP, rel=0.05)


def test_at_the_end_of_an_axis_steps_are_reflected() -> None:
    random = np.random.default_rng(0)
    found = np.array([near(FloatDistribution(0, 1), 0.0, random) for _ in range(4000)])
    assert found.mean() == pytest.approx(STEP * math.sqrt(2 / math.pi), rel=0.05)  # a folded normal distribution


def test_every_option_of_a_choice_is_as_likely() -> None:
    random = np.random.default_rng(0)
    counts = Counter(near(CategoricalDistribution(("a", "b", "c")), "a", random) for _ in range(3000))
    assert min(counts.values()) > 900


def test_about_half_of_the_axes_change_and_never_none() -> None:
    parent, random = trial(1, 0.5), np.random.default_rng(0)
    differing = [sum(v != parent.params[n] for n, v in neighbour(parent, (), random).items()) for _ in range(500)]
    assert 2 < np.mean(differing) < 4
    single = create_trial(params={"share": 0.5}, distributions={"share": AXES["share"]}, value=0.5)
    assert all(neighbour(single, (), random)["share"] != 0.5 for _ in range(50))


def alike(axis: BaseDistribution, count: int, *values: Any) -> list[FrozenTrial]:
    """A trial for each value, which all of its axes have."""
    axes = {f"x{number}": axis for number in range(count)}
    return [create_trial(params=dict.fromkeys(axes, value), distributions=axes, value=0) for value in values]


def test_half_of_the_changes_start_from_one_of_the_other_good_trials() -> None:
    parent, *others = alike(FloatDistribution(0, 1), MANY, 0.5, 0.0, 1.0)
    random = np.random.default_rng(0)
    found = np.array([[*neighbour(parent, others, random).values()] for _ in range(300)])
    for end in found, 1 - found:
        beside = end[end < 3 * CROSSING_STEP]
        share = CHANGED * (CROSSED / 2 + (1 - CROSSED) * 0.0098)  # some steps of the parent end there, too
        assert len(beside) / found.size == pytest.approx(share, abs=0.02)
        assert np.sqrt(np.mean(beside**2)) == pytest.approx(CROSSING_STEP, rel=0.1)


@pytest.mark.parametrize(("count", "crossed"), [(2 * MANY, CROSSED), (MANY // 5, CROSSED / 5)])
def test_a_choice_that_crosses_is_that_of_the_other_trial_and_fewer_do_of_few_axes(count: int, crossed: float) -> None:
    parent, other = alike(CategoricalDistribution(("a", "b", "c")), count, "a", "b")
    random = np.random.default_rng(0)
    found = [value for _ in range(6000 // count) for value in neighbour(parent, [other], random).values()]
    share = CHANGED + (1 - CHANGED) ** count / count  # at least one changes
    assert found.count("b") / len(found) == pytest.approx(share * (crossed + (1 - crossed) / 3), abs=0.03)


def test_an_axis_that_another_trial_does_not_have_makes_a_step() -> None:
    parent, random = trial(1, 0.5), np.random.default_rng(0)
    other = create_trial(params={"depth": 4}, distributions={"depth": AXES["depth"]}, value=0.4)
    rates = [neighbour(parent, [other], random)["rate"] for _ in range(1000)]
    assert np.mean([rate != parent.params["rate"] for rate in rates]) == pytest.approx(CHANGED, abs=0.06)


def test_the_good_trials_are_few_and_keep_the_limits() -> None:
    trials = [trial(n, 0.1 * n) for n in range(8)] + [trial(8, 0.9, constraints={"size": 1.0})]
    sampler = Seen(seed=0, startup=4)
    sampler.asked(study_of(trials, sampler))
    assert [good.number for good in sampler._good] == [7, 6, 5, 4, 3]


def test_the_best_that_keeps_the_limits_is_changed() -> None:
    trials = [trial(n, 0.1 * n) for n in range(6)]
    trials += [trial(6, 0.9, constraints={"size": 1.0}), trial(7, 0.95, state=TrialState.PRUNED)]
    sampler = Seen(seed=0, startup=4)
    assert sampler.asked(study_of(trials, sampler))[1] == 5


def test_a_pruned_trial_is_changed_while_none_is_complete() -> None:
    trials = [trial(n, 0.1 * n, state=TrialState.PRUNED) for n in range(6)]
    sampler = Seen(seed=0, startup=4)
    assert sampler.asked(study_of(trials, sampler))[1] == 5


def test_nothing_is_changed_before_there_is_something_to_choose_from() -> None:
    sampler = Seen(seed=0, startup=4)
    assert sampler.asked(study_of([trial(n, 0.1 * n) for n in range(3)], sampler))[1] is None


def test_trials_without_parameters_leave_nothing_to_change() -> None:
    trials = [create_trial(value=0.1 * n) for n in range(6)]
    for seed in range(8):
        sampler = Seen(seed=seed, startup=4)
        assert sampler.asked(study_of(trials, sampler))[1] is None


@pytest.mark.parametrize(("count", "share"), [(40, 0.85), (10, 0.775)])
def test_so_many_proposals_are_changes_of_the_best_trial(
    count: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/search.md says. The others are left to TPE, in whose place stands a sampler without proposals."""
    trials = alike(FloatDistribution(0, 1), count, *np.linspace(0, 0.7, 12))
    sampler = NearBestSampler(seed=0, startup=4)
    monkeypatch.setattr(sampler, "_tpe", RandomSampler(seed=0))
    *others, best = trials
    study = study_of([*others, create_trial(params=best.params, distributions=best.distributions, value=1)], sampler)
    asked = study.ask().number
    proposals = [sampler.sample_relative(study, study.trials[asked], best.distributions) for _ in range(1000)]
    changed = [best.params["x0"] in params.values() for params in proposals]
    assert np.mean(changed) == pytest.approx(share, abs=0.04)


def test_a_long_history_is_seen_in_part_with_all_that_is_good_and_all_that_runs() -> None:
    trials = [trial(n, n * 1e-4) for n in range(1000)]
    sampler = Seen(seed=0, startup=10)
    study = study_of(trials, sampler)
    running = [study.ask(AXES).number for _ in range(3)]
    kept, _ = sampler.asked(study)
    assert BEST + OTHERS - 20 < len(kept) <= BEST + OTHERS + 4
    assert kept >= {*range(1000 - BEST, 1000), *running}
    assert max(np.diff(sorted(kept))) <= 1000 / OTHERS + 2  # evenly over the whole course


def test_a_short_history_is_seen_whole() -> None:
    sampler = Seen(seed=0, startup=10)
    trials = [trial(n, 0.1) for n in range(BEST + OTHERS)]
    assert sampler.asked(study_of(trials, sampler))[0] == {*range(len(trials) + 1)}


def test_under_hyperband_it_learns_from_the_trials_of_the_bracket() -> None:
    sampler = Seen(seed=0, startup=4)
    study = study_of(
        [trial(n, 0.01 * n) for n in range(40)], sampler, pruner=RetryAwareHyperband(min_resource=1, max_resource=9)
    )
    kept, _ = sampler.asked(study)
    assert 5 < len(kept) < 39


def test_asking_costs_no_more_when_the_history_is_long() -> None:
    trials = [trial(n, n * 1e-4) for n in range(2000)]

    def cost(sampler: Callable[[int], BaseSampler], count: int) -> float:
        study = study_of(trials[:count], sampler(0))

        def ask() -> None:
            for seed in range(5):
                study.sampler = sampler(seed)
                study.ask(AXES)

        return cpu_seconds(ask)

    def ours(seed: int) -> BaseSampler:
        return NearBestSampler(seed=seed, startup=10)

    def optunas(seed: int) -> BaseSampler:
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)

    assert cost(ours, 2000) < 0.5 * cost(optunas, 2000)
