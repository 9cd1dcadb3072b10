"""Clocks that are wrong, or jump, cost no live host its trials and no study its time or itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.verdict import verdict
from support.waiting import wait_for

COMPILER = shutil.which("cc")

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(COMPILER is None or not sys.platform.startswith("linux"), reason="needs a C compiler on Linux"),
]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clock of `wrong_clock.c`, to be loaded before everything else."""
    made = tmp_path_factory.mktemp("clock") / "wrong_clock.so"
    source = Path(__file__).with_name("wrong_clock.c")
    subprocess.run([str(COMPILER), "-shared", "-fPIC", "-O2", "-o", made, source, "-ldl"], check=True)
    return made


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


@pytest.mark.parametrize(("at_first", "later"), [(120, 120), (-120, -120), (86400, 86400), (0, 10800), (0, -10800)])
def test_a_wrong_clock_on_one_of_two_hosts_takes_nothing_from_either(shared, library, tmp_path, at_first, later):
    shared.create("--trials", "6", "--epochs", "150", "--pruner", "none", "--keep", "6", "--for", "2h")
    clock = tmp_path / "clock"
    clock.write_text(str(at_first))
    wrong = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(clock)}
    shared.hosts[1].environment = wrong
    for host in shared.hosts:
        host.start()
    wait_for(lambda: at_work(shared) == 2, 240)
    clock.write_text(str(later))
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
