"""Many jobs on a few worker processes: each takes the next job as soon as it is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TypeVar

from search.worker.devices import DeviceSlot
from search.worker.process import WorkerProcess

LOOK = 0.2  # seconds between two looks at the stop flag
Job = TypeVar("Job")


def run_jobs(
    jobs: Iterable[Job],
    slots: Sequence[DeviceSlot],
    handle: Callable[[WorkerProcess, Job], None],
    *,
    stop: threading.Event,
) -> None:
    """Call ``handle`` for each job, in their order, in one thread per slot; return when all threads have ended.

    jobs: asked for the next one by one thread at a time, only while a worker is free and the flag is not set.
    stop: once set, the workers are told to stop their jobs and no further job is taken. It is also set, so that the
    other threads end, when ``handle`` raises; that error is raised here.
    """
    waiting, lock = iter(jobs), threading.Lock()

    def serve(worker: WorkerProcess) -> None:
        try:
            while not stop.is_set():
                with lock:
                    job = next(waiting, None)
                if job is None:
                    return
                handle(worker, job)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(len(slots)) as threads, ExitStack() as stack:
        workers = [stack.enter_context(WorkerProcess(slot)) for slot in slots]
        ends = [threads.submit(serve, worker) for worker in workers]
        try:
            while wait(ends, LOOK).not_done:
                if stop.is_set():
                    for worker in workers:
                        worker.stop_current()
        except BaseException:
            stop.set()  # leaving the block ends the workers, and with them the threads
            raise
    for end in ends:
        end.result()
