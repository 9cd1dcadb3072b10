"""The answer that the pages of a study poll for, put together from what is ready.

A finished trial never changes, so its JSON is made once; a poll costs the trials that run and what is new.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search.dashboard.poll.axes import Axes
from search.dashboard.poll.trial_json import artifacts, trial_json
from search.dashboard.response import tag_of
from search.dashboard.view import ViewStorage
from storage.database.optuna_schema import FrozenStudy, study_id_of, trial_id_of
from storage.trials.queries import best_of

MOST_STUDIES = 8  # whose trials stay ready
_NOTE = re.compile(r"dashboard:(?:artifacts:)?(?P<trial>[0-9]+):")
_PREFERENTIAL = "preference:is_preferential"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A body of JSON. tag: the same for the same body, without quotes."""

    body: bytes
    tag: str


@dataclass
class _CachedStudy:
    """What is ready of one study: its trials' JSON by id, and what they have in common.

    generation: of the study in the view; another one is another study that got the same id.
    """

    generation: int
    trials: dict[int, bytes] = field(default_factory=dict)
    axes: Axes = field(default_factory=Axes)
    added: set[int] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Details:
    """Answers ``GET /api/studies/ID`` for studies with one objective, as optuna-dashboard would over the same view."""

    def __init__(self, view: ViewStorage) -> None:
        self._view = view
        self._ready: OrderedDict[int, _CachedStudy] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, study_id: int, after: int) -> Answer | None:
        """The study, with its trials from number `after` on; None where optuna-dashboard has to answer itself."""
        study = next((s for s in self._view.get_all_studies() if study_id_of(s) == study_id), None)
        if study is None or len(study.directions) > 1 or _PREFERENTIAL in study.system_attrs:
            self.forget(study_id)
            return None
        trials = self._view.get_all_trials(study_id, deepcopy=False)
        ready = self._of(study_id, self._view.generation(study_id))
        with ready.lock:
            parts = _parts(ready, study, trials)
            _common(ready, trials)
            best = best_of(trials, maximise=study.directions[0] == StudyDirection.MAXIMIZE)
            head = _head(study, ready.axes)
        shown = [part for trial, part in zip(trials, parts, strict=True) if trial is best]
        body = b'%s,"best_trials":[%s],"trials":[%s]}' % (head[:-1], b",".join(shown), b",".join(parts[after:]))
        return Answer(body=body, tag=tag_of(body))

    def forget(self, study_id: int) -> None:
        """Drop what is ready of a study."""
        with self._lock:
            self._ready.pop(study_id, None)

    def _of(self, study_id: int, generation: int) -> _CachedStudy:
        with self._lock:
            ready = self._ready.get(study_id)
            if ready is None or ready.generation != generation:
                ready = self._ready[study_id] = _CachedStudy(generation)
            self._ready.move_to_end(study_id)
            if len(self._ready) > MOST_STUDIES:
                self._ready.popitem(last=False)
            return ready


def _parts(ready: _CachedStudy, study: FrozenStudy, trials: Sequence[FrozenTrial]) -> list[bytes]:
    """Each trial's JSON; of finished ones what is ready, unless somebody has noted something at them."""
    noted = {int(found["trial"]) for key in study.system_attrs if (found := _NOTE.match(key))}
    parts = []
    for trial in trials:
        part = ready.trials.get(trial_id_of(trial))
        if part is None or trial_id_of(trial) in noted:
            part = _part(study, trial, noted)
            if trial.state.is_finished() and trial_id_of(trial) not in noted:
                ready.trials[trial_id_of(trial)] = part
        parts.append(part)
    return parts


def _part(study: FrozenStudy, trial: FrozenTrial, noted: set[int]) -> bytes:
    if trial_id_of(trial) not in noted:
        return trial_json(study_id_of(study), trial, None, [])
    from optuna_dashboard._note import get_note_from_system_attrs

    note: Mapping[str, Any] = get_note_from_system_attrs(study.system_attrs, trial_id_of(trial))
    more = artifacts(study.system_attrs, f"dashboard:artifacts:{trial_id_of(trial)}:")
    return trial_json(study_id_of(study), trial, note, more)


def _common(ready: _CachedStudy, trials: Sequence[FrozenTrial]) -> None:
    new = [trial for trial in trials if trial_id_of(trial) not in ready.added]
    ready.axes.add(new)
    ready.added.update(trial_id_of(trial) for trial in new if trial.state.is_finished())


def _head(study: FrozenStudy, axes: Axes) -> bytes:
    """Everything but the trials, by optuna-dashboard itself."""
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
    from optuna_dashboard._serializer import serialize_study_detail

    plots = get_plotly_graph_objects(study.system_attrs)
    common = axes.intersection, axes.union, axes.attributes, axes.has_curves
    document: dict[str, Any] = serialize_study_detail(study, [], [], *common, plots, [])
    del document["trials"], document["best_trials"]
    return json.dumps(document, separators=(",", ":")).encode()
