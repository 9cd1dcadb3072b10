"""Plots drawn by Optuna and parameter importances: bounded in size, one at a time, cached by the finished trials.

Optuna draws a subplot for every pair of parameters: minutes and gigabytes for the hundred axes of a wide study.
"""

from __future__ import annotations

import copy
import json
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from search.dashboard.exclusive import Exclusive
from search.dashboard.view import ViewStorage
from search.errors import SearchError, UsageError
from storage.trials.trial_times import utc

# Measured on one core: rank takes 3.2 kB of JSON per trial and pair, parallel_coordinate 0.1 ms per trial and axis.
MOST_PAIRS = 20  # of parameters, in contour and rank
MOST_POINTS = 20_000  # of contour and rank: trials times pairs
MOST_CELLS = 100_000  # of the other plots: trials times parameters
MOST_BARS = 2_000  # trials of a timeline
MINUTE_S = 60.0  # maximum age of a cached timeline, whose bars grow

OF_PARAMETERS = ("contour", "rank", "slice", "parallel_coordinate")
OF_TRIALS = ("edf", "timeline", "pareto_front")


class TooLarge(SearchError):
    """A plot too large for the server: choose some of the parameters."""


class Plots:
    """Plots of the studies in a view; safe for many threads. exclusive: runs one computation at a time."""

    def __init__(self, view: ViewStorage, exclusive: Exclusive | None = None) -> None:
        self._view = view
        self._exclusive = exclusive or Exclusive()

    def plot(self, study_id: int, kind: str, params: Sequence[str] = ()) -> bytes:
        """A figure as plotly's JSON. params: which parameters it shows, all without any.

        Raises TooLarge, Busy, KeyError for an unknown study and UsageError for an unknown kind or parameter.
        """
        if kind not in OF_PARAMETERS + OF_TRIALS:
            raise UsageError(f"there is no plot {kind!r}: {', '.join(OF_PARAMETERS + OF_TRIALS)} are known")
        trials = self._view.get_all_trials(study_id, deepcopy=False)
        _check_size(kind, trials, self._chosen(trials, params))
        moment = int(time.monotonic() / MINUTE_S) if kind == "timeline" else 0
        name = (*self._identity(study_id), kind, tuple(params))
        version = (*finished_version(trials), moment)
        return self._exclusive.get(name, version, lambda: _draw(self._study(study_id), kind, params))

    def importances(self, study_id: int) -> bytes:
        """The importance of each parameter for each objective, as optuna-dashboard's pages read it."""
        trials = self._view.get_all_trials(study_id, deepcopy=False)
        name = (*self._identity(study_id), "importances")
        return self._exclusive.get(name, finished_version(trials), lambda: _importances(self._study(study_id), trials))

    def turn(self) -> AbstractContextManager[None]:
        """Hold the turn for another expensive response. Raises Busy."""
        return self._exclusive.turn()

    def _identity(self, study_id: int) -> tuple[int, int]:
        """Identifies the study, whose id may belong to another study later."""
        return study_id, self._view.generation(study_id)

    def _study(self, study_id: int) -> optuna.Study:
        return optuna.load_study(study_name=self._view.get_study_name_from_id(study_id), storage=self._view)

    def _chosen(self, trials: Sequence[FrozenTrial], params: Sequence[str]) -> list[str]:
        known = {name for trial in trials for name in trial.params}
        unknown = [name for name in params if name not in known]
        if unknown:
            raise UsageError(f"no trial has a parameter {unknown[0]!r:.80}")
        return sorted(set(params)) if params else sorted(known)


def finished_version(trials: Sequence[FrozenTrial]) -> tuple[int, int, int]:
    """Identifies the set of a study's finished trials, which only grows: how many, how many complete, the latest."""
    finished = [trial for trial in trials if trial.state.is_finished()]
    complete = sum(trial.state is TrialState.COMPLETE for trial in finished)
    return len(finished), complete, max((trial.number for trial in finished), default=-1)


def _check_size(kind: str, trials: Sequence[FrozenTrial], params: Sequence[str]) -> None:
    count = sum(trial.state is TrialState.COMPLETE for trial in trials)
    if kind in OF_PARAMETERS:
        most = _most_parameters(kind, count)
        if len(params) > most:
            raise TooLarge(
                f"a {kind} plot of {len(params)} parameters and {count} trials is too large: choose at most {most}"
                f" parameters, for instance ?params={','.join(params[: min(most, 3)])}"
            )
    elif kind == "timeline" and len(trials) > MOST_BARS:
        raise TooLarge(f"a timeline of {len(trials):,} trials is too large: at most {MOST_BARS:,} are drawn")


def _most_parameters(kind: str, trials: int) -> int:
    """How many parameters a plot of so many trials may have, two at least."""
    if kind in ("slice", "parallel_coordinate"):
        return max(2, MOST_CELLS // max(1, trials))
    pairs = min(MOST_PAIRS, MOST_POINTS // max(1, trials))
    return max(k for k in range(2, MOST_PAIRS + 2) if k == 2 or k * (k - 1) <= pairs)


def _draw(study: optuna.Study, kind: str, params: Sequence[str]) -> bytes:
    draw: Callable[..., Any] = getattr(optuna.visualization, f"plot_{kind}")
    several = len(study.directions) > 1
    options: dict[str, Any] = {"params": list(params) or None} if kind in OF_PARAMETERS else {}
    if several and kind not in ("timeline", "pareto_front"):
        options |= {"target": lambda trial: trial.values[0], "target_name": "Objective 0"}
    zone = timezone(datetime.now(UTC).astimezone().utcoffset() or timedelta())
    if kind == "timeline":
        setattr(study, "get_trials", partial(_trials_in, zone, study.get_trials()))  # noqa: B010 - a method in its place
    try:
        figure = draw(study, **options)
    except ImportError as error:
        raise UsageError("the server draws no plots: install plotly beside it") from error
    except ValueError as error:
        raise UsageError(f"this study has no such plot: {error}") from error
    if kind == "slice":
        figure.update_layout(width=None)  # Optuna's own goes beyond the screen
    if kind == "timeline":
        figure.update_xaxes(title=f"Datetime ({zone})")
    text: str = figure.to_json()
    return text.encode()


def _trials_in(zone: timezone, trials: Sequence[FrozenTrial], **_: Any) -> list[FrozenTrial]:
    """The trials with times of one zone, in which Optuna takes their differences; local ones jump by an hour."""
    shown = [copy.copy(trial) for trial in trials]
    for trial in shown:
        for name in ("datetime_start", "datetime_complete"):
            if (moment := getattr(trial, name)) is not None:
                setattr(trial, name, utc(moment).astimezone(zone).replace(tzinfo=None))
    return shown


def _importances(study: optuna.Study, trials: Sequence[FrozenTrial]) -> bytes:
    """By PED-ANOVA, as optuna-dashboard does it; nothing before two trials are complete."""
    found = [_importance(study, trials, objective) for objective in range(len(study.directions))]
    return json.dumps({"param_importances": found}).encode()


def _importance(study: optuna.Study, trials: Sequence[FrozenTrial], objective: int) -> list[dict[str, Any]]:
    sign = -1.0 if study.directions[objective] is StudyDirection.MAXIMIZE else 1.0
    if sum(trial.state is TrialState.COMPLETE for trial in trials) < 2:
        return []
    kinds = {name: type(axis).__name__ for trial in reversed(trials) for name, axis in trial.distributions.items()}
    try:
        with warnings.catch_warnings():  # Optuna warns that lower is better, which the sign sees to
            warnings.filterwarnings("ignore", message="PedAnovaImportanceEvaluator computes")
            found = get_param_importances(
                study, target=lambda trial: sign * trial.values[objective], evaluator=PedAnovaImportanceEvaluator()
            )
    except ValueError as error:
        raise UsageError(f"no importance can be told: {error}") from error
    if not found:
        found = dict.fromkeys(kinds, 1 / max(1, len(kinds)))
    return [{"name": name, "importance": value, "distribution": kinds[name]} for name, value in found.items()]
