"""Which trial of a study is meant: the best one, or one by its number."""

from __future__ import annotations

from optuna.trial import FrozenTrial

from search.errors import UsageError
from storage.store import Store
from storage.studies.studies import trials_of
from storage.trials.queries import best_of


def chosen(store: Store, study: str, number: int | None) -> FrozenTrial:
    """The trial of that number, the best one for None. UsageError where there is none, StudyError without the study."""
    trials = trials_of(store, study)
    found = best_of(trials) if number is None else next(iter(trials[number : number + 1]), None)
    if found is not None:
        return found
    if number is None:
        raise UsageError(f"study {study}: no trial is complete yet, let it run first (marsearch work {study})")
    raise UsageError(f"study {study}: there is no trial {number}, it has {len(trials)} (see marsearch trials {study})")
