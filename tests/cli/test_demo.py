"""The command that shows everything at once."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from storage.data import synthetic
from support.commands import Command
from support.processes import Ended


@pytest.mark.whole
def test_the_demo_ends_with_a_bundle_and_says_what_to_do_next(
    marsearch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(synthetic.synthesise, height=16, width=32)  # pixels: the trainings take a second
    monkeypatch.setattr(synthetic, "synthesise", few)
    check(marsearch("demo", "--trials", "2", "--workers", "1", "--out", "mine"), tmp_path)


@pytest.mark.long
def test_the_demo_as_people_start_it(process: Command, tmp_path: Path) -> None:
    check(process("demo", "--trials", "2", "--out", "mine"), tmp_path)


def check(shown: Ended, folder: Path) -> None:
    assert shown.returncode == 0, shown.stderr
    assert "finished: 2 of 2 trials of study demo" in shown.stderr
    assert "unet d" in shown.stdout
    assert "marsearch dashboard" in shown.stdout
    metrics = json.loads((folder / "mine" / "metrics.json").read_text())
    assert metrics["study"] == "demo"
    assert f"trial {metrics['trial']}" in shown.stdout


def test_a_place_for_the_bundle_is_looked_at_before_the_search(marsearch: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    shown = marsearch("demo", "--out", "taken")
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "taken" in shown.stderr
    assert not (tmp_path / "runs" / "demo.npz").exists()
