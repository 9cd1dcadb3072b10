"""Machines that are not ours: hidden processes, files that look like modules, variables that name what is not there."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pynvml
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from search.cluster.hosts import HostProcess
from search.errors import TrainingFailed, UsageError
from search.host import trial_loop
from search.host.attempt import Lost
from search.host.context import HostContext, Timing, WorkOptions
from search.host.host import work
from search.host.state import HostState
from search.studies.create import Created, create
from search.studies.study import open_study
from search.worker.devices import DeviceSlot, device_slots
from search.worker.gpus import Gpu, visible_gpus
from search.worker.process import WorkerProcess
from storage import process_identity
from storage.errors import StorageError
from storage.process_identity import identity_of
from storage.store import Store
from storage.studies.liveness import stale_attempts
from storage.studies.studies import create_study
from storage.temporary_folder import check_temporary_folder, remedy_for, temporary_folder
from storage.trials.queries import count
from storage.trials.retries import OWN_FAILURES
from support.commands import command_here
from support.driver import Card, Driver
from support.hosts import order, quiet, trials_of
from support.studies import Inputs, add_host, begin, fall_silent, study_row


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until its input ends."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("clock", ["fresh", "silent"])
def test_a_host_that_cannot_be_seen_lives_by_its_heartbeat(
    hidden: bool, clock: str, store: Store, stranger: subprocess.Popen[bytes], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """giampaolo/psutil#2167: /proc hides the processes of others (hidepid), who are not dead for that."""
    create_study(store, study_row())
    add_host(store, process=identity_of(stranger.pid))
    begin(store)
    if hidden:
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "self").symlink_to(str(os.getpid()))
        monkeypatch.setattr(process_identity, "_PROC", tmp_path / "proc")
    if clock == "silent":
        fall_silent(store, 10_000)
    taken = [each.trial for each in stale_attempts(store, "mars")]
    assert stale_attempts(store, "mars", local=True) == ()
    assert taken == ([0] if hidden and clock == "silent" else [])
    stranger.kill()
    stranger.wait()
    assert [each.trial for each in stale_attempts(store, "mars", local=True)] == [0]


@pytest.mark.parametrize("step", ["_claim", "run_attempt"])
def test_a_host_whose_trial_was_taken_goes_on(
    step: str, store: Store, created: Created, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """giampaolo/psutil#2167: at whatever step a trial is taken away, the host takes the next one."""
    options = WorkOptions(study="tiny", workers=1, trials=None, timeout=None, device="cpu", home=tmp_path)
    workers = [WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=tmp_path / "worker.log"))]
    opened = open_study(store, "tiny", tmp_path)
    context = HostContext(store, opened, options, "w", workers, HostState(), Timing(poll=0.01))
    calls: list[object] = []

    def taken(*arguments: Any) -> Lost | None:
        calls.append(arguments)
        if len(calls) == 1:
            raise UpdateFinishedTrialError
        context.state.shutdown.begin()
        return Lost() if step == "run_attempt" else None

    monkeypatch.setattr(trial_loop, step, taken)
    trial_loop.run_trials(context)
    assert len(calls) == 2
    assert context.trouble == []
    assert context.free.qsize() == 1  # and nothing of the trial is left
    assert context.state.trainings == {}


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory whose files have the names of modules; the file that appears when one is executed."""
    sprung = tmp_path / "sprung"
    for name in ("random", "queue", "json", "search", "storage", "spaces", "torch"):
        (tmp_path / f"{name}.py").write_text(f"open({str(sprung)!r}, 'w').close(); raise SystemExit(7)\n")
    monkeypatch.chdir(tmp_path)
    return sprung


@pytest.mark.parametrize("empty_part", [False, True])
def test_no_child_imports_from_the_working_directory(
    empty_part: bool, trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python/cpython#101210: a file random.py beside the data is not the library's, nor by PYTHONPATH=:."""
    if empty_part:
        monkeypatch.setenv("PYTHONPATH", "", prepend=":")
    with WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=trap.parent / "logs" / "worker.log")) as worker:
        worker.start()
        connection = worker._connection
        assert connection is not None
        assert type(connection.receive(120)).__name__ == "Ready"
    assert HostProcess().run(("study", "--help"), {}).status == 0
    assert not trap.exists()


def test_a_named_place_for_passing_files_is_used_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """huggingface/open-r1#488: Python takes another place without a word where TMPDIR cannot be used."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path
    monkeypatch.setenv("TMPDIR", str(tmp_path / "missing"))
    with (
        pytest.raises(StorageError, match=r"TMPDIR=.*missing.*No such file.*: set TMPDIR to a folder"),
        temporary_folder(),
    ):
        pass
    monkeypatch.delenv("TMPDIR")
    monkeypatch.setattr("tempfile._get_default_tempdir", _nowhere)
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(StorageError, match=r"usual places.*: set TMPDIR to a folder"), temporary_folder():
        pass


def _nowhere() -> str:
    raise FileNotFoundError(2, "No usable temporary directory found")


def test_a_full_place_for_passing_files_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """huggingface/open-r1#488: "no space left on device" names neither the device nor the variable."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(1 << 30, 1 << 30, 5_000_000))
    with pytest.raises(StorageError, match=rf"{tmp_path} has only 5 MB free .*: set TMPDIR to"):
        check_temporary_folder()
    full = OSError(errno.ENOSPC, "No space left on device")
    remedy = f"; {tmp_path} is full: set TMPDIR to a folder that can be written and has room"
    assert remedy_for(full, tmp_path / "marsearch-x") == remedy
    assert remedy_for(OSError(errno.EACCES, "Permission denied"), tmp_path / "marsearch-x") == ""


def test_a_place_that_fills_up_costs_no_trial(
    store: Store, inputs: Callable[..., Inputs], break_child: Callable[[str], None], tmp_path: Path
) -> None:
    """huggingface/open-r1#488: the same host would fail with every trial, until none has a retry left."""
    create(store, *inputs(trials=2))
    break_child("raise OSError(28, 'No space left on device')")
    with pytest.raises(TrainingFailed, match=r"is full: set TMPDIR to a folder"):
        work(store, order(tmp_path), quiet())
    trials = trials_of(store)
    assert len([trial for trial in trials if trial.state is TrialState.WAITING]) * 2 == len(trials)
    assert not any(trial.system_attrs.get(OWN_FAILURES, 0) for trial in trials)
    assert count(trials).finished == 0


def test_a_host_begins_nothing_without_a_place_for_passing_files(
    created: Created, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """huggingface/open-r1#488: it is found out before trials fail one after the other."""
    urls = {
        "MARSEARCH_STORAGE": f"sqlite:///{tmp_path / 'studies.db'}",
        "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts"),
    }
    said = command_here(tmp_path, capsys)("work", "tiny", "--device", "cpu", TMPDIR=str(tmp_path / "gone"), **urls)
    assert said.returncode == 2
    assert "set TMPDIR to a folder" in said.stderr
    assert said.stderr.count("\n") == 1
    assert store.trials.get_n_trials(1) == 0


def gpus(monkeypatch: pytest.MonkeyPatch, named: str | None) -> tuple[str, ...]:
    if named is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    return tuple(gpu.uuid for gpu in visible_gpus())


@pytest.mark.parametrize("named", ["NoDevFiles", "none", "void", "-1", "", "0", "0,1", "GPU-1", "cuda:0", "all"])
def test_a_gpu_that_only_a_variable_names_is_none(
    named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, driver: Driver
) -> None:
    """ray-project/ray#7014: a filter of devices is no proof that there are any."""
    assert gpus(monkeypatch, named) == ()
    assert {slot.device for slot in device_slots("auto", 2, tmp_path)} <= {"cpu", "mps"}
    with pytest.raises(UsageError, match="0 CUDA devices"):
        device_slots("cuda", None, tmp_path)


@pytest.mark.parametrize(
    ("named", "seen", "wrong"),
    [
        (None, ("GPU-aaaa", "MIG-1a", "MIG-2b"), ""),
        ("0", ("GPU-aaaa",), ""),
        ("1,0", ("MIG-1a", "MIG-2b", "GPU-aaaa"), ""),
        (" 0 , 1", ("GPU-aaaa", "MIG-1a", "MIG-2b"), ""),
        ("GPU-b", ("MIG-1a", "MIG-2b"), ""),
        ("0,0,GPU-aa", ("GPU-aaaa",), ""),
        ("0,-1,1", ("GPU-aaaa",), ""),
        ("0,7,1", ("GPU-aaaa",), "7"),
        ("0,2,1", ("GPU-aaaa",), "2"),
        ("GPU-c,0", (), "GPU-c"),
        ("cuda:0", (), "cuda:0"),
        ("MIG-1,MIG-2,MIG-1", ("MIG-1a", "MIG-2b"), ""),
        ("MIG-GPU-bbbb/1/0", ("MIG-GPU-bbbb/1/0",), ""),
        ("MIG-3", (), "MIG-3"),
    ],
)
def test_what_a_variable_names_is_looked_up_at_the_driver(
    named: str | None, seen: tuple[str, ...], wrong: str, driver: Driver, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """ray-project/ray#7014: wrong names hide what stands behind them, a GPU named twice is one, and it is said.

    A divided GPU is used by its parts alone, and tells only root of its memory as a whole; one that the driver has lost
    keeps its number.
    """
    parts = (Card(uuid="MIG-1a", memory=10.0), Card(uuid="MIG-2b", memory=20.0))
    divided = Card(uuid="GPU-bbbb", parts=parts, refuses=pynvml.NVML_ERROR_NO_PERMISSION)
    driver("GPU-aaaa", divided, Card(uuid="GPU-dddd", lost=True))
    assert gpus(monkeypatch, named) == seen
    with caplog.at_level(logging.WARNING):
        slots = device_slots("auto", None, Path())
    assert tuple(slot.gpu.id for slot in slots if slot.gpu) == seen
    assert (f"names {wrong}, which is no GPU" in caplog.text) == bool(wrong)


def test_a_driver_without_its_library_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: Driver
) -> None:
    """ray-project/ray#7014: a container may have the driver and not what asks it."""
    for name, text in (("0000:01:00.0", ""), ("0000:02:00.0", "Model: \t A\nGPU UUID: \t GPU-12ab-9\n")):
        (tmp_path / "gpus" / name).mkdir(parents=True)
        (tmp_path / "gpus" / name / "information").write_text(text)
    driver(error=pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    monkeypatch.setattr("search.worker.driver._KERNEL_GPUS", tmp_path / "gpus")
    assert gpus(monkeypatch, "0,1,2") == ("0", "GPU-12ab-9")
    assert [slot.gpu for slot in device_slots("cuda", None, tmp_path)] == [Gpu(id="0"), Gpu(id="GPU-12ab-9")]


def test_a_driver_that_hangs_costs_its_gpus_and_no_more(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("search.worker.driver.LIMIT_S", 0.05)
    driver("GPU-1", hangs=True)
    assert gpus(monkeypatch, None) == ()
    assert "NVIDIA's driver has not answered for 0.05 s" in caplog.text


def test_what_other_processes_hold_of_a_gpu_is_not_ours(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    driver(Card(uuid="GPU-1", memory=24.0, free=12.0), Card(uuid="GPU-2", memory=16.0, capability=(5, 2)))
    held, old = (slot.gpu for slot in device_slots("cuda", 4, Path())[:2])
    assert held == Gpu(id="GPU-1", gb=6.0, share=0.25)
    assert old == Gpu(id="GPU-2", gb=8.0, share=0.5, half=False)
    assert "other processes hold 12.0 of the 24.0 GiB of GPU-1" in caplog.text
