"""The host: one process on a machine that works on a study, the only one there that talks to the database."""

from __future__ import annotations

import logging
import math
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from search.errors import UsageError
from search.host.context import HostContext, Timing, WorkOptions
from search.host.maintenance import Maintenance
from search.host.periodic_task import periodic_tasks, report_blocked, run_with_timeout
from search.host.progress import Progress
from search.host.sharing import MOST
from search.host.shutdown import Signals, counted_signals
from search.host.state import HostState
from search.host.trial_loop import run_trials
from search.host.work_done import WorkDone
from search.log import recent_lines
from search.studies.study import OpenStudy, open_study
from search.worker.devices import DeviceSlot, cores, device_slots, has_bfloat16, planned_gb, workers_on_cpu
from search.worker.process import WorkerProcess
from spaces.crops import step_pixels
from storage.process_identity import this_process
from storage.store import Store
from storage.studies.hosts import MOST_LINES, HostInfo, leave, new_host_id, register
from storage.studies.studies import study_id
from storage.temporary_folder import check_temporary_folder
from storage.trials.trial_storage import sample_at_most

LOOK_S = 0.25  # between two looks at signals and trial loops

_logger = logging.getLogger(__name__)


def work(
    store: Store,
    options: WorkOptions,
    progress: Progress,
    timing: Timing | None = None,
    *,
    signals: Signals | None = None,
) -> WorkDone:
    """Work on the study until its end, the timeout or a signal; trials under way then go back to the queue.

    signals: where those that come are counted for a process that goes on afterwards, with the handlers it had.

    Raises StudyError for an unknown study, and what went wrong for good after all trial loops have ended.
    """
    with ExitStack() as stack:
        host = new_host_id()
        stack.enter_context(progress.messages(host))
        recent = stack.enter_context(recent_lines(MOST_LINES))
        signals = stack.enter_context(counted_signals(signals=signals))
        state = HostState(epoch_limit(os.environ), recent)
        check_temporary_folder()
        opened = open_study(store, options.study, options.home)
        state.expect(opened.large_pixels)
        slots = _slots(options, opened)
        workers = [WorkerProcess(slot) for slot in slots]
        context = HostContext(store, opened, options, host, workers, state, timing or Timing())
        stack.enter_context(_registered(context))
        for worker in workers:
            stack.enter_context(worker)
        for worker in list(context.free.queue):  # the others start when they are needed
            worker.start()
        maintenance = Maintenance(context, progress)
        sample_at_most(store.trials, study_id(store, options.study), context.target)
        maintenance.tidy()
        maintenance.obey()
        stack.enter_context(progress)
        _supervise(context, maintenance, signals)
        _finish(context, maintenance)
    if context.trouble:
        raise context.trouble[0]
    return maintenance.done


def _slots(options: WorkOptions, study: OpenStudy) -> tuple[DeviceSlot, ...]:
    """What the workers of this host run on; says how many there are where nobody has."""
    logs, whole = options.home / "logs", options.per_gpu == "auto"
    share = MOST if options.per_gpu == "auto" else options.per_gpu or 1
    trials, arrays = options.trials or study.config.trials, (study.dataset.images, study.dataset.masks)
    each_gb = planned_gb(step_pixels(study.facts), sum(array.nbytes for array in arrays), half=has_bfloat16())
    slots = device_slots(options.device, options.workers, logs, share, trials, whole=whole, worker_gb=each_gb)
    if options.per_gpu is not None and slots[0].gpu is None:
        _logger.warning("--per-gpu %s: there is no GPU here, so it changes nothing", options.per_gpu)
    if options.workers is None and slots[0].device == "cpu":
        each = f"{slots[0].threads} thread{'s' if slots[0].threads > 1 else ''}"
        count = f"{len(slots)} workers" if len(slots) > 1 else "1 worker"
        bound = len(slots) < workers_on_cpu(cores(), math.inf, trials)
        why = f" (memory has room for no more, of about {each_gb:.1f} GiB each)" if bound else ""
        _logger.info("%s of %s%s: see `marsearch bench` for what another number of --workers gives", count, each, why)
    return slots


def epoch_limit(environment: Mapping[str, str]) -> float | None:
    """`MARSEARCH_EPOCH_LIMIT` in seconds, None to go by the slowest epochs. Raises UsageError unless it is above 0."""
    if not (text := environment.get("MARSEARCH_EPOCH_LIMIT")):
        return None
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise UsageError(f"MARSEARCH_EPOCH_LIMIT={text}: a number of seconds was expected, such as 900")


def _supervise(context: HostContext, maintenance: Maintenance, signals: Signals) -> None:
    """Run the trial loops until they have ended, or until the host must leave."""
    timeout = context.options.timeout
    end = float("inf") if timeout is None else time.monotonic() + timeout
    tasks = maintenance.tasks()
    with periodic_tasks(tasks, context.fail):
        loops = [threading.Thread(target=run_trials, args=(context,), daemon=True) for _ in 2 * context.workers]
        for loop in loops:
            loop.start()
        while _alive(loops, LOOK_S):
            if context.state.shutdown.begun or signals.count or time.monotonic() > end:
                _leave(context, loops, signals)
                return
            report_blocked(tasks)


def _leave(context: HostContext, loops: list[threading.Thread], signals: Signals) -> None:
    """Stop the workers, let the loops settle their trials, wait no longer than a host has."""
    shutdown = context.state.shutdown
    shutdown.begin()
    context.store.retry_policy.set_deadline()
    while _alive(loops, 0.1) and not shutdown.over:
        if signals.count > 1:
            shutdown.harden()
        for worker in context.workers:
            worker.stop_current()
            if shutdown.kills:
                worker.kill()
    for worker in context.workers:
        worker.kill()


def _alive(loops: list[threading.Thread], seconds: float) -> bool:
    """Whether a loop goes on; waits so long for the end of one that does."""
    alive = [loop for loop in loops if loop.is_alive()]
    for loop in alive[:1]:
        loop.join(seconds)
    return bool(alive)


def _finish(context: HostContext, maintenance: Maintenance) -> None:
    """A last look, and a last try for what the artifact store has not taken."""
    shutdown, outbox = context.state.shutdown, context.outbox
    for step in (maintenance.look, maintenance.tidy, *([] if shutdown.begun else [maintenance.send])):
        run_with_timeout(step, shutdown.last_seconds())
    if waiting := outbox.waiting():
        words = "%d files wait in %s: the next marsearch work with this home sends them"
        _logger.warning(words, len(waiting), outbox.folder)


@contextmanager
def _registered(context: HostContext) -> Iterator[None]:
    info = HostInfo(
        id=context.host,
        study=context.options.study,
        name=socket.gethostname(),
        process=this_process(),
        device=context.workers[0].slot.device,
        workers=context.at_a_time,
    )
    register(context.store, info)
    try:
        yield
    finally:
        run_with_timeout(lambda: leave(context.store, context.host), context.state.shutdown.last_seconds())
