"""`marsearch work --on ray`: one host per slot on all nodes of a cluster, until the study is finished."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from search.cluster.hosts import ClusterHosts
from search.cluster.ray_cluster import Slots
from search.errors import TrainingFailed, UsageError
from search.host.context import WorkOptions
from search.host.periodic_task import PeriodicTask, periodic_tasks, run_with_timeout
from search.host.progress import Endings
from search.host.shutdown import BUDGET, Signals, counted_signals
from search.host.work_done import WorkDone, work_done
from search.studies.study import StudyDefinition
from storage.errors import StudyError
from storage.store import Store
from storage.studies.control import command
from storage.studies.ends import Ends, ends
from storage.studies.studies import load_config, trials_of

POLL_S = 0.25  # between two looks at signals and hosts
STUDY_POLL_S = 2.0  # between two looks at the study

log = logging.getLogger(__name__)


class StudyWatch:
    """The study as last seen; logs each trial that has ended. over: it is finished, was stopped or deleted."""

    def __init__(self, store: Store, study: StudyDefinition, target: int, exhausted: bool) -> None:
        self.done = work_done((), target, Ends())
        self.over = False
        self._store = store
        self._study = study.config.study
        self._constant = study.constant_note
        self._exhausted = exhausted
        self._endings = Endings()

    def look(self) -> None:
        """Read the study."""
        try:
            stopped = command(self._store, self._study) == "stop"
            limits, trials = ends(self._store, self._study), trials_of(self._store, self._study)
        except (StudyError, KeyError):
            self.over = True  # deleted
            return
        self.done = work_done(trials, self.done.target, limits, exhausted=self._exhausted)
        self.over = stopped or self.done.over
        for _, line in self._endings.look(trials, self.done.target, self._constant):
            log.info("%s", line)


def work(ray: Any, store: Store, options: WorkOptions, slots: Slots, environment: Mapping[str, str]) -> WorkDone:
    """Work on the study until its end, the timeout or a signal.

    ray: Ray's module, connected. environment: of every host, with credentials. Raises StudyError for an unknown study;
    when every slot was given up before the end, UsageError or TrainingFailed with the last line of their hosts.
    """
    known = StudyDefinition(load_config(store, options.study))
    target = known.target(options.trials or known.config.trials, trials_of(store, options.study))
    threads = {"OMP_NUM_THREADS": str(slots.cpus)}
    hosts = ClusterHosts(ray, slots, _arguments(options, slots), threads | dict(environment))
    exhausted = known.space.size(target) is not None
    study, errors = StudyWatch(store, known, target, exhausted), list[BaseException]()
    reading = PeriodicTask("reading the study", STUDY_POLL_S, study.look)
    with counted_signals() as signals:
        with periodic_tasks((reading,), errors.append):
            try:
                _supervise(hosts, options.timeout or math.inf, study, signals, errors)
            except ray.exceptions.RayError as error:
                raise TrainingFailed(f"Ray does not answer any more ({' '.join(str(error).split())})") from error
            finally:
                hosts.kill()
        run_with_timeout(study.look, 1.0 if signals.count else 60.0)
    if errors:
        raise errors[0]
    if not study.done.over and len(hosts.given_up) == len(hosts.slots):
        last = hosts.given_up[-1]
        raise (UsageError if last.status == 2 else TrainingFailed)(last.last_line.removeprefix("marsearch: "))
    return study.done


def _supervise(
    hosts: ClusterHosts, timeout: float, study: StudyWatch, signals: Signals, errors: list[BaseException]
) -> None:
    """Poll the hosts until none is left, or until all must stop; a signal while they stop lets them hurry."""
    end = time.monotonic() + timeout
    while hosts.alive() and not (signals.count or errors or time.monotonic() > end):
        if study.over:
            hosts.start_no_more()
        hosts.poll(POLL_S)
    asked, end = -1, time.monotonic() + BUDGET.cluster
    while hosts.alive() and time.monotonic() < end:
        if signals.count > asked:
            asked = signals.count
            hosts.stop()
        hosts.poll(0.1)


def _arguments(options: WorkOptions, slots: Slots) -> tuple[str, ...]:
    """Of every host: one training at a time, on what its slot was given."""
    device = options.device if options.device != "auto" or slots.gpus else "cpu"
    shared = round(1 / slots.gpus) if slots.gpus else None
    words = {"--device": device, "--trials": options.trials, "--per-gpu": shared}
    given = [word for name, value in words.items() if value is not None for word in (name, str(value))]
    return ("work", options.study, "--workers", "1", *given)
