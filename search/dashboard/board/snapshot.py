"""What our page shows of a study: how far it is, its best trials and their pictures, its workers, its classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from search.dashboard.board.panels import Panel, Panels
from search.dashboard.view import ViewStorage
from search.outcome.leaderboard import Row
from search.studies.reports import row_of, state_of, worker_report
from search.studies.study import Study
from spaces import DataFacts
from storage.database.optuna_schema import study_id_of, trial_id_of
from storage.errors import StudyError
from storage.studies.config import StudyConfig
from storage.studies.control import command
from storage.studies.ends import End, ends, is_over
from storage.studies.hosts import LEFT, Host
from storage.studies.liveness import presences
from storage.studies.studies import list_studies, load_config
from storage.trials.queries import Counts, count, feasible, ranked, remaining_seconds

TOP = 5  # trials whose pictures stand side by side, unless somebody asks for more
MOST = 12
LISTED_S = 3600.0  # for so long a host that was lost has a line of its own


@dataclass(frozen=True, kw_only=True)
class StudyRef:
    """A study that marsearch created, with Optuna's id."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class LeaderboardEntry:
    """A trial of the leaderboard. iou: per class in label order, None where undefined. panel: None without one."""

    row: Row
    trial_id: int
    iou: tuple[float | None, ...]
    panel: Panel | None


@dataclass(frozen=True, kw_only=True)
class ScoredTrial:
    """What the chart needs of a complete trial. iou: as in `LeaderboardEntry`. best: the best one when it ended."""

    number: int
    iou: tuple[float | None, ...]
    best: bool


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a study is. state: as `search.studies.reports.state_of` has it. remaining_s: None without an estimate.

    end: why no new trial begins, None where one may.
    """

    state: str
    counts: Counts
    end: End | None
    remaining_s: float | None


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The best trials, best first. top: how many were asked for."""

    top: int
    entries: tuple[LeaderboardEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts of a study. listed: those at work and those lost lately, as `worker_report` has them.

    left, lost: how many others there were.
    """

    listed: tuple[dict[str, Any], ...]
    left: int
    lost: int


@dataclass(frozen=True, kw_only=True)
class StudySnapshot:
    """A study as the page shows it. scored: the trials of the chart, by number."""

    study: StudyRef
    config: StudyConfig
    facts: DataFacts
    progress: Progress
    leaderboard: Leaderboard
    scored: tuple[ScoredTrial, ...]
    hosts: Hosts


class Board:
    """Looks at studies through the dashboard's view of them."""

    def __init__(self, view: ViewStorage) -> None:
        self._view = view
        self._panels = Panels(view.store.artifacts)

    def studies(self) -> tuple[StudyRef, ...]:
        """The studies of marsearch, oldest first. Raises DatabaseError when the database stays away."""
        ours = set(list_studies(self._view.store))
        found = (
            StudyRef(id=study_id_of(s), name=s.study_name) for s in self._view.get_all_studies() if s.study_name in ours
        )
        return tuple(sorted(found, key=lambda study: study.id))

    def look(self, study_id: int, top: int | None = None) -> StudySnapshot:
        """The study now. top: how many trials are compared, 1 to `MOST`.

        Raises KeyError for an unknown id, StudyError for a study that marsearch did not create.
        """
        name = self._view.our_name(study_id)
        if name is None:
            raise StudyError(f"study {study_id} was not created by marsearch")
        study = _study(load_config(self._view.store, name))
        config, facts, trials = study.config, study.facts, self._view.get_all_trials(study_id, deepcopy=False)
        known, shown = presences(self._view.store, name), min(MOST, max(1, top or TOP))
        entries = tuple(self._entry(study, study_id, trial) for trial in ranked(trials)[:shown])
        return StudySnapshot(
            study=StudyRef(id=study_id, name=name),
            config=config,
            facts=facts,
            progress=self._progress(config, trials, [each.host for each in known if each.state == "working"]),
            leaderboard=Leaderboard(top=shown, entries=entries),
            scored=scored(trials, facts.class_names),
            hosts=_hosts([worker_report(each) for each in known]),
        )

    def _progress(self, config: StudyConfig, trials: Sequence[FrozenTrial], there: Sequence[Host]) -> Progress:
        counts, slots = count(trials), sum(host.info.workers for host in there)
        limits = ends(self._view.store, config.study)
        end = limits.end(trials)
        over = is_over(finished=counts.finished, running=counts.running, target=config.trials, end=end)
        return Progress(
            state=state_of(command(self._view.store, config.study), there, over=over),
            counts=counts,
            end=end,
            remaining_s=limits.remaining_s(remaining_seconds(trials, config.trials, slots)) if there else None,
        )

    def _entry(self, study: Study, study_id: int, trial: FrozenTrial) -> LeaderboardEntry:
        return LeaderboardEntry(
            row=row_of(study, trial),
            trial_id=trial_id_of(trial),
            iou=_iou(trial, study.facts.class_names),
            panel=self._panels.of(study_id, trial, study),
        )


def scored(trials: Sequence[FrozenTrial], classes: Sequence[str]) -> tuple[ScoredTrial, ...]:
    """The complete, feasible trials in order of their numbers, with the marks of those that were the best by then."""
    found, highest = [], -1.0
    for trial in trials:
        if trial.state is TrialState.COMPLETE and trial.values and feasible(trial):
            found.append(ScoredTrial(number=trial.number, iou=_iou(trial, classes), best=trial.values[0] > highest))
            highest = max(highest, trial.values[0])
    return tuple(found)


def _iou(trial: FrozenTrial, classes: Sequence[str]) -> tuple[float | None, ...]:
    known = (trial.user_attrs.get(f"iou_{name}") for name in classes)
    return tuple(float(value) if isinstance(value, int | float) else None for value in known)


def _hosts(told: Sequence[dict[str, Any]]) -> Hosts:
    return Hosts(
        listed=tuple(host for host in told if _listed(host)),
        left=sum(host["state"] == LEFT for host in told),
        lost=sum(host["state"] == "lost" and not _listed(host) for host in told),
    )


def _listed(host: dict[str, Any]) -> bool:
    return bool(host["state"] != LEFT and (host["state"] != "lost" or host["beat_age_s"] <= LISTED_S))


@lru_cache(maxsize=8)
def _study(config: StudyConfig) -> Study:
    """The study of this configuration, whose texts need not be read again for each page."""
    return Study(config)
