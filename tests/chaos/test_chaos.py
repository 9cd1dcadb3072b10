"""One study, two hosts, and all that can go wrong: nothing is lost, nothing is done twice.

What goes wrong comes in a random, seeded order, each blow after so many more epochs: never by the clock.
"""

from __future__ import annotations

import math
import os
import random
import signal
import time
from collections import Counter

import numpy as np
import optuna
import psutil
import pytest
import torch
from optuna.trial import TrialState
from safetensors.torch import load_file as load_tensors

from search.studies.queries import count
from search.studies.study import open_study, recipe_of
from search.training.epoch import EpochRecord
from search.training.metrics import confusion_matrix, scores
from search.training.predict import predict_labels
from search.worker.job_files import normalisation
from spaces.modules.networks.network import build_network
from storage.artifacts.artifact_store import load_file
from storage.store import open_store
from storage.studies.attempts import kept_weights
from storage.studies.epochs import curve

ALL = ["host", "host", "host", "child", "child", "child", "database", "database", "stop", "term", "disk"]
MOST_BLOWS = 3  # killed children that cost a trial its life: two retries


@pytest.mark.timeout(400)
def test_a_study_survives_a_killed_host_a_killed_child_and_a_crashed_database(scene, tmp_path):
    scene.create("--trials", "6", "--epochs", "60", "--pruner", "none", "--keep", "6")
    storm = Storm(scene, ["host", "child", "database"], seed=0, gap=(20, 60))
    storm.rage(limit=float(os.environ.get("CHAOS_LIMIT", "200")))
    told = verdict(scene, tmp_path, target=6, epochs=60)
    assert told["complete"] == told["finished"]


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


def verdict(scene, folder, *, target, epochs):
    """Everything that must be true of a study after a storm; gives its counts."""
    _, alive = psutil.wait_procs(scene.processes(), timeout=20)
    assert not alive, f"still there: {[p.cmdline() for p in alive]}"
    assert not [p.name for p in scene.artifacts.iterdir() if p.name.endswith((".part", ".tmp"))]
    told = "".join(host.log.read_text() for host in scene.hosts)
    assert "Traceback" not in told, told[-3000:]
    store = open_store(scene.server.url, str(scene.artifacts))
    try:
        trials = optuna.load_study(study_name="chaos", storage=store.trials).get_trials(deepcopy=False)
        counts = count(trials)
        _nobody_is_lost_or_done_twice(store, trials, counts, target)
        for trial in trials:
            if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                _whole_curve(store, trial, epochs)
        proven = _weights_do_what_was_recorded(store, trials, folder)
    finally:
        store.close()
    resumed = sum("resumed_from_epoch" in trial.user_attrs for trial in trials)
    return {
        "finished": counts.finished,
        "complete": counts.complete,
        "pruned": counts.pruned,
        "waiting": counts.waiting,
        "attempts": len(trials),
        "resumed": resumed,
        "weights proven": proven,
    }


def _nobody_is_lost_or_done_twice(store, trials, counts, target):
    states = [(t.number, t.state.name, t.system_attrs.get("retry_history"), t.user_attrs.get("reason")) for t in trials]
    assert counts.running == 0, states
    for lost in (t for t in trials if t.state is TrialState.FAIL and t.number not in replaced(trials)):
        chain = [trials[number] for number in [*lost.system_attrs.get("retry_history", []), lost.number]]
        blows = [t for t in chain if "killed by signal 9" in t.user_attrs.get("reason", "")]
        assert len(blows) == MOST_BLOWS, (lost.number, states)  # only who was hit so often may stay down
    assert counts.finished == target, states
    ended = Counter(origin(t) for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED))
    assert set(ended.values()) == {1}, states
    attempts = {t.number: origin(t) for t in trials}
    trained = Counter(attempts[run.trial] for run in attempts(store, "chaos") if run.state in ("complete", "pruned"))
    assert set(trained.values()) == {1}, (states, attempts(store, "chaos"))
    over = {t.number for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED)}
    assert not [run for run in attempts(store, "chaos") if run.state == "running" and run.trial in over]


def replaced(trials):
    """The numbers of the trials that a retry has taken the place of."""
    return {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}


def origin(trial):
    """The number of a trial's first attempt."""
    return trial.system_attrs.get("retry_history", [trial.number])[0]


def _whole_curve(store, trial, epochs):
    numbers = [row.number for row in curve(store, "chaos", trial.number, EpochRecord)]
    assert numbers == list(range(1, len(numbers) + 1)), (trial.number, numbers)
    assert len(numbers) == trial.user_attrs["epochs"]
    if trial.state is TrialState.COMPLETE:
        assert len(numbers) == epochs


def _weights_do_what_was_recorded(store, trials, folder):
    """Each kept file gives its trial's mean IoU again, to the last pixel; how many there are."""
    opened = open_study(store, "chaos", folder / "home")
    validation = np.asarray(opened.validation)
    truth = torch.from_numpy(np.ascontiguousarray(opened.dataset.masks[validation]))
    kept = kept_weights(store, "chaos")
    complete = {t.number: t for t in trials if t.state is TrialState.COMPLETE}
    assert {weights.trial for weights in kept} == set(complete)
    for weights in kept:
        load_file(store.artifacts, weights.artifact, folder / "weights")
        tensors = load_tensors(folder / "weights")
        mean, std = normalisation(tensors)
        recipe = recipe_of(opened.config, opened.space, complete[weights.trial])
        network = build_network(recipe, opened.space.facts, mean=mean, std=std)
        network.load_state_dict(tensors)
        labels = torch.from_numpy(predict_labels(network, opened.dataset.images[validation]))
        seen = scores(confusion_matrix(labels, truth, opened.dataset.classes, None), opened.space.facts)
        assert seen.miou == weights.value, (weights, seen.miou)
        assert not math.isnan(seen.miou)
    return len(kept)
