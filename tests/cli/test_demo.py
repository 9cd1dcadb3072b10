"""The command that shows everything at once."""

from __future__ import annotations

import json
from pathlib import Path

from support.commands import Command


def test_the_demo_ends_with_a_bundle_and_says_what_to_do_next(process: Command, tmp_path: Path) -> None:
    shown = process("demo", "--trials", "2", "--out", "mine")
    assert shown.returncode == 0, shown.stderr
    assert "finished: 2 of 2 trials of study demo" in shown.stderr
    assert "unet d" in shown.stdout
    assert "marsearch dashboard" in shown.stdout
    metrics = json.loads((tmp_path / "mine" / "metrics.json").read_text())
    assert metrics["study"] == "demo"
    assert f"trial {metrics['trial']}" in shown.stdout


def test_a_place_for_the_bundle_is_looked_at_before_the_search(process: Command, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    shown = process("demo", "--out", "taken")
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "taken" in shown.stderr
    assert not (tmp_path / "runs" / "demo.npz").exists()
