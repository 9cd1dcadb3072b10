"""What must be true of the study `chaos` after whatever happened to its hosts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import optuna
import psutil
import torch
from optuna.trial import TrialState
from safetensors.torch import load_file as load_tensors

from search.commands.bundle import normalisation
from search.outcome.predict import predict_labels
from search.studies.study import open_study
from search.training.confusion import confusion_matrix
from search.training.epoch import EpochRecord
from search.training.metrics import scores
from spaces.modules.networks.network import build_network
from storage.artifacts.artifact_store import load_file
from storage.store import open_store
from storage.studies.attempts import attempts, kept_weights
from storage.studies.epochs import curve
from storage.trials.queries import count
from storage.trials.retries import first_attempt

from .waiting import LIMIT_S

MOST_BLOWS = 3  # killed workers that cost a trial its life: two retries


def verdict(scene, folder, *, target, epochs, url=None):
    """Everything that must be true of a study after a storm; gives its counts."""
    _, alive = psutil.wait_procs(scene.processes(), timeout=LIMIT_S)
    assert not alive, f"still there: {[p.cmdline() for p in alive]}"
    assert not [p.name for p in scene.artifacts.iterdir() if p.name.endswith((".part", ".tmp"))]
    told = "".join(host.log.read_text() for host in scene.hosts)
    assert "Traceback" not in told, told[-3000:]
    store = open_store(url or scene.server.url, str(scene.artifacts))
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
    ended = Counter(first_attempt(t) for t in trials if t.state in (TrialState.COMPLETE, TrialState.PRUNED))
    assert set(ended.values()) == {1}, states
    first, recorded = {t.number: first_attempt(t) for t in trials}, attempts(store, "chaos")
    trained = Counter(first[attempt.trial] for attempt in recorded if attempt.state in ("complete", "pruned"))
    assert set(trained.values()) == {1}, (states, recorded)
    assert not [attempt for attempt in recorded if attempt.state == "running"], recorded


def replaced(trials):
    """The numbers of the trials that a retry has taken the place of."""
    return {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}


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
        recipe = opened.recipe(complete[weights.trial])
        network = build_network(recipe, opened.space.facts, mean=mean, std=std)
        network.load_state_dict(tensors)
        labels = torch.from_numpy(predict_labels(network, opened.dataset.images[validation], batch_size=64))
        seen = scores(confusion_matrix(labels, truth, opened.dataset.classes, None), opened.space.facts)
        assert seen.miou == weights.value, (weights, seen.miou)
        assert not math.isnan(seen.miou)
    return len(kept)
