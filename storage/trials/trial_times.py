"""When a trial ran, in UTC: Optuna gives naive local times, whose differences are wrong at the end of summer time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def utc(moment: datetime) -> datetime:
    """Optuna's naive local time as a moment in UTC.

    In the hour that occurs twice a naive time is ambiguous unless its `fold` says which one it is, as it does for
    trials read from our storage.
    """
    return moment.astimezone(UTC)


def local_time(moment: datetime | None) -> datetime | None:
    """The naive local time that Optuna shows for a stored naive UTC time, with `fold` set in the repeated hour."""
    if moment is None:
        return None
    whole = moment.replace(tzinfo=UTC, microsecond=0).timestamp()
    return datetime.fromtimestamp(whole).replace(microsecond=moment.microsecond)  # noqa: DTZ006


def seconds_of(trial: Any) -> float | None:
    """How long the trial ran, in seconds; None while it has no beginning or no end.

    trial: anything with Optuna's `datetime_start` and `datetime_complete`.
    """
    started, completed = trial.datetime_start, trial.datetime_complete
    if started is None or completed is None:
        return None
    return max(0.0, (utc(completed) - utc(started)).total_seconds())
