"""Durations of trials at the end of summer time, and through Optuna's storage."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy import update

from storage.database.engine import transaction
from storage.database.optuna_schema import TRIAL_COMPLETED_UTC, TRIAL_STARTED_UTC, TrialModel
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.studies import create_study
from storage.trials import finish, trial_storage
from storage.trials.trial_storage import TrialStorage
from storage.trials.trial_times import local_time, seconds_of, utc
from support.studies import begin, end

BEFORE = datetime(2025, 10, 26, 0, 50)  # UTC; 02:50 in Berlin, for the first time
AFTER = datetime(2025, 10, 26, 1, 10)  # UTC; 02:10 in Berlin, for the second time


@pytest.mark.usefixtures("berlin")
def test_local_times_know_which_of_two_equal_hours_they_are() -> None:
    first, second = local_time(BEFORE), local_time(AFTER)
    assert first is not None
    assert second is not None
    assert (first.hour, second.hour) == (2, 2)
    for moment, shown in ((BEFORE, first), (AFTER, second)):
        for kept in (shown, copy.deepcopy(shown), pickle.loads(pickle.dumps(shown))):
            assert utc(kept) == moment.replace(tzinfo=UTC)


@pytest.mark.usefixtures("berlin")
def test_a_trial_across_the_end_of_summer_time_took_twenty_minutes(tmp_path: Path) -> None:
    storage = TrialStorage(f"sqlite:///{tmp_path / 'a.db'}")
    study = optuna.create_study(storage=storage, study_name="s")
    study.add_trial(optuna.create_trial(value=1.0))
    with transaction(storage.engine) as session:
        session.execute(update(TrialModel).values({TRIAL_STARTED_UTC: BEFORE, TRIAL_COMPLETED_UTC: AFTER}))
    (listed,) = optuna.load_study(storage=storage, study_name="s").get_trials()
    for trial in (listed, storage.get_trial(listed._trial_id)):
        assert seconds_of(trial) == 1200.0
        assert trial.duration is not None
        assert trial.duration.total_seconds() < 0  # what Optuna itself says
    storage.engine.dispose()


def test_a_running_trial_has_no_duration_yet() -> None:
    assert seconds_of(optuna.create_trial(state=TrialState.RUNNING)) is None
    assert seconds_of(optuna.create_trial(state=TrialState.WAITING)) is None


@pytest.mark.parametrize("shift", [timedelta(days=1), timedelta(minutes=-2)])
def test_a_trial_begins_and_ends_by_the_clock_of_the_database(
    shift: timedelta, store: Store, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This machine's clock is wrong; the duration and both moments are right."""
    real = datetime.now

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return real(tz) + shift

    create_study(store, plan)
    earliest = real(UTC) - timedelta(seconds=1)
    for module in (finish, trial_storage):
        if hasattr(module, "datetime"):
            monkeypatch.setattr(module, "datetime", Shifted)
    asked = begin(store)
    assert asked.datetime_start is not None
    assert end(store, asked, state="complete", value=0.5)
    (trial,) = optuna.load_study(storage=store.trials, study_name="mars").get_trials()
    latest = real(UTC) + timedelta(seconds=1)
    duration = seconds_of(trial)
    assert duration is not None
    assert duration < (latest - earliest).total_seconds()
    for moment in (trial.datetime_start, trial.datetime_complete, asked.datetime_start):
        assert moment is not None
        assert earliest <= utc(moment) <= latest
