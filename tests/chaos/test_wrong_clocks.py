"""Clocks that are wrong, or jump, cost no live host its trials, and no study at work can be deleted by one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from support.verdict import verdict
from support.waiting import wait_for

LIBRARY = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(LIBRARY is None, reason="needs Debian's package libfaketime"),
]


def faked(file: Path, shift: str) -> dict[str, str]:
    """The variables under which a process reads this clock from the file, again every second."""
    file.write_text(shift)
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def at_work(scene) -> int:
    """How many hosts hold a trial that has finished an epoch."""
    workers = json.loads(scene.command("status", "chaos", "--json"))["workers"]
    return sum(any(each["epoch"] > 0 for each in worker["training"]) for worker in workers)


@pytest.fixture(params=["postgres", "sqlite"])
def shared(request, scene):
    """The scene on either database."""
    if request.param == "sqlite":
        scene.environment["MARSEARCH_STORAGE"] = f"sqlite:///{scene.folder / 'chaos.db'}"
    scene.url = scene.environment["MARSEARCH_STORAGE"]
    return scene


@pytest.mark.parametrize("shift", ["+2m", "-2m", "+1d", "step"])
def test_a_wrong_clock_on_one_of_two_hosts_takes_nothing_from_either(shared, tmp_path, shift):
    shared.create("--trials", "6", "--epochs", "150", "--pruner", "none", "--keep", "6")
    clock = tmp_path / "clock"
    wrong = faked(clock, "+0" if shift == "step" else shift)
    shared.hosts[1].environment = wrong
    for host in shared.hosts:
        host.start()
    wait_for(lambda: at_work(shared) == 2, 240)
    if shift == "step":
        clock.write_text("+3h")
    for variables in ({}, wrong):
        refused = shared.ask("study", "delete", "chaos", "--yes", **variables)
        assert (refused.returncode, "at work" in refused.stderr) == (2, True), refused.stderr

    def over() -> bool:
        for host in shared.hosts:
            host.tend()
        return all(host.done for host in shared.hosts)

    wait_for(over, float(os.environ.get("CHAOS_LIMIT", "900")))
    told = verdict(shared, tmp_path, target=6, epochs=150, url=shared.url)
    assert (told["complete"], told["attempts"]) == (6, 6)  # nothing was taken back
