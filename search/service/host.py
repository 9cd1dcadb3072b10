"""The host: one process on a machine that works on a study, the only one there that talks to the database."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import optuna

from search.service.devices import places
from search.service.link import Link
from search.service.objective import Board
from search.service.progress import count
from search.service.signals import stop_on_signals
from search.service.slot import Crew, run_slot
from search.service.study import attach, open_study
from search.service.view import View
from storage.store import Store
from storage.workers import Worker, beat, leave, register

LOOK = 0.5  # seconds between two refreshes of the display
BEAT = 10.0  # seconds between two notes of what this host is doing
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

    finished: trials of the study that count towards its target; fewer than target when the host was stopped.
    """

    finished: int
    target: int


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
        stack.enter_context(stop_on_signals(board.stop))
        stack.enter_context(view)
        _supervise(crew, links, order, view)
    if crew.trouble:
        raise crew.trouble[0]
    finished = count(attach(store, opened.plan).get_trials(deepcopy=False)).finished
    return Outcome(finished=finished, target=target)


def _supervise(crew: Crew, links: list[Link], order: Order, view: View) -> None:
    slots = [threading.Thread(target=run_slot, args=(crew,), daemon=True) for _ in range(2 * len(links))]
    for slot in slots:
        slot.start()
    try:
        _watch(crew, slots, order, view)
    finally:
        crew.board.stop.set()
        while any(slot.is_alive() for slot in slots):
            for link in links:
                link.stop_current()
            for slot in slots:
                slot.join(LOOK)


def _watch(crew: Crew, slots: list[threading.Thread], order: Order, view: View) -> None:
    """Look after the slots until they have ended or the host is to stop."""
    study = attach(crew.store, crew.opened.plan)
    end = time.monotonic() + order.timeout if order.timeout is not None else None
    reap = _every(REAP, lambda: optuna.storages.fail_stale_trials(study))  # Optuna looks only before a new trial
    heartbeat = _every(BEAT, lambda: beat(crew.store, crew.worker, _busy(crew.board)))
    while any(slot.is_alive() for slot in slots) and not crew.board.stop.is_set():
        view.refresh(study, crew.board, crew.target, len(slots) // 2)
        reap()
        heartbeat()
        if end is not None and time.monotonic() > end:
            return
        slots[-1].join(LOOK)
    view.refresh(study, crew.board, crew.target, len(slots) // 2)


def _pool(links: list[Link]) -> queue.Queue[Link]:
    free: queue.Queue[Link] = queue.Queue()
    for link in links:
        free.put(link)
    return free


def _busy(board: Board) -> str:
    return ", ".join(f"{trial}: {epoch}/{epochs}" for trial, epoch, epochs, _ in sorted(board.running.values()))


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
