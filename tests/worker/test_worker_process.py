"""A worker that trains, keeps checkpoints, is killed, hangs, and goes with its host: real processes and signals."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from search.training.epoch import EpochRecord
from search.worker.checkpoint_file import epoch_of, remove_checkpoint, remove_parts
from search.worker.connection import Connection, status_in_words
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import (
    Checkpointing,
    EpochEnd,
    Failed,
    Finished,
    Message,
    Note,
    Resumed,
    Samples,
    Saved,
    Stopped,
    Train,
    to_line,
)
from support.waiting import wait_for

RECIPE = """
model: {family: unet, filters: 4, depth: 2, dropout: 0.2, dropout_place: every_block}
background: {filters: 4, depth: 2}
class_weights: {scheme: adaptive}
augment: {noise: 0.1, flip_vertical: true}
optimisation: {optimizer: adamw, lr: 0.005, schedule: plateau, batch_size: 8, epochs: 8}
"""
EPOCHS = 8
NEVER = 3600.0  # seconds between checkpoints


@pytest.fixture
def slot(tmp_path: Path) -> DeviceSlot:
    return DeviceSlot(name="slot 1", device="cpu", log=tmp_path / "worker.log")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker for the tests that leave it alive."""
    log = tmp_path_factory.mktemp("logs") / "worker.log"
    with WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=log)) as worker:
        yield worker


@pytest.fixture
def job(tiny_data: Path, tmp_path: Path) -> Train:
    """A training of 8 epochs; its number is that of the first job of a worker."""
    out = tmp_path / "out"
    out.mkdir()
    return Train(
        job=1,
        recipe=RECIPE,
        samples=Samples(path=str(tiny_data), train=tuple(range(36)), validation=tuple(range(36, 48)), panel=(36, 37)),
        out=str(out),
        device="cpu",
        objective="miou",
    )


def numbered(worker: WorkerProcess, job: Train, **changes: object) -> Train:
    return replace(job, job=worker.next_job(), **changes)  # type: ignore[arg-type]


def drive(worker: WorkerProcess, job: Train, act: Callable[[Message], object], silence: float = 60.0) -> None:
    for message in worker.train(numbered(worker, job), silence=silence):
        act(message)


def send(worker: WorkerProcess, number: int) -> int:
    """Send the worker a signal; its process id."""
    assert worker.pid is not None
    os.kill(worker.pid, number)
    return worker.pid


def all_of(worker: WorkerProcess, job: Train) -> list[Message]:
    return list(worker.train(numbered(worker, job), silence=60.0))


def epochs_of(messages: list[Message]) -> list[int]:
    return [message.record.number for message in messages if isinstance(message, EpochEnd)]


def saved_of(messages: list[Message]) -> list[int]:
    return [message.epoch for message in messages if isinstance(message, Saved)]


def told(epoch: EpochRecord) -> EpochRecord:
    """All that an epoch says and that neither time nor process have a part in."""
    return replace(epoch, seconds=0.0, memory_mb=0.0)


def results(job: Train) -> tuple[bytes, bytes]:
    return (Path(job.out) / "weights.safetensors").read_bytes(), (Path(job.out) / "panel.npz").read_bytes()


@pytest.fixture
def uncut(worker: WorkerProcess, job: Train) -> tuple[list[EpochRecord], tuple[bytes, bytes], int]:
    """What the epochs of an uninterrupted training say, the files it leaves, and its best epoch."""
    messages = all_of(worker, job)
    assert isinstance(messages[-1], Finished)
    return [told(m.record) for m in messages if isinstance(m, EpochEnd)], results(job), messages[-1].best


def gone(pid: int) -> bool:
    """Whether the process has ended; where nobody waits for orphans, they stay as zombies."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def follow_and_kill(slot: DeviceSlot, job: Train, after: int, delay: float) -> list[Message]:
    """Start the job in a new worker and kill it (-9) that long after so many epochs; what it said until then."""
    said: list[Message] = []

    def act(message: Message) -> None:
        said.append(message)
        if isinstance(message, EpochEnd) and len(epochs_of(said)) == after:
            time.sleep(delay)
            send(worker, signal.SIGKILL)

    with (
        WorkerProcess(slot) as worker,
        pytest.raises(WorkerDied, match=r"killed by signal 9 \(SIGKILL\), perhaps out of memory"),
    ):
        drive(worker, job, act)
    return said


def kill_and_resume(
    uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int],
    slot: DeviceSlot,
    job: Train,
    folder: Path,
    kills: int,
    seed: int,
) -> None:
    """Kill a training at random points, each time going on in a new worker; it must end as the uncut one did."""
    expected, files, best = uncut
    dice = random.Random(seed)
    checkpoint = folder / f"checkpoint-{seed}.safetensors"
    known: list[EpochRecord] = []
    for turn in range(kills + 1):
        epoch = epoch_of(checkpoint) or 0
        resume = str(checkpoint) if epoch else ""
        job = replace(job, checkpoint=Checkpointing(path=str(checkpoint), resume=resume, seconds=0.0))
        if turn < kills:
            left = EPOCHS - epoch - (kills - turn)  # so that something is left for the kills to come
            said = follow_and_kill(slot, job, dice.randint(1, max(1, left - 1)), dice.uniform(0.0, 0.06))
        else:
            with WorkerProcess(slot) as worker:
                said = all_of(worker, job)
        if epoch:
            assert isinstance(said[0], Resumed)
            assert said[0].epoch == epoch
            known = [told(record) for record in said[0].history]
            assert known == expected[:epoch], f"seed {seed}"
        numbers = epochs_of(said)
        assert numbers == list(range(epoch + 1, epoch + 1 + len(numbers)))
        known += [told(message.record) for message in said if isinstance(message, EpochEnd)]
    assert known == expected, f"seed {seed}"
    assert said[-1] == Finished(job=1, best=best)
    assert results(job) == files, f"seed {seed}"


def test_a_training_killed_three_times_ends_with_the_bits_of_an_uncut_one(
    uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int], slot: DeviceSlot, job: Train, tmp_path: Path
) -> None:
    kill_and_resume(uncut, slot, job, tmp_path, kills=3, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
def test_a_training_killed_five_times_ends_with_the_bits_of_an_uncut_one(
    seed: int, uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int], slot: DeviceSlot, job: Train, tmp_path: Path
) -> None:
    kill_and_resume(uncut, slot, job, tmp_path, kills=5, seed=seed)


def test_a_stop_leaves_the_newest_epoch_on_the_disk_and_the_next_worker_continues_it(
    uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int], worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    stopped = numbered(worker, job, checkpoint=Checkpointing(path=str(checkpoint), seconds=NEVER))
    said: list[Message] = []
    for message in worker.train(stopped, silence=60.0):
        said.append(message)
        if isinstance(message, EpochEnd) and message.record.number == 3:
            assert not checkpoint.exists()  # none was due
            worker.stop(stopped.job)
    last = epochs_of(said)[-1]
    assert said[-2:] == [Saved(job=stopped.job, epoch=last), Stopped(job=stopped.job)]
    assert saved_of(said) == [last]
    assert epoch_of(checkpoint) == last
    again = all_of(worker, replace(job, checkpoint=Checkpointing(path=str(checkpoint), resume=str(checkpoint))))
    assert isinstance(again[0], Resumed)
    assert again[0].history == tuple(message.record for message in said if isinstance(message, EpochEnd))
    assert epochs_of(again) == list(range(last + 1, EPOCHS + 1))
    assert results(job) == uncut[1]


def test_a_stop_right_after_a_resume_writes_only_what_is_not_there(
    worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    """The epoch it goes on from lies there already; resumed from another path, a download, it gets its own place."""
    here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    first = numbered(worker, job, checkpoint=Checkpointing(path=str(here), seconds=NEVER))
    for message in worker.train(first, silence=60.0):
        if isinstance(message, EpochEnd):
            worker.stop(first.job)
    epoch = epoch_of(here)
    assert epoch is not None
    for path, expected in ((here, []), (there, [epoch])):
        again = numbered(worker, job, checkpoint=Checkpointing(path=str(path), resume=str(here), seconds=NEVER))
        worker.stop(again.job)  # before it begins
        said = list(worker.train(again, silence=60.0))
        assert [type(message) for message in said] == [Resumed, *[Saved for _ in expected], Stopped]
        assert saved_of(said) == expected
    assert epoch_of(there) == epoch


def test_checkpoints_follow_their_epochs_and_only_when_due(worker: WorkerProcess, job: Train, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    said = all_of(worker, replace(job, checkpoint=Checkpointing(path=str(checkpoint), seconds=NEVER)))
    assert (saved_of(said), checkpoint.exists()) == ([], False)
    said = all_of(worker, replace(job, checkpoint=Checkpointing(path=str(checkpoint), seconds=0.0)))
    saved = saved_of(said)
    assert saved
    assert saved == sorted(set(saved))
    for number in saved:
        after = epochs_of(said[: said.index(Saved(job=said[-1].job, epoch=number))])  # type: ignore[union-attr]
        assert number in after
    assert isinstance(said[-1], Finished)
    assert epoch_of(checkpoint) == saved[-1]
    assert [entry.name for entry in tmp_path.iterdir() if entry.suffix == ".part"] == []
    said = all_of(worker, job)
    assert {type(message) for message in said} == {EpochEnd, Finished}


def test_a_checkpoint_of_the_last_epoch_gives_the_result_at_once(
    uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int], worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    """A worker that died between its last epoch and its result: the best weights are from before."""
    checkpoint = tmp_path / "checkpoint.safetensors"
    keep_the_last_epoch(replace(job, checkpoint=Checkpointing(path=str(checkpoint), seconds=NEVER)))
    assert epoch_of(checkpoint) == EPOCHS
    for name in ("weights.safetensors", "panel.npz"):
        (Path(job.out) / name).unlink()
    said = all_of(worker, replace(job, checkpoint=Checkpointing(resume=str(checkpoint))))
    assert [type(message) for message in said] == [Resumed, Finished]
    assert [told(epoch) for epoch in said[0].history] == uncut[0]  # type: ignore[union-attr]
    assert results(job) == uncut[1]


def keep_the_last_epoch(job: Train) -> None:
    """What a worker does up to the moment in which the job is done, and a checkpoint of just then."""
    import torch

    from search.training.fit import fit
    from search.worker.checkpoint_file import CheckpointWriter
    from search.worker.job import begin_or_resume, run_epochs
    from search.worker.job_files import training_data
    from spaces import load_recipe
    from storage.data.dataset import read_dataset

    torch.set_num_threads(1)
    recipe = load_recipe(job.recipe)
    data = training_data(
        read_dataset(Path(job.samples.path)), recipe.data.cleaning, job.samples.train, job.samples.validation
    )
    training = begin_or_resume(job, lambda resume: fit(recipe, data, resume=resume), lambda message: None)
    with CheckpointWriter(job, training.start, lambda message: None) as writer:
        run_epochs(job.job, training, writer, lambda message: None)
        writer.write_newest()


@pytest.mark.parametrize("kind", ["another recipe", "missing", "noise"])
def test_a_checkpoint_that_cannot_be_used_costs_only_the_time(
    kind: str, worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    if kind == "noise":
        checkpoint.write_bytes(b"\x80\x04cos\nsystem\n")
    if kind == "another recipe":
        other = RECIPE.replace("0.005", "0.004").replace("epochs: 8", "epochs: 2")
        stopped = all_of(
            worker, replace(job, recipe=other, checkpoint=Checkpointing(path=str(checkpoint), seconds=0.0))
        )
        assert isinstance(stopped[-1], Finished)
    said = all_of(worker, replace(job, checkpoint=Checkpointing(resume=str(checkpoint))))
    assert isinstance(said[0], Note)
    assert "starts at its first epoch" in said[0].text
    assert {"another recipe": "of another recipe", "missing": "no readable", "noise": "no readable"}[kind] in said[
        0
    ].text
    assert epochs_of(said) == list(range(1, EPOCHS + 1))


def test_a_checkpoint_that_cannot_be_written_is_told_once_and_not_fatal(
    uncut: tuple[list[EpochRecord], tuple[bytes, bytes], int], worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    said = all_of(
        worker, replace(job, checkpoint=Checkpointing(path=str(tmp_path / "gone" / "c.safetensors"), seconds=0.0))
    )
    notes = [message for message in said if isinstance(message, Note)]
    assert len(notes) == 1
    assert "cannot be written" in notes[0].text
    assert isinstance(said[-1], Finished)
    assert results(job) == uncut[1]


def test_a_worker_leaves_no_half_checkpoint_of_the_one_before(
    worker: WorkerProcess, job: Train, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "trial[1]*.safetensors"
    half = tmp_path / ".trial[1]*.safetensors.0a1b.part"
    other = tmp_path / ".trial1.safetensors.0a1b.part"
    for path in (half, other):
        path.write_bytes(b"half")
    all_of(worker, replace(job, checkpoint=Checkpointing(path=str(checkpoint), seconds=NEVER)))
    assert (half.exists(), other.exists()) == (False, True)
    half.write_bytes(b"half")
    checkpoint.write_bytes(b"whole")
    remove_checkpoint(checkpoint)
    remove_parts(checkpoint)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {other.name}


def test_the_epoch_of_a_checkpoint_is_seen_without_torch(worker: WorkerProcess, job: Train, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.safetensors"
    assert epoch_of(checkpoint) is None
    assert epoch_of(tmp_path) is None
    saved = saved_of(all_of(worker, replace(job, checkpoint=Checkpointing(path=str(checkpoint), seconds=0.0))))
    content = checkpoint.read_bytes()
    for damaged in (b"", content[:4], content[:-1], content + b"x", b"\xff" * 100, b"\x02" + b"\0" * 7 + b"[]"):
        checkpoint.write_bytes(damaged)
        assert epoch_of(checkpoint) is None
    checkpoint.write_bytes(content)
    code = f"""
        import sys
        from pathlib import Path
        from search.worker.checkpoint_file import epoch_of
        assert epoch_of(Path({str(checkpoint)!r})) == {saved[-1]}
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


KINDS = """
    from search.worker.main import _failed
    from search.training.fit import Diverged

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


def test_an_error_of_the_workers_own_says_what_it_was(worker: WorkerProcess, job: Train) -> None:
    failed = all_of(worker, replace(job, samples=replace(job.samples, panel=(10**9,))))[-1]
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
        threading.Timer(0.3, worker.stop_current).start()
        started = time.monotonic()
        assert list(worker.train(last)) == [Stopped(job=last.job)]  # the pause would be 4 s
        assert 0.2 < time.monotonic() - started < 3.5


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


def test_statuses_in_words() -> None:
    assert status_in_words(3) == "exit status 3"
    assert status_in_words(-9) == "killed by signal 9 (SIGKILL), perhaps out of memory (the kernel's OOM killer)"
    assert status_in_words(-15) == "killed by signal 15 (SIGTERM)"
    assert status_in_words(-99) == "killed by signal 99"
