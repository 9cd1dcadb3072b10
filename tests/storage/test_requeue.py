"""A trial that lost its host comes back as a waiting copy, without the marks of its first life."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from storage.requeue import MOST_RETRIES, requeue, retried


@pytest.fixture
def study() -> optuna.Study:
    return optuna.create_study(direction="maximize", pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1))


def lost_trial(study: optuna.Study) -> optuna.trial.FrozenTrial:
    trial = study.ask()
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_categorical("norm", ["batch", "none"])
    for step in (1, 2, 4):
        trial.report(0.5, step)
        trial.should_prune()
    study.tell(trial, state=TrialState.FAIL)
    return study.get_trials()[-1]


def test_the_copy_has_the_parameters_but_neither_curve_nor_rungs(study: optuna.Study) -> None:
    lost = lost_trial(study)
    assert any(name.startswith("completed_rung") for name in lost.system_attrs)
    assert requeue(study, lost)
    copy = study.get_trials()[-1]
    assert (copy.state, copy.params) == (TrialState.WAITING, lost.params)
    assert copy.intermediate_values == {}
    assert not [name for name in copy.system_attrs if name.startswith("completed_rung")]
    again = study.ask()
    assert again.number == copy.number
    assert again.suggest_float("lr", 1e-4, 1e-1, log=True) == lost.params["lr"]


def test_a_trial_that_always_loses_its_host_is_given_up(study: optuna.Study) -> None:
    lost = lost_trial(study)
    for _ in range(MOST_RETRIES):
        assert requeue(study, lost)
        trial = study.ask()
        study.tell(trial, state=TrialState.FAIL)
        lost = study.get_trials()[-1]
    assert not requeue(study, lost)
    assert retried(lost) == [0, 1, 2]
