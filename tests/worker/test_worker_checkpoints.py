"""A worker keeps checkpoints, and a training that is cut off goes on from them to the same bits."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from search.training.epoch import EpochRecord
from search.worker.checkpoint_file import epoch_of, remove_checkpoint, remove_parts
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import Checkpointing, EpochEnd, Finished, Message, Note, Resumed, Saved, Stopped, Train
from search.worker.worst import read_worst
from support.jobs import EPOCHS, NEVER, RECIPE, all_of, drive, epochs_of, numbered, results, saved_of, send, told


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


@pytest.mark.whole
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
    data = training_data(read_dataset(Path(job.samples.path)), recipe.data.cleaning, job.samples)
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


@pytest.mark.parametrize(("beat", "wanted"), [(None, False), (-1.0, True), (1.0, False)])
def test_the_worst_images_are_labelled_by_what_beats_the_best_alone(
    worker: WorkerProcess, job: Train, beat: float | None, wanted: bool
) -> None:
    one = job.recipe.replace("epochs: 8", "epochs: 1")
    said = all_of(worker, replace(job, recipe=one, samples=replace(job.samples, beat=beat)))
    assert [type(message) for message in said] == [EpochEnd, Finished]
    assert (read_worst(Path(job.out)) is not None) == wanted
