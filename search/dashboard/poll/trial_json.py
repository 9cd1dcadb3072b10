"""A trial as optuna-dashboard's pages read it, as bytes of JSON.

What optuna-dashboard's serialiser makes of it, quicker and smaller: the distribution of each parameter is left out,
four fifths of the bytes; the pages read distributions from the search space of the study only.
"""

from __future__ import annotations

import json
import math
import numbers
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from pydantic_core import PydanticSerializationError, to_json

from storage.database.optuna_schema import trial_id_of
from storage.trials.trial_times import utc

LONGEST = 4096  # characters of an attribute's value
_KINDS = {kind: str(kind) for kind in (bool, int, float, str, type(None))}  # asked for half a million times
_LARGEST = sys.float_info.max  # for an infinite violation: a null would count as none
_NO_NOTE = {"version": 0, "body": ""}
_ARTIFACT = "artifacts:"  # how Optuna's upload_artifact names the attribute of each file


def trial_json(study_id: int, trial: FrozenTrial, note: Mapping[str, Any] | None, more: list[Any]) -> bytes:
    """The trial in JSON. note: of the trial, None for none. more: files that the dashboard noted at the study."""
    system, axes = trial.system_attrs, trial.distributions
    document: dict[str, Any] = {
        "trial_id": trial_id_of(trial),
        "study_id": study_id,
        "number": trial.number,
        "state": trial.state.name.capitalize(),
        "params": [_param(name, value, axes[name]) for name, value in trial.params.items()],
        "fixed_params": [
            {"name": name, "param_external_value": str(value)} for name, value in system.get("fixed_params", {}).items()
        ],
        "user_attrs": [{"key": key, "value": attribute(value)} for key, value in trial.user_attrs.items()],
        "note": note or _NO_NOTE,
        "artifacts": more + artifacts(system),
        "constraints": [max(-_LARGEST, min(float(value), _LARGEST)) for value in system.get("constraints", [])],
        "intermediate_values": [
            {"step": step, "value": _number(value)} for step, value in sorted(trial.intermediate_values.items())
        ],
    }
    if trial.values is not None:
        document["values"] = [_number(value) for value in trial.values]
    document |= _times(trial.datetime_start, trial.datetime_complete)
    return _encoded(document)


def _encoded(document: Mapping[str, Any]) -> bytes:
    """The document in JSON, by the quicker of two encoders where its texts allow it."""
    try:
        return to_json(document)
    except PydanticSerializationError:  # half of a surrogate pair, which no UTF-8 can hold
        return json.dumps(document, separators=(",", ":")).encode()


def artifacts(attributes: Mapping[str, Any], prefix: str = _ARTIFACT) -> list[Any]:
    """The files that system attributes speak of; deleted ones have left a null behind."""
    found = [json.loads(value) for key, value in attributes.items() if key.startswith(prefix)]
    return [file for file in found if file is not None]


def attribute(value: Any) -> str:
    """The value of an attribute as the pages show it, of bounded length."""
    if isinstance(value, bytes):
        return "<binary object>"
    text = value if isinstance(value, str) else str(value) if isinstance(value, numbers.Real) else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _param(name: str, value: Any, axis: BaseDistribution) -> dict[str, Any]:
    kind = type(value)
    return {
        "name": name,
        "param_internal_value": axis.to_internal_repr(value),
        "param_external_value": str(value),
        "param_external_pytyp": _KINDS.get(kind) or str(kind),
    }


def _number(value: float) -> float | str:
    """JSON knows neither infinity nor NaN."""
    if math.isfinite(value):
        return value
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _times(start: datetime | None, complete: datetime | None) -> dict[str, str]:
    """In UTC with the zone: a browser takes a time without one for its own zone's."""
    moments = {"datetime_start": start, "datetime_complete": complete}
    return {name: utc(moment).isoformat() for name, moment in moments.items() if moment is not None}
