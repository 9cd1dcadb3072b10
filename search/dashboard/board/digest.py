"""What the board shows of finished trials, computed once for each set of them: thousands are gone through only then."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from optuna.trial import FrozenTrial, TrialState

from search.dashboard.board.chart import draw_chart
from search.dashboard.board.scored import ScoredTrial, scored
from search.dashboard.plots import finished_version
from search.outcome.pictures.colours import class_colours
from search.studies.study import StudyDefinition
from storage.trials.queries import ranked
from storage.trials.trial_times import seconds_of

MOST_RANKED = 50  # trials by their score that are kept at hand
MOST_STUDIES = 16  # of which a digest is kept


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the finished trials took.

    seconds: of training, summed over all workers. epochs: trained. pruned: share of the finished trials that were ended
    before their time. saved: epochs that these were spared, against the study's whole length.
    """

    seconds: float
    epochs: int
    pruned: float
    saved: int


@dataclass(frozen=True, kw_only=True)
class Digest:
    """The finished trials of a study. best: the first `MOST_RANKED` by their score. chart: IoU per class, in SVG."""

    best: tuple[FrozenTrial, ...]
    scored: tuple[ScoredTrial, ...]
    cost: Cost
    chart: Markup


class Digests:
    """Keeps the newest digest of each study. Safe for many threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, int], tuple[tuple[int, int, int], Digest]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, identity: tuple[int, int], study: StudyDefinition, trials: Sequence[FrozenTrial]) -> Digest:
        """The digest of these trials. identity: of the study, whose id may belong to another one later."""
        version = finished_version(trials)
        with self._lock:
            known = self._kept.get(identity)
        if known is not None and known[0] == version:
            return known[1]
        made = digest(study, trials)
        with self._lock:
            self._kept[identity] = (version, made)
            self._kept.move_to_end(identity)
            if len(self._kept) > MOST_STUDIES:
                self._kept.popitem(last=False)
        return made


def digest(study: StudyDefinition, trials: Sequence[FrozenTrial]) -> Digest:
    """Go through the trials."""
    found = scored(trials, study.facts.class_names)
    return Digest(
        best=tuple(ranked(trials)[:MOST_RANKED]),
        scored=found,
        cost=_cost(trials, study.config.epochs),
        chart=draw_chart(found, study.facts.class_names, class_colours(study.facts)),
    )


def _cost(trials: Sequence[FrozenTrial], whole: int) -> Cost:
    ended = [t for t in trials if t.state.is_finished()]
    pruned = [t for t in ended if t.state is TrialState.PRUNED]
    return Cost(
        seconds=sum(seconds_of(trial) or 0.0 for trial in ended),
        epochs=sum(map(_epochs, ended)),
        pruned=len(pruned) / max(1, len(ended)),
        saved=sum(max(0, whole - _epochs(trial)) for trial in pruned),
    )


def _epochs(trial: FrozenTrial) -> int:
    told = trial.user_attrs.get("epochs", trial.last_step)
    return told if isinstance(told, int) else 0
