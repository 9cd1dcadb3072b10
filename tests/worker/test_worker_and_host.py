"""A worker goes with its host, and only with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from search.worker.protocol import Train, to_line
from support.jobs import RECIPE, gone
from support.waiting import wait_for

HOST = """
    import sys
    from dataclasses import replace
    from pathlib import Path
    from search.worker.process import WorkerProcess
    from search.worker.devices import DeviceSlot
    from search.worker.protocol import EpochEnd, from_line

    job = from_line(sys.stdin.readline())
    slot = DeviceSlot(name="slot", device="cpu", log=Path(sys.argv[1]))
    with WorkerProcess(slot) as worker:
        for message in worker.train(job, silence=float(sys.argv[2])):
            if isinstance(message, EpochEnd):
                print(worker.pid, message.record.number, flush=True)
"""


@contextmanager
def host_of(job: Train, folder: Path, silence: float) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A host process in the middle of an endless training, and its worker's process id; killed (-9) in the end."""
    endless = replace(job, recipe=RECIPE.replace("epochs: 8", "epochs: 2000, patience: 2000"))
    code = [sys.executable, "-c", textwrap.dedent(HOST), str(folder / "worker.log"), str(silence)]
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        host.stdin.write(to_line(endless))
        host.stdin.flush()
        try:
            yield host, int(host.stdout.readline().split()[0])
        finally:
            host.kill()


def test_a_worker_does_not_survive_its_host_even_in_the_middle_of_a_training(job: Train, tmp_path: Path) -> None:
    with host_of(job, tmp_path, silence=60.0) as (host, worker):
        assert not gone(worker)
        host.kill()
        host.wait()
        wait_for(lambda: gone(worker), seconds=5.0)


@pytest.mark.long
def test_a_machine_that_slept_does_not_take_its_workers_for_hung(job: Train, tmp_path: Path) -> None:
    with host_of(job, tmp_path, silence=20.0) as (host, worker):
        for pid in (host.pid, worker):
            os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(21.0)  # what is tested is that this time passes
        os.kill(host.pid, signal.SIGCONT)
        threading.Event().wait(0.5)
        os.kill(worker, signal.SIGCONT)
        assert host.stdout is not None
        told = [host.stdout.readline().split() for _ in range(15)]
        assert {pid for pid, _ in told} == {str(worker)}
        wait_for(lambda: not gone(worker))
