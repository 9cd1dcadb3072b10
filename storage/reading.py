"""The trials of a study, read with one statement per table, for people who look and do not work.

Optuna makes an object of every row, which takes half a minute for 10,000 trials of 50 epochs (measured); here rows stay
tuples, each distribution is parsed once, and of a long curve only some points are kept.
"""

from __future__ import annotations

import gc
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import String, select, type_coerce
from sqlalchemy.orm import Session

from storage.signature import unsigned

MOST_IDS = 5000  # in one statement; databases take a bounded number of parameters
_STORED = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}  # how Optuna names what is no number

Distributions = dict[str, BaseDistribution]
_Parts = defaultdict[int, list[Any]]

_PARAM: Any = models.TrialParamModel
_VALUE: Any = models.TrialValueModel
_STEP: Any = models.TrialIntermediateValueModel
_USER: Any = models.TrialUserAttributeModel
_SYSTEM: Any = models.TrialSystemAttributeModel
_PARTS = {
    _PARAM: (_PARAM.param_id, _PARAM.param_name, _PARAM.param_value, _PARAM.distribution_json),
    _VALUE: (_VALUE.objective, _VALUE.value, type_coerce(_VALUE.value_type, String)),
    _STEP: (_STEP.step, _STEP.intermediate_value, type_coerce(_STEP.intermediate_value_type, String)),
    _USER: (_USER.key, _USER.value_json),
    _SYSTEM: (_SYSTEM.key, _SYSTEM.value_json),
}


def read_trials(
    session: Session,
    study_id: int,
    known: Distributions,
    *,
    after: int = -1,
    among: Collection[int] = (),
    points: int = 0,
) -> list[FrozenTrial]:
    """The study's trials with an id above `after`, and those of the ids `among`, in order of their ids.

    known: distributions by their JSON, kept by the caller from one call to the next.
    points: the most points that are kept of a curve (first, last and evenly between); 0 for all.
    """
    rows = _rows(session, study_id, after, among)  # first: what is finished by now has all its parts
    ids = None if after < 0 else [row.trial_id for row in rows]
    with _uncollected():
        parts = {table: _parts(session, study_id, ids, table, columns) for table, columns in _PARTS.items()}
        return [
            _frozen(row, {table: found.pop(row.trial_id, []) for table, found in parts.items()}, known, points)
            for row in rows
        ]


def thin(curve: Sequence[tuple[int, float]], points: int) -> list[tuple[int, float]]:
    """At most so many points of a curve, the first and the last among them; all for 0 points."""
    ordered = sorted(curve)
    if points <= 0 or len(ordered) <= points:
        return ordered
    last = len(ordered) - 1
    return [ordered[round(place * last / max(1, points - 1))] for place in range(points)]


def _rows(session: Session, study_id: int, after: int, among: Collection[int]) -> list[Any]:
    trial: Any = models.TrialModel
    columns = (trial.trial_id, trial.number, trial.state, trial._datetime_start_utc, trial._datetime_complete_utc)
    query = select(*columns).where(trial.study_id == study_id)
    rows = list(session.execute(query.where(trial.trial_id > after)))
    for ids in _chunks(sorted(number for number in among if number <= after)):
        rows += session.execute(query.where(trial.trial_id.in_(ids)))
    return sorted(rows, key=lambda row: row.trial_id)


def _parts(session: Session, study_id: int, ids: list[int] | None, table: Any, columns: Sequence[Any]) -> _Parts:
    """The rows of a table by their trial, without an order; of the whole study without ids."""
    trial: Any = models.TrialModel
    found: _Parts = defaultdict(list)
    of_study = select(trial.trial_id).where(trial.study_id == study_id)
    for some in [of_study] if ids is None else _chunks(ids):
        query = select(table.trial_id, *columns).where(table.trial_id.in_(some))
        for row in session.connection().execute(query).all():  # the session itself would look at every row
            found[row[0]].append(row)
    return found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), MOST_IDS):
        yield ids[start : start + MOST_IDS]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for cycles, which takes a third of the time among a million new rows (measured)."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _frozen(row: Any, parts: Mapping[Any, list[Any]], known: Distributions, points: int) -> FrozenTrial:
    params, distributions = {}, {}
    for _, _, name, value, text in sorted(parts[_PARAM], key=itemgetter(1)):
        distribution = known.get(text) or known.setdefault(text, json_to_distribution(text))
        params[name], distributions[name] = distribution.to_external_repr(value), distribution
    values = [_STORED.get(kind, value) for _, _, value, kind in sorted(parts[_VALUE], key=itemgetter(1))]
    system = {key: json.loads(text) for _, key, text in parts[_SYSTEM]}
    unsigned(system)
    curve = thin([(step, _STORED.get(kind, value)) for _, step, value, kind in parts[_STEP]], points)
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        values=values or None,
        datetime_start=_local(row[3]),
        datetime_complete=_local(row[4]),
        params=params,
        distributions=distributions,
        user_attrs={key: json.loads(text) for _, key, text in parts[_USER]},
        system_attrs=system,
        intermediate_values=dict(curve),
        trial_id=row.trial_id,
    )


def _local(moment: datetime | None) -> datetime | None:
    """Optuna stores naive UTC and shows naive local time."""
    return None if moment is None else moment.replace(tzinfo=UTC).astimezone().replace(tzinfo=None)


def identity(session: Session, study_id: int) -> tuple[Any, ...]:
    """What tells this study from another one that may get the same id later, as SQLite gives them out again.

    Raises KeyError when there is no study of that id.
    """
    trial: Any = models.TrialModel
    name = session.scalar(select(models.StudyModel.study_name).where(models.StudyModel.study_id == study_id))
    if name is None:
        raise KeyError(f"there is no study with id {study_id}")
    first = select(trial.trial_id, trial._datetime_start_utc).where(trial.study_id == study_id, trial.number == 0)
    return (name, *(tuple(row) for row in session.execute(first)))
