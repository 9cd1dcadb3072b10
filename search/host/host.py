"""The host: one process on a machine that works on a study, the only one there that talks to the database."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from search.errors import UsageError
from search.host.attempt import kill_child
from search.host.maintenance import Patrol
from search.host.periodic import bounded, duties
from search.host.progress import View
from search.host.shutdown import Signals, counted_signals
from search.host.state import HostState
from search.host.trial_loop import HostContext, run_slot
from search.host.uploads import Outbox
from search.studies.checkpoint_names import stem_of
from search.studies.constraints import Gpu, gpu_of
from search.studies.study import open_study
from search.worker.devices import places
from search.worker.process import DeviceSlot, WorkerProcess
from storage.process_identity import worker_id
from storage.store import Store
from storage.studies.hosts import Worker, leave, register
from storage.studies.studies import study_id
from storage.trials.trial_storage import sample_at_most

LOOK = 0.25  # seconds between two looks at signals and slots
# A host that leaves has ten seconds, `docker stop` waits no longer:
STOP_S = 5.0  # for children to finish their batch and write their checkpoint, then they are killed;
UPLOAD_S = 6.0  # until uploads are given up;
HAND_BACK_S = 7.0  # until the trials must be handed back; what is not by then, others take back
HARDER_S = 1.0  # for all of that, once the host is asked a second time
LAST_S = 0.5  # for a last look, and for saying goodbye


@dataclass(frozen=True, kw_only=True)
class Order:
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
class Outcome:
    """How a host's work ended.

    finished: trials of the study that count towards its target; fewer than target when the host was stopped.
    abandoned: something did not end in time; the process should exit without waiting for it.
    """

    finished: int
    target: int
    abandoned: bool = False


def work(store: Store, order: Order, view: View) -> Outcome:
    """Work on the study until its target, the timeout, SIGINT or SIGTERM; trials under way then go back to the queue.

    Raises StudyError for an unknown study, and what went wrong in a slot after all of them have ended.
    """
    with ExitStack() as stack:
        signals = stack.enter_context(counted_signals())
        limit = epoch_limit(os.environ)
        opened = open_study(store, order.study, order.home)
        seats = places(order.device, order.workers, order.home / "logs", order.on_one_gpu)
        board = HostState(say=view.say, epoch_limit=limit)
        outbox = Outbox(store, order.home, view.say, board.stop.is_set)
        worker = stack.enter_context(_registered(store, order.study, seats, board))
        board.worker = worker
        links = [stack.enter_context(WorkerProcess(seat)) for seat in seats]
        crew = HostContext(
            store=store,
            opened=opened,
            board=board,
            outbox=outbox,
            home=order.home,
            stem=stem_of(store, order.study),
            worker=worker,
            target=order.trials or opened.config.trials,
            sharing=_sharing(seats, order),
            gpu=_smallest_gpu(seats, _sharing(seats, order)),
            free=_pool(links),
        )
        patrol = Patrol(crew, view, len(links))
        sample_at_most(store.trials, study_id(store, order.study), crew.target)
        patrol.tidy()
        patrol.obey()
        stack.enter_context(view)
        with duties(patrol.duties(), crew.fail):
            ended = _supervise(crew, links, order, signals)
        _finish(patrol, outbox, board)
    if crew.trouble:
        raise crew.trouble[0]
    return Outcome(finished=patrol.finished, target=crew.target, abandoned=not ended)


def _finish(patrol: Patrol, outbox: Outbox, board: HostState) -> None:
    """A last look, and a last try for what the artifact store has not taken."""
    leaving = board.stop.is_set()
    bounded(patrol.look, LAST_S if leaving else 60.0)
    bounded(patrol.tidy, LAST_S if leaving else 60.0)
    if not leaving and outbox.waiting():
        bounded(patrol.send, 60.0)
    waiting = outbox.waiting()
    if waiting:
        board.say(f"{len(waiting)} files wait in {outbox.folder}: the next marsearch work with this home sends them")


def epoch_limit(environment: Mapping[str, str]) -> float | None:
    """`MARSEARCH_EPOCH_LIMIT`: seconds without a word after which a child counts as hung, None to go by its epochs.

    Raises UsageError for anything but a positive number.
    """
    text = environment.get("MARSEARCH_EPOCH_LIMIT") or ""
    if not text:
        return None
    with suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise UsageError(f"MARSEARCH_EPOCH_LIMIT={text}: a number of seconds was expected, such as 900")


def _supervise(crew: HostContext, links: list[WorkerProcess], order: Order, signals: Signals) -> bool:
    """Look after the slots until they have ended, or until the host must go; whether all of them have."""
    slots = [threading.Thread(target=run_slot, args=(crew,), daemon=True) for _ in range(2 * len(links))]
    for slot in slots:
        slot.start()
    end = time.monotonic() + order.timeout if order.timeout is not None else float("inf")
    while any(slot.is_alive() for slot in slots):
        if crew.board.stop.is_set() or signals.count or time.monotonic() > end:
            return _leave(crew, links, slots, signals)
        _wait(slots, LOOK)
    return True


def _leave(crew: HostContext, links: list[WorkerProcess], slots: list[threading.Thread], signals: Signals) -> bool:
    """Stop the children, let the slots hand their trials back, wait no longer than a host has; whether all ended."""
    began = time.monotonic()
    kill_at, end = began + STOP_S, began + HAND_BACK_S
    crew.board.upload_by = began + UPLOAD_S
    crew.board.stop.set()
    crew.store.patience.hurry()
    harder = False
    while any(slot.is_alive() for slot in slots) and time.monotonic() < end:
        if signals.count > 1 and not harder:
            harder, kill_at = True, 0.0
            end = min(end, time.monotonic() + HARDER_S)
            crew.board.upload_by = min(crew.board.upload_by, end - 0.5)
        for link in links:
            link.stop_current()
            if time.monotonic() >= kill_at:
                kill_child(link)
        _wait(slots, 0.1)
    for link in links:
        kill_child(link)
    return not any(slot.is_alive() for slot in slots)


def _wait(slots: list[threading.Thread], seconds: float) -> None:
    """Wait for a slot that has not ended yet."""
    alive = [slot for slot in slots if slot.is_alive()]
    if alive:
        alive[0].join(seconds)


def _pool(links: list[WorkerProcess]) -> queue.Queue[WorkerProcess]:
    free: queue.Queue[WorkerProcess] = queue.Queue()
    for link in links:
        free.put(link)
    return free


def _sharing(seats: tuple[DeviceSlot, ...], order: Order) -> int:
    """How many children one GPU has at most, those of other hosts too."""
    gpus = [seat.environment.get("CUDA_VISIBLE_DEVICES", "") for seat in seats]
    return max(order.on_one_gpu, *(gpus.count(gpu) for gpu in gpus))


def _smallest_gpu(seats: tuple[DeviceSlot, ...], sharing: int) -> Gpu | None:
    """What every child has, so that whatever is proposed here fits each of them; None without a GPU."""
    found = [gpu for gpu in (gpu_of(seat, sharing) for seat in seats) if gpu is not None]
    return min(found, key=lambda gpu: (gpu.gb, gpu.bfloat16), default=None)


@contextmanager
def _registered(store: Store, study: str, seats: tuple[DeviceSlot, ...], board: HostState) -> Iterator[str]:
    now = datetime.now(UTC)
    worker = Worker(
        id=worker_id(),
        study=study,
        host=socket.gethostname(),
        pid=os.getpid(),
        device=seats[0].device,
        slots=len(seats),
        started=now,
        beat=now,
        state="working",
        trials="",
    )
    register(store, worker)
    try:
        yield worker.id
    finally:
        bounded(lambda: leave(store, worker.id), LAST_S if board.stop.is_set() else 60.0)
