"""A worker that fails, is killed, hangs, or is stopped: real processes and signals."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from search.worker.connection import Connection, status_in_words
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Finished, Message, Stopped, Train
from support.jobs import EPOCHS, RECIPE, all_of, drive, epochs_of, gone, numbered, send
from support.waiting import wait_for

KINDS = """
    from search.worker.main import _failed
    from search.errors import Diverged

    told = {
        "diverged": [Diverged("the loss became nan in epoch 1, step 1 of 6")],
        "memory": [
            MemoryError(),
            RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
        ],
        "error": [ValueError("no such class"), ZeroDivisionError()],
    }
    for kind, errors in told.items():
        for error in errors:
            message = _failed(1, error)
            assert message.kind == kind, message
            print(message.reason)
"""


def test_an_error_of_the_workers_own_says_what_it_was(slot: DeviceSlot, job: Train) -> None:
    with WorkerProcess(slot) as worker:
        failed = all_of(worker, replace(job, samples=replace(job.samples, validation=(10**9,))))[-1]
        assert worker.pid is None  # after an error of CUDA a process fails for ever
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.reason[:11], "IndexError" in failed.detail) == ("error", "IndexError:", True)
    # A process of its own, since importing the worker's module takes the signals away.
    code = [sys.executable, "-c", textwrap.dedent(KINDS)]
    reasons = subprocess.run(code, check=True, capture_output=True, text=True).stdout.splitlines()
    assert reasons[:2] == ["Diverged: the loss became nan in epoch 1, step 1 of 6", "out of memory: no message"]


def test_too_little_memory_is_told_as_such_and_ends_the_worker(slot: DeviceSlot, job: Train) -> None:
    large = RECIPE.replace("filters: 4, depth: 2, dropout", "filters: 32, depth: 3, dropout").replace(
        "size: 8", "size: 32"
    )
    with WorkerProcess(slot) as worker:
        first = None
        for message in worker.train(numbered(worker, job, recipe=large), silence=120.0):
            if isinstance(message, EpochEnd) and first is None:
                first = worker.pid
                assert first is not None
                taken = psutil.Process(first).memory_info().vms
                resource.prlimit(first, resource.RLIMIT_AS, (taken, taken))
            last = message
        assert isinstance(last, Failed)
        assert last.kind == "memory", last.detail
        assert last.reason.startswith("out of memory: ")
        assert worker.pid is None
        assert first is not None
        assert gone(first)


def test_ctrl_c_and_sigterm_are_the_hosts_business(worker: WorkerProcess, job: Train) -> None:
    said: list[Message] = []

    def act(message: Message) -> None:
        said.append(message)
        send(worker, signal.SIGINT)
        send(worker, signal.SIGTERM)

    drive(worker, job, act)
    assert epochs_of(said) == list(range(1, EPOCHS + 1))


@pytest.mark.whole
def test_a_silent_worker_is_killed_and_the_next_one_trains(slot: DeviceSlot, job: Train) -> None:
    with WorkerProcess(slot) as worker:
        hung: list[int] = []
        assert isinstance(all_of(worker, job)[-1], Finished)  # the first job of a worker waits for imports
        with pytest.raises(WorkerDied, match="slot 1: the worker sent nothing for 3 s during a job and was killed"):
            drive(worker, job, lambda _: hung.append(send(worker, signal.SIGSTOP)), silence=3.0)
        assert gone(hung[0])
        assert isinstance(all_of(worker, job)[-1], Finished)


def test_a_crash_in_native_code_says_what_it_was(slot: DeviceSlot, job: Train) -> None:
    with WorkerProcess(slot) as worker:
        with pytest.raises(
            WorkerDied, match=r"killed by signal 11 \(SIGSEGV\); Fatal Python error: Segmentation fault"
        ):
            drive(worker, job, lambda _: send(worker, signal.SIGSEGV))
        assert worker.pid is None


def test_workers_that_only_die_start_later_and_later_and_a_stop_ends_the_wait(
    slot: DeviceSlot, job: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with WorkerProcess(slot) as worker:
        starts = []
        for _ in range(4):
            started = time.monotonic()
            with pytest.raises(
                WorkerDied, match=r"slot 1: the worker did not start: exit status 1; Fatal Python error"
            ):
                list(worker.train(numbered(worker, job)))
            starts.append(time.monotonic() - started)
        assert starts[2] >= 1.0
        assert starts[3] >= 2.0
        last = numbered(worker, job)
        worker._not_before = time.monotonic() + 3600  # a stop ends the pause, or else the test's time is over
        threading.Timer(0.3, worker.stop_current).start()
        assert list(worker.train(last)) == [Stopped(job=last.job)]


def test_a_stop_is_heard_while_the_worker_still_starts(slot: DeviceSlot, job: Train) -> None:
    with WorkerProcess(slot) as worker:
        stopped = numbered(worker, job)
        threading.Thread(target=lambda: (wait_for(lambda: worker.pid is not None), worker.stop_current())).start()
        assert list(worker.train(stopped))[-1:] == [Stopped(job=stopped.job)]
        assert isinstance(all_of(worker, job)[-1], Finished)


def test_a_job_that_was_left_in_the_middle_ends_the_worker(slot: DeviceSlot, job: Train) -> None:
    with WorkerProcess(slot) as worker:
        left = worker.train(numbered(worker, job), silence=60.0)
        next(left)
        first = worker.pid
        assert first is not None
        assert isinstance(all_of(worker, job)[-1], Finished)  # though `left` still lives
        assert gone(first)
        second = worker.pid
        left.close()  # type: ignore[attr-defined]
        assert worker.pid == second


def test_files_in_the_working_directory_are_not_taken_for_modules(
    slot: DeviceSlot, job: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "working"
    folder.mkdir()
    for name in ("random", "queue", "search", "storage", "spaces", "numpy", "torch"):
        (folder / f"{name}.py").write_text("raise SystemExit('a file of the working directory was executed')")
    monkeypatch.chdir(folder)
    with WorkerProcess(slot) as worker:
        assert isinstance(all_of(worker, job)[-1], Finished)


def test_a_path_that_the_environment_names_is_searched(
    slot: DeviceSlot, job: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.stderr.write('found\\n')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with WorkerProcess(slot) as worker:
        next(worker.train(numbered(worker, job), silence=60.0))
    assert slot.log.read_text().startswith("found")


def test_a_process_that_has_ended_is_not_signalled(slot: DeviceSlot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id may be another process's by then; any thread may try, at any moment."""
    WorkerProcess(slot).kill()  # there is none yet
    connection = Connection(slot)
    assert connection.running
    connection.kill()
    wait_for(lambda: not connection.running)
    signalled: list[int] = []
    monkeypatch.setattr("subprocess.os.kill", lambda pid, number: signalled.append(pid))
    connection.kill()
    connection.close()
    connection.kill()
    assert signalled == []


def worker_alone() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "search.worker.main"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_line_that_is_no_message_ends_the_worker(job: Train) -> None:
    with worker_alone() as worker:
        _, errors = worker.communicate("nonsense\n", timeout=60)
    assert worker.returncode == 2
    assert "JSONDecodeError" in errors


def test_statuses_in_words() -> None:
    assert status_in_words(3) == "exit status 3"
    assert status_in_words(-9) == "killed by signal 9 (SIGKILL), perhaps out of memory (the kernel's OOM killer)"
    assert status_in_words(-15) == "killed by signal 15 (SIGTERM)"
    assert status_in_words(-99) == "killed by signal 99"
