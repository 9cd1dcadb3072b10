"""One study, two hosts, and all that can go wrong: nothing is lost, nothing is done twice.

What goes wrong comes in a random, seeded order, each blow after so many more epochs: never by the clock.
"""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from support.verdict import verdict

ALL = ["host", "host", "host", "child", "child", "child", "database", "database", "stop", "term", "disk"]


@pytest.mark.long
@pytest.mark.timeout(4000)
@pytest.mark.parametrize("seed", range(10))
def test_nothing_is_lost_whatever_happens(scene, tmp_path, capsys, seed):
    pruner, gap = (("none", (80, 150)), ("asha", (25, 55)))[seed % 2]
    scene.create("--trials", "24", "--epochs", "90", "--pruner", pruner, "--keep", "24", tiles=72)
    storm = Storm(scene, ALL, seed=seed, gap=gap)
    began = time.monotonic()
    storm.rage(limit=float(os.environ.get("CHAOS_LIMIT", "1400")))
    told = verdict(scene, tmp_path, target=24, epochs=90)
    with capsys.disabled():
        print(f"\nchaos seed {seed} ({pruner}): {time.monotonic() - began:.0f} s, {storm.told}, {told}")


class Storm:
    """The blows, in an order of their own; `gap` is the range of epochs between two."""

    def __init__(self, scene, kinds, seed, gap):
        self.scene = scene
        self.random = random.Random(seed)
        self.kinds = self.random.sample(kinds, len(kinds))
        self.gap = gap
        self.told = []  # what was done, with the number of epochs at which it was
        self.later = []  # what has to be undone, and when
        self.bereaved = []  # the children of killed hosts

    def rage(self, limit):
        """Run the study to its end, with every blow on the way."""
        for host in self.scene.hosts:
            host.start()
        end, due = time.monotonic() + limit, self._gap()
        while not all(host.done for host in self.scene.hosts):
            assert time.monotonic() < end, f"not finished in {limit} s: {self.told}\n{self._logs()}"
            self._tend()
            epochs = self.scene.epochs()
            if self.kinds and epochs is not None and epochs >= due and self._strike(self.kinds[0], epochs):
                del self.kinds[0]
                due = epochs + self._gap()
            time.sleep(0.05)
        assert not self.kinds, f"the study was over before {self.kinds}; there were {self.told}"
        assert not [host.ended for host in self.scene.hosts if any(host.ended)], self._logs()

    def _gap(self):
        return self.random.randint(*self.gap)

    def _tend(self):
        due = [undo for undo in self.later if undo()]
        self.later = [undo for undo in self.later if undo not in due]
        for host in self.scene.hosts:
            host.tend()

    def _strike(self, kind, epochs):
        """Whether there was something to strike."""
        struck = getattr(self, f"_{kind}")()
        if struck:
            self.told.append(f"{kind} at {epochs}")
            (self.scene.folder / "storm.log").write_text("\n".join(self.told))  # outlives a test that is killed itself
        return struck

    def _host(self):
        return self._end_host(signal.SIGKILL)

    def _term(self):
        return self._end_host(signal.SIGTERM)

    def _end_host(self, number):
        host = self._at_work()
        if host:
            self.bereaved += host.children()
            host.send(number)
        return bool(host)

    def _child(self):
        host = self._at_work()
        if host:
            self.random.choice(host.children()).kill()
        return bool(host)

    def _database(self):
        self.scene.server.crash()
        return True

    def _stop(self):
        host = self._at_work()
        if not host:
            return False
        process, end = host.process, time.monotonic() + 30
        process.send_signal(signal.SIGSTOP)

        def wake():
            over = time.monotonic() > end or process.poll() is not None
            if over:
                process.send_signal(signal.SIGCONT)
            return over

        self.later.append(wake)
        return True

    def _disk(self):
        self.scene.fill_disk()
        told = sum(host.log.stat().st_size for host in self.scene.hosts)
        end = time.monotonic() + 15

        def free():  # once a host has complained, or had the time to
            over = sum(host.log.stat().st_size for host in self.scene.hosts) > told or time.monotonic() > end
            if over:
                self.scene.free_disk()
            return over

        self.later.append(free)
        return True

    def _at_work(self):
        """A host that trains, by chance."""
        able = [host for host in self.scene.hosts if host.running() and host.children()]
        return self.random.choice(able) if able else None

    def _logs(self):
        return "\n".join(f"{host.name} {host.ended}: {host.log.read_text()[-3000:]}" for host in self.scene.hosts)
