"""A pool of workers: every job is handled once, a stop ends it in order, an error of one thread ends all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import pytest

from search.worker import pool
from search.worker.devices import DeviceSlot
from search.worker.pool import run_jobs

SLOTS = [DeviceSlot(name=f"slot {number}", device="cpu", log=Path("log")) for number in (1, 2)]


class Worker:
    """A worker without a process."""

    made: list[Worker]

    def __init__(self, slot: DeviceSlot) -> None:
        self.slot = slot
        self.stopped = threading.Event()
        self.closed = False
        Worker.made.append(self)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closed = True

    def stop_current(self) -> None:
        self.stopped.set()


@pytest.fixture(autouse=True)
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Worker]:
    Worker.made = []
    monkeypatch.setattr(pool, "WorkerProcess", Worker)
    monkeypatch.setattr(pool, "LOOK", 0.01)
    return Worker.made


def test_every_job_is_handled_once_by_workers_at_the_same_time(workers: list[Worker]) -> None:
    both, handled = threading.Barrier(2, timeout=30), []

    def handle(worker: Worker, job: int) -> None:
        if job < 2:
            both.wait()  # the first two are handled at the same time
        handled.append(job)

    run_jobs(range(7), SLOTS, handle, stop=threading.Event())
    assert sorted(handled) == list(range(7))
    assert [(worker.slot.name, worker.closed) for worker in workers] == [("slot 1", True), ("slot 2", True)]


def test_no_job_is_asked_for_before_a_worker_is_free() -> None:
    asked: list[int] = []

    def jobs() -> Iterator[int]:
        for number in range(4):
            asked.append(number)
            yield number

    def handle(worker: Worker, job: int) -> None:
        assert asked == list(range(job + 1))

    run_jobs(jobs(), SLOTS[:1], handle, stop=threading.Event())
    assert asked == [0, 1, 2, 3]


def test_a_stop_reaches_the_workers_and_no_further_job_is_taken(workers: list[Worker]) -> None:
    stop, handled = threading.Event(), []

    def handle(worker: Worker, job: int) -> None:
        handled.append(job)
        stop.set()
        assert worker.stopped.wait(30)

    run_jobs(range(5), SLOTS[:1], handle, stop=stop)
    assert handled == [0]
    assert workers[0].closed


def test_nothing_is_taken_once_the_flag_is_set() -> None:
    stop = threading.Event()
    stop.set()
    run_jobs(iter(pytest.fail, None), SLOTS, pytest.fail, stop=stop)


def test_an_error_of_one_thread_stops_the_others_and_is_raised(workers: list[Worker]) -> None:
    stop = threading.Event()

    def handle(worker: Worker, job: int) -> None:
        if job == 0:
            raise ValueError("out of order")
        assert worker.stopped.wait(30)

    with pytest.raises(ValueError, match="out of order"):
        run_jobs(range(2), SLOTS, handle, stop=stop)
    assert stop.is_set()
    assert all(worker.closed for worker in workers)


def test_an_interrupt_of_the_main_thread_ends_the_workers_first(
    workers: list[Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    began = threading.Event()

    def interrupted(ends: object, seconds: float) -> None:
        assert began.wait(30)
        raise KeyboardInterrupt

    def handle(worker: Worker, job: int) -> None:
        began.set()
        while not worker.closed:  # a real worker's messages end now
            threading.Event().wait(0.01)

    monkeypatch.setattr(pool, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(range(3), SLOTS[:1], handle, stop=(stop := threading.Event()))
    assert stop.is_set()
