"""`marsearch work --on ray`: one host per slot on all nodes of a cluster, until the study is finished."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from search.cluster.hosts import ClusterHosts
from search.cluster.placement import Slots
from search.errors import TrainingFailed, UsageError
from search.host.periodic_task import PeriodicTask, periodic_tasks, run_with_timeout
from search.host.progress import Endings
from search.host.shutdown import BUDGET, Signals, counted_signals
from search.studies.queries import count
from storage.errors import StudyError
from storage.store import Store
from storage.studies.control import command
from storage.studies.studies import load_config

POLL_S = 0.25  # between two looks at signals and hosts
STUDY_POLL_S = 2.0  # between two looks at the study

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RayWorkOptions:
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


class StudyWatch:
    """The study as last seen; logs each trial that has ended. over: it reached the target, was stopped or deleted."""

    def __init__(self, store: Store, study: str, target: int) -> None:
        self.finished = 0
        self.over = False
        self._store = store
        self._study = study
        self._target = target
        self._endings = Endings()

    def look(self) -> None:
        """Read the study."""
        try:
            stopped = command(self._store, self._study) == "stop"
            study = optuna.load_study(study_name=self._study, storage=self._store.trials)
            trials = study.get_trials(deepcopy=False)
        except (StudyError, KeyError):
            self.over = True  # deleted
            return
        self.finished = count(trials).finished
        self.over = stopped or self.finished >= self._target
        for _, line in self._endings.look(trials, self._target):
            log.info("%s", line)


def work(ray: Any, store: Store, options: RayWorkOptions) -> tuple[int, int]:
    """Work on the study until its end, the timeout, SIGINT or SIGTERM; the trials that have finished, and the target.

    ray: Ray's module, connected. Raises StudyError for an unknown study; when every slot was given up before the end,
    UsageError or TrainingFailed with the last line of their hosts.
    """
    config = load_config(store, options.study)
    target = options.trials or config.trials
    environment = {"OMP_NUM_THREADS": str(options.slots.cpus), **options.environment}
    hosts = ClusterHosts(ray, options.slots, _arguments(options), environment)
    study, errors = StudyWatch(store, options.study, target), list[BaseException]()
    with counted_signals() as signals:
        with periodic_tasks((PeriodicTask("reading the study", STUDY_POLL_S, study.look),), errors.append):
            try:
                _supervise(hosts, options, study, signals, errors)
            except ray.exceptions.RayError as error:
                raise TrainingFailed(f"Ray does not answer any more ({' '.join(str(error).split())})") from error
            finally:
                hosts.kill()
        run_with_timeout(study.look, 1.0 if signals.count else 60.0)
    if errors:
        raise errors[0]
    if study.finished < target and len(hosts.given_up) == len(hosts.slots):
        last = hosts.given_up[-1]
        raise (UsageError if last.status == 2 else TrainingFailed)(last.last_line.removeprefix("marsearch: "))
    return study.finished, target


def slots_note(slots: Slots, nodes: int) -> str:
    """A sentence on what is asked of the cluster, and on what has to wait."""
    each = f"{slots.cpus} CPUs" if slots.cpus > 1 else "1 CPU"
    each += f" and {slots.gpus:g} GPU" if slots.gpus else ""
    waits = f"; there is room for {slots.room}, the others wait for more" if slots.room < slots.count else ""
    return f"{slots.count} slots on {nodes} nodes, {each} each{waits}"


def _supervise(
    hosts: ClusterHosts, options: RayWorkOptions, study: StudyWatch, signals: Signals, errors: list[BaseException]
) -> None:
    """Poll the hosts until none is left, or until all must stop; then stop them."""
    end = time.monotonic() + options.timeout if options.timeout is not None else float("inf")
    while hosts.alive() and not (signals.count or errors or time.monotonic() > end):
        if study.over:
            hosts.start_no_more()
        hosts.poll(POLL_S)
    if hosts.alive():
        _shut_down(hosts, signals)


def _shut_down(hosts: ClusterHosts, signals: Signals) -> None:
    """Let every host shut down in order, and at once when a second signal comes."""
    seen, end = signals.count, time.monotonic() + BUDGET.cluster
    hosts.stop()
    while hosts.alive() and time.monotonic() < end:
        if signals.count > seen:
            seen = signals.count
            hosts.stop()
        hosts.poll(0.1)


def _arguments(options: RayWorkOptions) -> tuple[str, ...]:
    """Of every host: one training at a time, on what its slot was given."""
    device = options.device if options.device != "auto" or options.slots.gpus else "cpu"
    words = {"--device": device, "--trials": options.trials, "--gpus-per-slot": options.slots.gpus or None}
    given = [word for name, value in words.items() if value is not None for word in (name, str(value))]
    return ("work", options.study, "--workers", "1", *given)
