"""The host: one process on a machine that works on a study, the only one there that talks to the database."""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from search.errors import UsageError
from search.host.context import HostContext, HostSettings, Timing
from search.host.maintenance import Maintenance
from search.host.periodic_task import periodic_tasks, report_blocked, run_with_timeout
from search.host.progress import Progress
from search.host.shutdown import Signals, counted_signals
from search.host.state import HostState
from search.host.trial_loop import run_trials
from search.host.uploads import Outbox
from search.studies.checkpoints import stem_of
from search.studies.study import OpenStudy, open_study
from search.worker.devices import DeviceSlot, device_slots, smallest_gpu
from search.worker.process import WorkerProcess
from storage.process_identity import this_process
from storage.store import Store
from storage.studies.hosts import HostInfo, leave, new_host_id, register
from storage.studies.studies import study_id
from storage.trials.trial_storage import sample_at_most

LOOK_S = 0.25  # between two looks at signals and trial loops

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """What a host is asked to do; the field names are the options of `marsearch work`.

    workers: trainings at a time, None for one per GPU or pair of cores. trials: target, None for the study's own.
    timeout: seconds, None for none. home: directory for caches, checkpoints and logs. gpus_per_slot: what a training
    takes of a GPU, above 0 to 1; others, also of other hosts, take the rest.
    """

    study: str
    workers: int | None
    trials: int | None
    timeout: float | None
    device: str
    home: Path
    gpus_per_slot: float = 1.0

    @property
    def on_one_gpu(self) -> int:
        """How many trainings share a GPU."""
        return int(1 / self.gpus_per_slot + 1e-9)  # 1/3 as a person writes it, 0.333, and as a machine does


@dataclass(frozen=True, kw_only=True)
class WorkDone:
    """How a host's work ended.

    finished: trials of the study that count towards its target; fewer than target when the host was stopped.
    abandoned: something did not end in time; the process should exit without waiting for it.
    """

    finished: int
    target: int
    abandoned: bool = False


def work(store: Store, options: WorkOptions, progress: Progress, timing: Timing | None = None) -> WorkDone:
    """Work on the study until its target, the timeout, SIGINT or SIGTERM; trials under way then go back to the queue.

    Raises StudyError for an unknown study, and what went wrong for good after all trial loops have ended.
    """
    with ExitStack() as stack:
        host = new_host_id()
        stack.enter_context(progress.messages(host))
        signals = stack.enter_context(counted_signals())
        state = HostState(epoch_limit(os.environ))
        opened = open_study(store, options.study, options.home)
        slots = device_slots(options.device, options.workers, options.home / "logs", options.on_one_gpu)
        stack.enter_context(_registered(store, options.study, slots, state, host))
        workers = [stack.enter_context(WorkerProcess(slot)) for slot in slots]
        settings = _settings(store, options, opened, slots, host, timing or Timing())
        outbox = Outbox(store, options.home, lambda: state.shutdown.begun)
        context = HostContext(store, opened, state, outbox, settings, _pool(workers))
        maintenance = Maintenance(context, progress, len(workers))
        sample_at_most(store.trials, study_id(store, options.study), settings.target)
        maintenance.tidy()
        maintenance.obey()
        stack.enter_context(progress)
        ended = _supervise(context, maintenance, workers, options.timeout, signals)
        _finish(context, maintenance)
    if context.trouble:
        raise context.trouble[0]
    return WorkDone(finished=maintenance.finished, target=settings.target, abandoned=not ended)


def epoch_limit(environment: Mapping[str, str]) -> float | None:
    """`MARSEARCH_EPOCH_LIMIT`: seconds without a message after which a worker counts as hung, None to go by its epochs.

    Raises UsageError for anything but a positive number.
    """
    text = environment.get("MARSEARCH_EPOCH_LIMIT") or ""
    if not text:
        return None
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise UsageError(f"MARSEARCH_EPOCH_LIMIT={text}: a number of seconds was expected, such as 900")


def _supervise(
    context: HostContext,
    maintenance: Maintenance,
    workers: list[WorkerProcess],
    timeout: float | None,
    signals: Signals,
) -> bool:
    """Run the trial loops until they have ended, or until the host must leave; whether all of them have ended."""
    end = time.monotonic() + timeout if timeout is not None else float("inf")
    tasks = maintenance.tasks()
    with periodic_tasks(tasks, context.fail):
        loops = [threading.Thread(target=run_trials, args=(context,), daemon=True) for _ in range(2 * len(workers))]
        for loop in loops:
            loop.start()
        while any(loop.is_alive() for loop in loops):
            if context.state.shutdown.begun or signals.count or time.monotonic() > end:
                return _leave(context, workers, loops, signals)
            report_blocked(tasks)
            _wait(loops, LOOK_S)
    return True


def _leave(context: HostContext, workers: list[WorkerProcess], loops: list[threading.Thread], signals: Signals) -> bool:
    """Stop the workers, let the loops settle their trials, wait no longer than a host has; whether all loops ended."""
    shutdown, harder = context.state.shutdown, False
    shutdown.begin()
    context.store.retry_policy.set_deadline()
    while any(loop.is_alive() for loop in loops) and not shutdown.over:
        if signals.count > 1 and not harder:
            harder = True
            shutdown.harden()
        for worker in workers:
            worker.stop_current()
            if shutdown.kills:
                worker.kill()
        _wait(loops, 0.1)
    for worker in workers:
        worker.kill()
    return not any(loop.is_alive() for loop in loops)


def _wait(loops: list[threading.Thread], seconds: float) -> None:
    """Wait for a loop that has not ended yet."""
    alive = [loop for loop in loops if loop.is_alive()]
    if alive:
        alive[0].join(seconds)


def _finish(context: HostContext, maintenance: Maintenance) -> None:
    """A last look, and a last try for what the artifact store has not taken."""
    shutdown, outbox = context.state.shutdown, context.outbox
    run_with_timeout(maintenance.look, shutdown.last_seconds())
    run_with_timeout(maintenance.tidy, shutdown.last_seconds())
    if not shutdown.begun and outbox.waiting():
        run_with_timeout(maintenance.send, shutdown.last_seconds())
    waiting = outbox.waiting()
    if waiting:
        words = "%d files wait in %s: the next marsearch work with this home sends them"
        _logger.warning(words, len(waiting), outbox.folder)


def _settings(
    store: Store, options: WorkOptions, opened: OpenStudy, slots: tuple[DeviceSlot, ...], host: str, timing: Timing
) -> HostSettings:
    return HostSettings(
        host=host,
        home=options.home,
        target=options.trials or opened.config.trials,
        stem=stem_of(store, options.study),
        gpu=smallest_gpu(slots),
        timing=timing,
    )


def _pool(workers: list[WorkerProcess]) -> queue.Queue[WorkerProcess]:
    free: queue.Queue[WorkerProcess] = queue.Queue()
    for worker in workers:
        free.put(worker)
    return free


@contextmanager
def _registered(store: Store, study: str, slots: tuple[DeviceSlot, ...], state: HostState, host: str) -> Iterator[None]:
    info = HostInfo(
        id=host,
        study=study,
        name=socket.gethostname(),
        process=this_process(),
        device=slots[0].device,
        workers=len(slots),
    )
    register(store, info)
    try:
        yield
    finally:
        run_with_timeout(lambda: leave(store, host), state.shutdown.last_seconds())
