"""Optuna's view of a study, for a thread that asks it for trials."""

from __future__ import annotations

import optuna

from search.studies.constraints import violation_of
from search.studies.pruners import build_pruner
from search.studies.samplers import build_sampler
from search.studies.study import Study
from storage.store import Store


def load_study(
    store: Store, study: Study, device_gb: float | None = None, *, pixel_bytes: int = 1, bfloat16: bool = True
) -> optuna.Study:
    """An Optuna study of its own for one thread, with the study's sampler and pruner.

    device_gb, pixel_bytes, bfloat16: of the trainings that the thread will run, so that recipes too large for them are
    not proposed; see `search.studies.constraints`. The pruner counts a trial once, however many attempts it has had.
    """
    violation = violation_of(study, device_gb, pixel_bytes=pixel_bytes, bfloat16=bfloat16)
    sampler = build_sampler(study.config, violation)
    name, pruner = study.config.study, build_pruner(study.config)
    return optuna.load_study(study_name=name, storage=store.trials, sampler=sampler, pruner=pruner)
