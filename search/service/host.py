"""The host: one process on a machine that works on a study, the only one there that talks to the database."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import optuna
from optuna.exceptions import ExperimentalWarning

from search.service.devices import places
from search.service.link import Link
from search.service.objective import Board
from search.service.progress import count
from search.service.slot import Crew, run_slot
from search.service.study import attach, open_study
from search.service.view import View
from storage.store import Store
from storage.workers import Worker, beat, leave, register

LOOK = 0.5  # seconds between two refreshes of the display
REAP = 30.0  # seconds between two looks for trials whose host has died


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a host is asked to do; the field names are the options of `marsearch work`.

    workers: trainings at a time, None for one per GPU or pair of cores. trials: target, None for the study's own.
    timeout: seconds, None for none. home: directory for caches and logs.
    """

    study: str
    workers: int | None
    trials: int | None
    timeout: float | None
    device: str
    home: Path


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a host's work ended.

    finished: trials of the study that count towards its target. stopped: whether a signal or the timeout ended it.
    """

    finished: int
    target: int
    stopped: bool


def work(store: Store, order: Order, view: View) -> Outcome:
    """Work on the study until its target, the timeout, SIGINT or SIGTERM; trials under way then go back to the queue.

    Raises StudyError for an unknown study, and what went wrong in a slot after all of them have ended.
    """
    opened = open_study(store, order.study, order.home)
    seats = places(order.device, order.workers, order.home / "logs")
    board = Board()
    target = order.trials or opened.plan.trials
    with ExitStack() as stack:
        worker = stack.enter_context(_registered(store, order.study, seats[0].device, len(seats)))
        links = [stack.enter_context(Link(seat)) for seat in seats]
        crew = Crew(store=store, opened=opened, board=board, worker=worker, target=target, free=_pool(links))
        stack.enter_context(_signals(board.stop))
        stack.enter_context(view)
        _supervise(crew, links, order, view)
    if crew.trouble:
        raise crew.trouble[0]
    finished = count(attach(store, opened.plan).get_trials(deepcopy=False)).finished
    return Outcome(finished=finished, target=target, stopped=board.stop.is_set())


def _supervise(crew: Crew, links: list[Link], order: Order, view: View) -> None:
    slots = [threading.Thread(target=run_slot, args=(crew,), daemon=True) for _ in range(2 * len(links))]
    for slot in slots:
        slot.start()
    study = attach(crew.store, crew.opened.plan)
    end = time.monotonic() + order.timeout if order.timeout is not None else None
    reap = _every(REAP, lambda: _reap(study))
    heartbeat = _every(10.0, lambda: beat(crew.store, crew.worker, _busy(crew.board)))
    told = False
    while any(slot.is_alive() for slot in slots):
        view.refresh(study, crew.board, crew.target, len(links))
        reap()
        heartbeat()
        if end is not None and time.monotonic() > end:
            crew.board.stop.set()
        if crew.board.stop.is_set() and not told:
            told = True
            for link in links:
                link.stop_current()
        crew.board.stop.wait(LOOK) if not told else slots[-1].join(LOOK)
    view.refresh(study, crew.board, crew.target, len(links))


def _pool(links: list[Link]) -> queue.Queue[Link]:
    free: queue.Queue[Link] = queue.Queue()
    for link in links:
        free.put(link)
    return free


def _busy(board: Board) -> str:
    return ", ".join(f"{trial}: {epoch}/{epochs}" for trial, epoch, epochs, _ in sorted(board.running.values()))


def _reap(study: optuna.Study) -> None:
    """Fail and requeue trials of dead hosts; Optuna itself looks only when another trial starts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        optuna.storages.fail_stale_trials(study)


def _every(seconds: float, act: Callable[[], None]) -> Callable[[], None]:
    due = time.monotonic() + seconds

    def perhaps() -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            act()

    return perhaps


@contextmanager
def _registered(store: Store, study: str, device: str, slots: int) -> Iterator[str]:
    now = datetime.now(UTC)
    worker = Worker(
        id=uuid.uuid4().hex[:12],
        study=study,
        host=socket.gethostname(),
        pid=os.getpid(),
        device=device,
        slots=slots,
        started=now,
        beat=now,
        state="working",
        trials="",
    )
    register(store, worker)
    try:
        yield worker.id
    finally:
        leave(store, worker.id)


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM only set a flag; outside the main thread (tests) there is nothing to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
