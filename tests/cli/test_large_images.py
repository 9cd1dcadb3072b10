"""Images of 1000x1500 pixels on two cores: from a folder to PNGs, by crops and windows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import Command
from support.folders import picture
from support.processes import run_marsearch
from support.readme import folder_commands

BETTER = 0.2  # in mean IoU than the best constant answer, all background among them


@pytest.mark.long
def test_large_images_are_learnt_on_a_small_machine(process: Command, tmp_path: Path) -> None:
    """40 colour images of 1000x1500 pixels: about 40 s of processor time an epoch, up to 3 GiB a worker."""
    drawn = ("--folder", "--train", "40", "--test", "2", "--size", "1000x1500", "--channels", "3", "--classes", "3")
    assert process("data", "synth", "train", *drawn).returncode == 0
    inspect, run, export, predict = folder_commands()
    assert process(*inspect).returncode == 0
    fewer = ("--trials", "2", "--epochs", "3", "--warm-start", "none", "--workers", "2", "--device", "cpu")
    worked = run_marsearch(*run, "--space", "cpu", *fewer, cwd=tmp_path, timeout=1500)  # the last ones count
    assert worked.returncode == 0, worked.stderr
    assert "an epoch takes" in worked.stderr
    exported = process(*export)
    assert exported.returncode == 0, exported.stderr
    metrics = json.loads((tmp_path / "best" / "metrics.json").read_text())
    best = json.loads(process("status", "first", "--json").stdout)["best"]
    assert metrics["miou"] == pytest.approx(best["value"], abs=1e-6)
    assert metrics["miou"] > metrics["constant"]["miou"] + BETTER
    predicted = process(*predict)
    assert predicted.returncode == 0, predicted.stderr
    written = sorted((tmp_path / "labels").iterdir())
    assert [path.stem for path in written] == sorted(path.stem for path in (tmp_path / "train" / "test").iterdir())
    assert {picture(path).size for path in written} == {(1500, 1000)}
