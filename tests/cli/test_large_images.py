"""Images of 1000x1500 pixels on two cores: from a file to labels, by crops and windows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.commands import Command

BETTER = 0.2  # in mean IoU than the best constant answer, all background among them


@pytest.mark.long
def test_large_images_are_learnt_on_a_small_machine(process: Command, tmp_path: Path) -> None:
    """40 colour images of 1000x1500 pixels: about 40 s of processor time an epoch, up to 3 GiB a worker."""
    dataset = synthesise(train=40, test=2, seed=0, height=1000, width=1500, channels=3, classes=3)
    write_dataset(dataset, tmp_path / "d.npz")
    asked = ("--data", "d.npz", "--space", "cpu", "--trials", "2", "--epochs", "3", "--warm-start", "none")
    made = process("create", "large", *asked)
    assert made.returncode == 0, made.stderr
    assert "an epoch takes" in made.stderr
    worked = process("work", "large", "--workers", "2", "--device", "cpu")
    assert worked.returncode == 0, worked.stderr
    exported = process("export", "large", "best")
    assert exported.returncode == 0, exported.stderr
    metrics = json.loads((tmp_path / "best" / "metrics.json").read_text())
    best = json.loads(process("status", "large", "--json").stdout)["best"]
    assert metrics["miou"] == pytest.approx(best["value"], abs=1e-6)
    assert metrics["miou"] > metrics["constant"]["miou"] + BETTER
    predicted = process("predict", "best", "d.npz", "masks.npz")
    assert predicted.returncode == 0, predicted.stderr
    assert np.load(tmp_path / "masks.npz")["masks"].shape == (2, 1000, 1500)
