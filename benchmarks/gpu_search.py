"""A whole search on the device, by real processes: its host and workers are killed in the middle, and it goes on."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from gpu_lines import Line

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise

STUDY = "gpu"
ENDED = ("complete", "pruned")
MARSEARCH = (sys.executable, "-m", "search.cli")
SPACE = """base: whole
model: {family: unet, depth: 2, filters: [4, 8]}
optimisation: {batch_size: 16}
"""


def search(device: str, trials: int, workers: int, folder: Path, limit: float) -> Iterator[Line]:
    """Run so many trials; kill host and workers when a third of them has ended. limit: seconds for each of the runs."""
    folder.mkdir(parents=True, exist_ok=True)
    data, space = folder / "tiles.npz", folder / "space.yaml"
    write_dataset(synthesise(train=96, test=0, seed=0, height=32, width=64), data)
    space.write_text(SPACE)
    ours = {"MARSEARCH_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MARSEARCH_")} | ours
    command = [*MARSEARCH, "run", STUDY, "--data", str(data), "--space", str(space), "--trials", str(trials)]
    command += ["--epochs", "3", "--device", device, "--workers", str(workers)]
    began = time.monotonic()
    with (folder / "search.log").open("ab") as log:
        host = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        while _told(folder) < trials // 3 and host.poll() is None and time.monotonic() - began < limit:
            time.sleep(0.1)
        _kill(host.pid)
        host.wait()
        before = sum(trial["state"] in ENDED for trial in _listed(environment))
        again = subprocess.run(command, env=environment, stdout=log, stderr=log, timeout=limit, check=False)
    yield _verdict(_listed(environment), trials, before, again.returncode, time.monotonic() - began)


def _verdict(listed: list[dict[str, Any]], trials: int, before: int, status: int, seconds: float) -> Line:
    states = [trial["state"] for trial in listed]
    ended = sum(state in ENDED for state in states)
    kinds = {state: states.count(state) for state in sorted(set(states))}
    text = f"{kinds} after a kill at {before} ended ones, status {status}, {seconds:.0f} s"
    passed = status == 0 and 0 < before < trials == ended and "running" not in states
    return Line(part="search", name=f"{trials} trials, killed and resumed", passed=passed, text=text)


def _kill(host: int) -> None:
    """End host and workers at once; where the host has ended by itself, the verdict tells."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(host)
        for each in (process, *process.children(recursive=True)):
            each.kill()


def _told(folder: Path) -> int:
    """How many trials the host has said to have ended."""
    return len(re.findall(r"^\d+/\d+ +trial", (folder / "search.log").read_text("utf-8"), re.MULTILINE))


def _listed(environment: dict[str, str]) -> list[dict[str, Any]]:
    """The study's trials; none while there is no study."""
    listed = subprocess.run(
        [*MARSEARCH, "trials", STUDY, "--format", "json"], env=environment, capture_output=True, check=False
    )
    return json.loads(listed.stdout) if listed.returncode == 0 else []
