"""Many hosts at once on one PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "storage_load.py"


def load(url: str, processes: int, seconds: int) -> list[dict[str, float]]:
    command = [sys.executable, str(SCRIPT), "--url", url, "--json"]
    command += ["--processes", str(processes), "--seconds", str(seconds)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows: list[dict[str, float]] = json.loads(done.stdout)
    return rows


def assert_sound(row: dict[str, float]) -> None:
    assert (row["errors"], row["duplicates"], row["gaps"], row["stuck"]) == (0, 0, 0, 0)
    assert row["trials"] > 0


def test_four_processes_at_once_lose_and_double_nothing(postgres: str) -> None:
    assert_sound(load(postgres, 4, 2)[0])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_32_processes_for_a_minute_lose_and_double_nothing(postgres: str, capsys: pytest.CaptureFixture[str]) -> None:
    ours, plain = load(postgres, 32, 60)
    with capsys.disabled():
        for row in (ours, plain):
            quantiles = f"99th percentile: ask {row['ask_p99_ms']:.0f} ms, report {row['report_p99_ms']:.0f} ms"
            print(f"\n{row['storage']}: {row['trials_per_s']:.0f} trials/s, {quantiles}, {row['errors']} errors")
    assert_sound(ours)
