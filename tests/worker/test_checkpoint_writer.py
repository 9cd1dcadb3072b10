"""Checkpoints are written beside a training, whole or not at all, and for their owner only."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from search.training.checkpoint import Snapshot, read_snapshot
from search.worker.checkpoint_file import CheckpointWriter
from search.worker.protocol import Checkpointing, Message, Note, Samples, Saved, Train


def snapshot(epoch: int) -> Snapshot:
    return Snapshot(epoch=epoch, tensors={"network/a": torch.zeros(3)}, document={"best_epoch": 1})


def test_a_checkpoint_is_private_and_one_that_cannot_be_written_leaves_the_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, said = tmp_path / "checkpoint.safetensors", list[Message]()
    job = Train(
        job=7,
        recipe="",
        samples=Samples(path="", train=(), validation=(), panel=()),
        out="",
        device="cpu",
        objective="miou",
        checkpoint=Checkpointing(path=str(path), seconds=3600.0),
    )

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with CheckpointWriter(job, None, said.append) as writer:
        writer.take(snapshot(1))
        writer.write_newest()
        assert path.stat().st_mode & 0o777 == 0o600
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            for epoch in (2, 3):
                writer.take(snapshot(epoch))
                writer.write_newest()
        assert read_snapshot(path, 10**6).epoch == 1
        writer.take(snapshot(4))
        writer.write_newest()
    first, failed, last = said
    assert (first, last) == (Saved(job=7, epoch=1), Saved(job=7, epoch=4))
    assert isinstance(failed, Note)
    assert "the checkpoint of epoch 2 cannot be written" in failed.text
    assert read_snapshot(path, 10**6).epoch == 4
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
