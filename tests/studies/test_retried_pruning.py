"""A pruner counts a trial once, however many attempts it has had."""

from __future__ import annotations

from collections.abc import Callable

import optuna
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial

from search.studies.create import Created, create
from search.studies.pruners import RetryAwarePruner
from storage.database.optuna_schema import storage_of, study_id_of
from storage.store import Store
from storage.trials.retries import reclaim
from support.studies import Inputs


def test_a_rung_counts_once_for_all_lives_of_a_trial(store: Store, inputs: Callable[..., Inputs]) -> None:
    """The pruner's verdicts are the same whether the first trial was cut off at each rung or not."""
    verdicts = []
    for name in ("uncut", "cut"):
        create(store, *inputs(study=name, trials=40, epochs=9))
        study = optuna.load_study(study_name=name, storage=store.trials)
        study.pruner = RetryAwarePruner(SuccessiveHalvingPruner(min_resource=1, reduction_factor=3))
        seen = []
        for value in (0.5, 0.4, 0.6, 0.55, 0.45, 0.7):
            trial = study.ask()
            for step in (1, 3, 9):
                trial.report(value, step)
                seen.append(trial.should_prune())
                if name == "cut" and value == 0.5 and step < 9:
                    trial = cut_off(study, trial, step, value)
            study.tell(trial, value)
        verdicts.append(seen)
    assert verdicts[0] == verdicts[1]
    assert {True, False} == set(verdicts[0])


def test_a_pruner_knows_a_trial_by_its_first_number(store: Store, created: Created) -> None:
    """Hyperband draws the bracket of a trial from its number."""
    seen: list[tuple[int, list[int]]] = []

    class Spy(NopPruner):
        def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
            seen.append((trial.number, [t.number for t in study.get_trials(deepcopy=False)]))
            return False

    study = optuna.load_study(study_name="tiny", storage=store.trials, pruner=RetryAwarePruner(Spy()))
    first, second = study.ask(), study.ask()
    again = cut_off(study, first, 1, 0.5)
    second.should_prune()
    assert again.number == 2
    assert seen == [(0, [0, 1]), (1, [0, 1])]


def cut_off(study: optuna.Study, trial: optuna.Trial, reached: int, value: float) -> optuna.Trial:
    """Kill the trial, and let its next life catch up with what it had reached."""
    assert reclaim(storage_of(study), study_id_of(study), study.get_trials()[trial.number], "lost")
    again = study.ask()
    for step in (1, 3, 9):
        if step <= reached:
            again.report(value, step)
            again.should_prune()
    return again
