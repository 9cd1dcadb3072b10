"""The trials of a study, read with one statement per table.

Optuna makes an object of every row, which takes half a minute for 10,000 trials of 50 epochs (measured); here rows stay
tuples, each distribution is parsed once, and of a long curve only some points are kept.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Select, String, and_, func, null, or_, select, type_coerce
from sqlalchemy.orm import Session

from storage.database.optuna_schema import (
    TRIAL_COMPLETED_UTC,
    TRIAL_STARTED_UTC,
    StudyModel,
    TrialIntermediateValueModel,
    TrialModel,
    TrialParamModel,
    TrialSystemAttributeModel,
    TrialUserAttributeModel,
    TrialValueModel,
)
from storage.garbage import uncollected
from storage.trials.idempotency import remove_keys
from storage.trials.queries import CONSTRAINTS, PARAMETERS
from storage.trials.retries import HISTORY
from storage.trials.trial_times import local_time

MOST_IDS = 5000  # in one statement; databases take a bounded number of parameters
_STORED = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}  # how Optuna names what is no number

Distributions = dict[str, BaseDistribution]
_Parts = defaultdict[int, list[Any]]

_TRIAL: Any = TrialModel
_PARAM: Any = TrialParamModel
_VALUE: Any = TrialValueModel
_STEP: Any = TrialIntermediateValueModel
_USER: Any = TrialUserAttributeModel
_SYSTEM: Any = TrialSystemAttributeModel
_COLUMNS = (_TRIAL.trial_id, _TRIAL.number, _TRIAL.state, TRIAL_STARTED_UTC, TRIAL_COMPLETED_UTC)
_PARTS: dict[Any, Select[Any]] = {
    _PARAM: select(_PARAM.trial_id, _PARAM.param_id, _PARAM.param_name, _PARAM.param_value, _PARAM.distribution_json),
    _VALUE: select(_VALUE.trial_id, _VALUE.objective, _VALUE.value, type_coerce(_VALUE.value_type, String)),
    _STEP: select(
        _STEP.trial_id, _STEP.step, _STEP.intermediate_value, type_coerce(_STEP.intermediate_value_type, String)
    ),
    _USER: select(_USER.trial_id, _USER.key, _USER.value_json),
    _SYSTEM: select(_SYSTEM.trial_id, _SYSTEM.key, _SYSTEM.value_json),
}
_OUTCOMES = {  # what `storage.trials.queries` counts and ranks by
    _VALUE: _PARTS[_VALUE],
    _USER: _PARTS[_USER].where(_USER.key == PARAMETERS),
    _SYSTEM: _PARTS[_SYSTEM]
    .join(_TRIAL, _TRIAL.trial_id == _SYSTEM.trial_id)
    .where(or_(_SYSTEM.key == HISTORY, and_(_TRIAL.state == TrialState.COMPLETE, _SYSTEM.key.startswith(CONSTRAINTS)))),
}


def read_trials(
    session: Session,
    study_id: int,
    known: Distributions,
    *,
    after: int = -1,
    among: Collection[int] = (),
    states: Iterable[TrialState] | None = None,
    points: int = 0,
) -> list[FrozenTrial]:
    """The study's trials with an id above `after`, and those of the ids `among`, in order of their ids.

    known: distributions by their JSON, kept by the caller from one call to the next. states: of those, None for all.
    points: the most points that are kept of a curve (first, last and evenly between); 0 for all.
    """
    asked = _of_study(study_id) if states is None else _of_study(study_id).where(_TRIAL.state.in_(list(states)))
    rows = _rows(session, asked, after, among)  # first: what is finished by now has all its parts
    if after >= 0 or states is not None:
        return _assembled(session, rows, [row.trial_id for row in rows], known, points)
    with uncollected():
        return _assembled(session, rows, study_id, known, points)


def read_outcomes(session: Session, study_id: int) -> list[FrozenTrial]:
    """The study's trials in order of their ids, with no more than what counting and ranking them takes.

    That is number, state, end, values, earlier attempts, the size of the network and the constraints of complete ones:
    neither parameters nor curves, which are nearly all that a study holds.
    """
    asked = select(_TRIAL.trial_id, _TRIAL.number, _TRIAL.state, null(), TRIAL_COMPLETED_UTC)
    with uncollected():
        rows = _rows(session, asked.where(_TRIAL.study_id == study_id), -1, ())
        return _assembled(session, rows, study_id, {}, 0, _OUTCOMES)


def read_trial(session: Session, trial_id: int, known: Distributions) -> FrozenTrial:
    """One trial; known: as in `read_trials`. Raises KeyError when there is none of that id."""
    rows = session.execute(select(*_COLUMNS).where(_TRIAL.trial_id == trial_id)).all()
    if not rows:
        raise KeyError(f"there is no trial with id {trial_id}")
    return _assembled(session, rows, [trial_id], known, points=0)[0]


def thin(curve: Sequence[tuple[int, float]], points: int) -> list[tuple[int, float]]:
    """At most so many points of a curve, the first and the last among them; all for 0 points."""
    ordered = sorted(curve)
    if points <= 0 or len(ordered) <= points:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(place * last / max(1, points - 1))] for place in range(points)]


def _of_study(study_id: int) -> Any:
    return select(*_COLUMNS).where(_TRIAL.study_id == study_id)


def _rows(session: Session, asked: Any, after: int, among: Collection[int]) -> list[Any]:
    rows = list(session.execute(asked.where(_TRIAL.trial_id > after)))
    for ids in _chunks(sorted(number for number in among if number <= after)):
        rows += session.execute(asked.where(_TRIAL.trial_id.in_(ids)))
    return sorted(rows, key=lambda row: row.trial_id)


def _assembled(
    session: Session,
    rows: Sequence[Any],
    of: int | list[int],
    known: Distributions,
    points: int,
    queries: Mapping[Any, Select[Any]] = _PARTS,
) -> list[FrozenTrial]:
    """The trials of these rows with their parts. of: their ids, or the id of the study that has them all."""
    parts = {table: _parts(session, of, table, query) for table, query in queries.items()}
    return [
        _frozen(row, {table: found.pop(row[0], []) for table, found in parts.items()}, known, points) for row in rows
    ]


def _parts(session: Session, of: int | list[int], table: Any, query: Select[Any]) -> _Parts:
    """The rows of a query on this table by their trial, which is their first column, without an order."""
    found: _Parts = defaultdict(list)
    of_study = select(_TRIAL.trial_id).where(_TRIAL.study_id == of)
    for some in [of_study] if isinstance(of, int) else _chunks(of):
        asked = query.where(table.trial_id.in_(some))
        for row in session.connection().execute(asked).all():  # the session itself would look at every row
            found[row[0]].append(row)
    return found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), MOST_IDS):
        yield ids[start : start + MOST_IDS]


def _frozen(row: Any, parts: Mapping[Any, list[Any]], known: Distributions, points: int) -> FrozenTrial:
    trial_id, number, state, started, completed = row
    params, distributions = {}, {}
    for _, _, name, value, text in sorted(parts.get(_PARAM, ()), key=itemgetter(1)):
        distribution = known.get(text) or known.setdefault(text, json_to_distribution(text))
        params[name], distributions[name] = distribution.to_external_repr(value), distribution
    values = [_STORED.get(kind, value) for _, _, value, kind in sorted(parts[_VALUE], key=itemgetter(1))]
    system = {key: json.loads(text) for _, key, text in parts[_SYSTEM]}
    remove_keys(system)
    curve = thin([(step, _STORED.get(kind, value)) for _, step, value, kind in parts.get(_STEP, ())], points)
    return FrozenTrial(
        number=number,
        state=state,
        value=None,
        values=values or None,
        datetime_start=local_time(started),
        datetime_complete=local_time(completed),
        params=params,
        distributions=distributions,
        user_attrs={key: json.loads(text) for _, key, text in parts[_USER]},
        system_attrs=system,
        intermediate_values=dict(curve),
        trial_id=trial_id,
    )


def count_trials(session: Session, study_id: int) -> int:
    """How many trials the study has, in any state."""
    return session.scalar(select(func.count()).where(TrialModel.study_id == study_id)) or 0


def identity(session: Session, study_id: int) -> tuple[Any, ...]:
    """What tells this study from another one that may get the same id later, as SQLite gives them out again.

    Raises KeyError when there is no study of that id.
    """
    name = session.scalar(select(StudyModel.study_name).where(StudyModel.study_id == study_id))
    if name is None:
        raise KeyError(f"there is no study with id {study_id}")
    first = select(_TRIAL.trial_id, TRIAL_STARTED_UTC).where(_TRIAL.study_id == study_id, _TRIAL.number == 0)
    return (name, *(tuple(row) for row in session.execute(first)))
