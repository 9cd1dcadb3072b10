"""`marsearch work --on ray`: hosts of one slot each on all nodes of a cluster, until the study is finished."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from search.cluster.fleet import Fleet
from search.cluster.placement import Slots
from search.errors import TrainingFailed, UsageError
from search.host.periodic import Duty, bounded, duties
from search.host.progress import sentence
from search.host.shutdown import Signals, counted_signals
from search.studies.queries import count
from storage.errors import StudyError
from storage.store import Store
from storage.studies.control import command
from storage.studies.studies import load_config

LOOK = 0.25  # seconds between two looks at signals and hosts
LOOK_S = 2.0  # between two looks at how the study stands
LEAVE_S = 12.0  # hosts that leave have ten seconds, and their nodes two to say so


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a cluster is asked to do.

    slots: how many, and how large each is. trials: target, None for the study's own. timeout: seconds, None for none.
    device: "auto", "cpu" or "cuda". environment: of every host, with credentials.
    """

    study: str
    slots: Slots
    trials: int | None
    timeout: float | None
    device: str
    environment: Mapping[str, str]


class StudySummary:
    """How the study stands, as last seen. over: it has reached its target, or was stopped or deleted.

    say: told of each trial that has ended.
    """

    def __init__(self, store: Store, study: str, target: int, say: Callable[[str], None]) -> None:
        self.finished = 0
        self.over = False
        self._store = store
        self._study = study
        self._target = target
        self._say = say
        self._told: set[int] | None = None

    def look(self) -> None:
        """See how it stands now."""
        try:
            stopped = command(self._store, self._study) == "stop"
            study = optuna.load_study(study_name=self._study, storage=self._store.trials)
            trials = study.get_trials(deepcopy=False)
        except (StudyError, KeyError):
            self.over = True  # deleted
            return
        self.finished = count(trials).finished
        self.over = stopped or self.finished >= self._target
        self._tell([trial for trial in trials if trial.state.is_finished()])

    def _tell(self, ended: Sequence[FrozenTrial]) -> None:
        if self._told is None:
            self._told = {trial.number for trial in ended}
        for trial in ended:
            if trial.number not in self._told:
                self._say(sentence(trial, self.finished, self._target))
                self._told.add(trial.number)


def work(ray: Any, store: Store, order: Order, say: Callable[[str], None]) -> tuple[int, int]:
    """Work on the study until its end, the timeout, SIGINT or SIGTERM; the trials that have finished, and the target.

    ray: Ray's module, connected. Raises StudyError for an unknown study; when every slot was given up before the end,
    UsageError or TrainingFailed with what their hosts said last.
    """
    config = load_config(store, order.study)
    target = order.trials or config.trials
    environment = {"OMP_NUM_THREADS": str(order.slots.cpus), **order.environment}
    fleet = Fleet(ray, order.slots, _arguments(order), environment, say)
    standing, trouble = StudySummary(store, order.study, target, say), list[BaseException]()
    with counted_signals() as signals:
        with duties((Duty(name="look", seconds=LOOK_S, act=standing.look),), trouble.append):
            try:
                _mind(fleet, order, standing, signals, trouble)
            except ray.exceptions.RayError as error:
                raise TrainingFailed(f"Ray does not answer any more ({' '.join(str(error).split())})") from error
            finally:
                fleet.end()
        bounded(standing.look, 1.0 if signals.count else 60.0)
    if trouble:
        raise trouble[0]
    if fleet.failed and standing.finished < target and len(fleet.failed) == len(fleet.slots):
        last = fleet.failed[-1]
        raise (UsageError if last.status == 2 else TrainingFailed)(last.said.removeprefix("marsearch: "))
    return standing.finished, target


def slots_note(slots: Slots, nodes: int) -> str:
    """A sentence on what is asked of the cluster, and on what has to wait."""
    each = f"{slots.cpus} CPUs" if slots.cpus > 1 else "1 CPU"
    each += f" and {slots.gpus:g} GPU" if slots.gpus else ""
    waits = f"; there is room for {slots.room}, the others wait for more" if slots.room < slots.count else ""
    return f"{slots.count} slots on {nodes} nodes, {each} each{waits}"


def _mind(fleet: Fleet, order: Order, standing: StudySummary, signals: Signals, trouble: list[BaseException]) -> None:
    """Look after the hosts until none is left, or until all must go."""
    end = time.monotonic() + order.timeout if order.timeout is not None else float("inf")
    while fleet.alive() and not (signals.count or trouble or time.monotonic() > end):
        if standing.over:
            fleet.begin_no_more()
        fleet.look(LOOK)
    if fleet.alive():
        _leave(fleet, signals)


def _leave(fleet: Fleet, signals: Signals) -> None:
    """Let every host leave in order, and at once when we are asked again."""
    asked, end = signals.count, time.monotonic() + LEAVE_S
    fleet.stop()
    while fleet.alive() and time.monotonic() < end:
        if signals.count > asked:
            asked = signals.count
            fleet.stop()
        fleet.look(0.1)


def _arguments(order: Order) -> tuple[str, ...]:
    """Of every host: one training at a time, on what its slot was given."""
    device = order.device if order.device != "auto" or order.slots.gpus else "cpu"
    options = {"--device": device, "--trials": order.trials, "--gpus-per-slot": order.slots.gpus or None}
    given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
    return ("work", order.study, "--workers", "1", *given)
