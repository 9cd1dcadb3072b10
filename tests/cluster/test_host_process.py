"""A host on a node of a cluster shuts down in order, whether it is asked to or its parent is killed."""

from __future__ import annotations

import json
import subprocess
import sys

import psutil
import pytest

from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.processes import environment, run_marsearch
from support.studies import LONG_SPACE
from support.waiting import wait_for

STARTER = """
import sys, threading
from search.cluster.hosts import HostProcess
host = HostProcess()
threading.Thread(target=lambda: (sys.stdin.readline(), host.stop()), daemon=True).start()
ended = host.run(("work", "mars", "--workers", "1", "--device", "cpu"), {"MARSEARCH_HOME": sys.argv[1]})
print(ended.status, ended.last_line, flush=True)
"""

pytestmark = pytest.mark.long


class Scene:
    """A study on this machine, and one host that somebody starts."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = environment(OMP_NUM_THREADS="1", MARSEARCH_HOME=str(folder / "runs"))
        write_dataset(synthesise(train=48, test=0, seed=1, height=24, width=32), folder / "data.npz")
        (folder / "space.yaml").write_text(LONG_SPACE)
        options = ("--trials", "4", "--epochs", "2000", "--pruner", "none", "--warm-start", "none")
        self.command("create", "mars", "--data", "data.npz", "--space", "space.yaml", *options)
        command = [sys.executable, "-c", STARTER, str(folder / "runs")]
        self.starter = subprocess.Popen(
            command,
            cwd=folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        wait_for(self.trains, 240)
        (self.host,) = psutil.Process(self.starter.pid).children()

    def command(self, *arguments):
        asked = run_marsearch(*arguments, cwd=self.folder, MARSEARCH_HOME=str(self.folder / "runs"))
        assert asked.returncode == 0, asked
        return asked.stdout

    def trains(self):
        return any(worker["training"] for worker in json.loads(self.command("status", "mars", "--json"))["workers"])

    def left_in_order(self):
        told = json.loads(self.command("status", "mars", "--json"))
        return (told["trials"]["running"], told["trials"]["waiting"], told["workers"][0]["state"]) == (0, 1, "left")


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    for process in (made.starter, made.host):
        if process.is_running() if isinstance(process, psutil.Process) else process.poll() is None:
            process.kill()
    made.starter.communicate()


def test_a_host_that_is_asked_to_leave_hands_its_trial_back(scene):
    scene.starter.stdin.write("\n")
    scene.starter.stdin.flush()
    said = scene.starter.stdout.readline()
    assert said == "0 stopped: 0 of 4 trials of study mars: 0 complete, 0 pruned, 0 failed\n"
    assert scene.left_in_order()


def test_a_host_whose_starter_is_killed_hands_its_trial_back(scene):
    scene.starter.kill()
    scene.starter.wait()
    wait_for(lambda: not scene.host.is_running() or scene.host.status() == psutil.STATUS_ZOMBIE)
    assert scene.left_in_order()
