"""The trials of a study, read with one statement per table, for people who look and do not work.

Optuna makes an object of every row, which takes half a minute for 10,000 trials of 50 epochs (measured); here rows stay
tuples, each distribution is parsed once, and of a long curve only some points are kept.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy import ColumnElement, String, select, type_coerce
from sqlalchemy.orm import Session

from storage.signature import unsigned

MOST_IDS = 5000  # in one statement; databases take a bounded number of parameters
_STORED = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}  # how Optuna names what is no number

Distributions = dict[str, BaseDistribution]


@dataclass
class _Parts:
    """What belongs to one trial, in the order it was stored; of values the place says which objective."""

    params: dict[str, Any] = field(default_factory=dict)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)
    values: dict[int, float] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    system: dict[str, Any] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)


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
    parts: dict[int, _Parts] = {row.trial_id: _Parts() for row in rows}
    if not parts:
        return []
    chunks = _conditions(study_id, None if after < 0 else list(parts))
    for condition in chunks:
        _add_params(session, condition, parts, known)
        _add_values(session, condition, parts)
        _add_attributes(session, condition, parts)
        _add_curves(session, condition, parts)
    return [_frozen(row, parts[row.trial_id], points) for row in rows]


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


def _conditions(study_id: int, ids: list[int] | None) -> list[Any]:
    """What a part's trial must be, as clauses that a statement can hold; of the whole study without ids."""
    trial: Any = models.TrialModel
    if ids is None:
        return [lambda column: column.in_(select(trial.trial_id).where(trial.study_id == study_id))]
    return [lambda column, some=some: column.in_(some) for some in _chunks(ids)]


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), MOST_IDS):
        yield ids[start : start + MOST_IDS]


def _fetch(session: Session, condition: Any, table: Any, *columns: ColumnElement[Any]) -> Iterator[Any]:
    yield from session.execute(select(table.trial_id, *columns).where(condition(table.trial_id)))


def _add_params(session: Session, condition: Any, parts: Mapping[int, _Parts], known: Distributions) -> None:
    table: Any = models.TrialParamModel
    columns = (table.param_id, table.param_name, table.param_value, table.distribution_json)
    for trial, _, name, value, text in sorted(_fetch(session, condition, table, *columns), key=lambda row: row[1]):
        if trial in parts:
            distribution = known.get(text) or known.setdefault(text, json_to_distribution(text))
            parts[trial].params[name] = distribution.to_external_repr(value)
            parts[trial].distributions[name] = distribution


def _add_values(session: Session, condition: Any, parts: Mapping[int, _Parts]) -> None:
    table: Any = models.TrialValueModel
    kind: ColumnElement[str] = type_coerce(table.value_type, String)
    for trial, objective, value, name in _fetch(session, condition, table, table.objective, table.value, kind):
        if trial in parts:
            parts[trial].values[objective] = _STORED.get(name, value)


def _add_attributes(session: Session, condition: Any, parts: Mapping[int, _Parts]) -> None:
    user: Any = models.TrialUserAttributeModel
    system: Any = models.TrialSystemAttributeModel
    for trial, key, text in _fetch(session, condition, user, user.key, user.value_json):
        if trial in parts:
            parts[trial].user[key] = json.loads(text)
    for trial, key, text in _fetch(session, condition, system, system.key, system.value_json):
        if trial in parts:
            parts[trial].system[key] = json.loads(text)


def _add_curves(session: Session, condition: Any, parts: Mapping[int, _Parts]) -> None:
    table: Any = models.TrialIntermediateValueModel
    kind: ColumnElement[str] = type_coerce(table.intermediate_value_type, String)
    curves: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    for trial, step, value, name in _fetch(session, condition, table, table.step, table.intermediate_value, kind):
        curves[trial].append((step, value if name == "FINITE" else _STORED[name]))
    for trial, curve in curves.items():
        if trial in parts:
            parts[trial].curve = curve


def _frozen(row: Any, part: _Parts, points: int) -> FrozenTrial:
    unsigned(part.system)
    return FrozenTrial(
        number=row.number,
        state=row.state,
        value=None,
        values=_in_order(part.values) or None,
        datetime_start=_local(row[3]),
        datetime_complete=_local(row[4]),
        params=part.params,
        distributions=part.distributions,
        user_attrs=part.user,
        system_attrs=part.system,
        intermediate_values=dict(thin(part.curve, points)),
        trial_id=row.trial_id,
    )


def _in_order(values: Mapping[int, float]) -> list[float]:
    return [values[objective] for objective in sorted(values)]


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
