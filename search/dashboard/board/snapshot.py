"""What our page shows of a study: how far it is, its best trials and what they changed, its hosts, its classes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from optuna.trial import FrozenTrial

from search.dashboard.board.digest import Digest, Digests
from search.dashboard.board.panels import Panel, Panels
from search.dashboard.board.scored import iou_of
from search.dashboard.board.worst import Worst
from search.dashboard.view import ViewStorage
from search.outcome.leaderboard import Row
from search.studies.baseline import Baseline, baseline
from search.studies.difference import Change
from search.studies.reports import row_of, state_of, worker_report
from search.studies.study import StudyDefinition
from spaces import DataFacts
from storage.database.optuna_schema import study_id_of, trial_id_of
from storage.errors import StudyError
from storage.studies.config import StudyConfig
from storage.studies.control import Command, command
from storage.studies.ends import End, ends, is_over
from storage.studies.hosts import LEFT, Host
from storage.studies.liveness import presences
from storage.studies.studies import list_studies, load_config
from storage.trials.queries import Counts, count, remaining_seconds

TOP = 5  # trials whose pictures stand side by side, unless somebody asks for more
MOST = 12
MOST_DESCRIBED = 500  # trials whose words are kept
LISTED_S = 3600.0  # for so long a host that was lost has a line of its own


@dataclass(frozen=True, kw_only=True)
class StudyRef:
    """A study that marsearch created, with Optuna's id."""

    id: int
    name: str


@dataclass(frozen=True, kw_only=True)
class LeaderboardEntry:
    """A trial of the leaderboard.

    iou: per class in label order, None where undefined. panel: None without one. changes: against the baseline, None
    where today's axes cannot say what the trial tried. gain: its score less the baseline's, None without one.
    """

    row: Row
    trial_id: int
    iou: tuple[float | None, ...]
    panel: Panel | None
    changes: tuple[Change, ...] | None
    gain: float | None


@dataclass(frozen=True, kw_only=True)
class _Described:
    """What takes the longest to say of a complete trial."""

    row: Row
    changes: tuple[Change, ...] | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a study is. state: as `search.studies.reports.state_of` has it. remaining_s: None without an estimate.

    command: what its hosts are to do. end: why no new trial begins, None where one may. hosts: how many are at work.
    """

    state: str
    command: Command
    counts: Counts
    end: End | None
    remaining_s: float | None
    hosts: int


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The best trials, best first.

    top: how many were asked for. baseline: what they are compared with. worst: images, as `Worst.of` has them.
    """

    top: int
    entries: tuple[LeaderboardEntry, ...]
    baseline: Baseline
    worst: str


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
    """A study as the page shows it. digest: of its finished trials."""

    study: StudyRef
    config: StudyConfig
    facts: DataFacts
    progress: Progress
    leaderboard: Leaderboard
    digest: Digest
    hosts: Hosts


class Board:
    """Looks at studies through the dashboard's view of them."""

    def __init__(self, view: ViewStorage) -> None:
        self.view = view
        self._panels = Panels(view.store.artifacts)
        self._digests = Digests()
        self._worst = Worst(view.store.artifacts)
        self._described: OrderedDict[tuple[int, int, str], _Described] = OrderedDict()
        self._lock = threading.Lock()

    def studies(self) -> tuple[StudyRef, ...]:
        """The studies of marsearch, oldest first. Raises DatabaseError when the database stays away."""
        ours = set(list_studies(self.view.store))
        found = (
            StudyRef(id=study_id_of(s), name=s.study_name) for s in self.view.get_all_studies() if s.study_name in ours
        )
        return tuple(sorted(found, key=lambda study: study.id))

    def study(self, study_id: int) -> StudyDefinition:
        """The study of that id.

        Raises KeyError for an unknown id, StudyError for a study that marsearch did not create.
        """
        name = self.view.our_name(study_id)
        if name is None:
            raise StudyError(f"study {study_id} was not created by marsearch")
        return _study(load_config(self.view.store, name))

    def trials(self, study_id: int) -> list[FrozenTrial]:
        """All trials of the study as they are shown."""
        return self.view.get_all_trials(study_id, deepcopy=False)

    def digest(self, study_id: int, study: StudyDefinition, trials: Sequence[FrozenTrial]) -> Digest:
        """What is shown of its finished trials."""
        return self._digests.of((study_id, self.view.generation(study_id)), study, trials)

    def look(self, study_id: int, top: int | None = None) -> StudySnapshot:
        """The study now. top: how many trials are compared, 1 to `MOST`. Raises as `study`."""
        study, trials = self.study(study_id), self.trials(study_id)
        name = study.config.study
        known, shown = presences(self.view.store, name), min(MOST, max(1, top or TOP))
        digest, base = self.digest(study_id, study, trials), baseline(study, trials)
        entries = tuple(self._entry(study, study_id, trial, base) for trial in digest.best[:shown])
        return StudySnapshot(
            study=StudyRef(id=study_id, name=name),
            config=study.config,
            facts=study.facts,
            progress=self._progress(study.config, trials, [each.host for each in known if each.state == "working"]),
            leaderboard=Leaderboard(
                top=shown, entries=entries, baseline=base, worst=self._worst.of(study_id, digest.best, study.facts)
            ),
            digest=digest,
            hosts=_hosts([worker_report(each) for each in known]),
        )

    def _progress(self, config: StudyConfig, trials: Sequence[FrozenTrial], there: Sequence[Host]) -> Progress:
        counts, slots = count(trials), sum(host.info.workers for host in there)
        limits, told = ends(self.view.store, config.study), command(self.view.store, config.study)
        end = limits.end(trials)
        over = is_over(finished=counts.finished, running=counts.running, target=config.trials, end=end)
        return Progress(
            state=state_of(told, there, over=over),
            command=told,
            counts=counts,
            end=end,
            remaining_s=limits.remaining_s(remaining_seconds(trials, config.trials, slots)) if there else None,
            hosts=len(there),
        )

    def _entry(self, study: StudyDefinition, study_id: int, trial: FrozenTrial, base: Baseline) -> LeaderboardEntry:
        described = self._describe(study, study_id, trial, base)
        return LeaderboardEntry(
            row=described.row,
            trial_id=trial_id_of(trial),
            iou=iou_of(trial, study.facts.class_names),
            panel=self._panels.of(study_id, trial, study),
            changes=described.changes,
            gain=base.gain(trial),
        )

    def _describe(self, study: StudyDefinition, study_id: int, trial: FrozenTrial, base: Baseline) -> _Described:
        """The trial in words, made once: a complete trial never changes."""
        key = (self.view.generation(study_id), trial_id_of(trial), base.name)
        with self._lock:
            if key in self._described:
                self._described.move_to_end(key)
                return self._described[key]
        made = _Described(row=row_of(study, trial), changes=base.changes(study, trial))
        with self._lock:
            self._described[key] = made
            if len(self._described) > MOST_DESCRIBED:
                self._described.popitem(last=False)
        return made


def _hosts(told: Sequence[dict[str, Any]]) -> Hosts:
    return Hosts(
        listed=tuple(host for host in told if _listed(host)),
        left=sum(host["state"] == LEFT for host in told),
        lost=sum(host["state"] == "lost" and not _listed(host) for host in told),
    )


def _listed(host: dict[str, Any]) -> bool:
    return bool(host["state"] != LEFT and (host["state"] != "lost" or host["beat_age_s"] <= LISTED_S))


@lru_cache(maxsize=8)
def _study(config: StudyConfig) -> StudyDefinition:
    """The study of this configuration, whose texts need not be read again for each page."""
    return StudyDefinition(config)
