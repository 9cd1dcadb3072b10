"""Trainings that are cut off go on where they were, on this host or another."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import numpy as np
import optuna
import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from safetensors.numpy import load

from search.host import results
from search.host.host import work
from search.studies.checkpoints import artifact_of, stem_of
from search.studies.create import create
from search.studies.reports import trial_reports
from search.training.epoch import EpochRecord
from storage.artifacts.artifact_store import exists
from storage.database.optuna_schema import study_id_of
from storage.store import Store
from storage.studies.attempts import attempts, kept_weights
from storage.studies.epochs import curve
from storage.trials.retries import earlier_attempts, reclaim
from support.hosts import EAGER, epochs_of, order, quiet, trials_of, wait_for_checkpoint
from support.processes import Running, workers_of
from support.studies import Inputs
from support.waiting import LIMIT_S, meanwhile, wait_for

HOST = """
import sys
from pathlib import Path
from search.host.context import Timing
from search.host.context import WorkOptions
from search.host.host import work
from search.host.progress import Progress
from storage.store import open_store

url, artifacts, home, grace, workers = sys.argv[1:]
timing = Timing(reap=1.0, heartbeat=1.0, checkpoint=0.0)
store = open_store(url, artifacts, grace_s=float(grace))
options = WorkOptions(study="tiny", workers=int(workers), trials=None, timeout=None, device="cpu", home=Path(home))
done = work(store, options, Progress("tiny"), timing)
print(f"{done.finished} of {done.target}", file=sys.stderr)
"""


@pytest.fixture
def start(store: Store, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start a host of the study `tiny` as a process; home: its folder."""
    with ExitStack() as hosts:

        def started(home: str = "home", grace: int = 180, workers: int = 1) -> Running:
            url, folder = f"sqlite:///{tmp_path / 'studies.db'}", str(tmp_path / home)
            command = [sys.executable, "-c", HOST, url, store.artifacts_url, folder, str(grace), str(workers)]
            return hosts.enter_context(Running(command))

        yield started


def weights_of(store: Store, study: str) -> dict[str, np.ndarray]:
    (kept,) = kept_weights(store, study)
    with store.artifacts.open_reader(kept.artifact) as file:
        return dict(load(file.read()))


@pytest.fixture
def cut_and_whole(store: Store, inputs: Callable[..., Inputs]) -> None:
    """The same study of one trial twice: `whole` is never interrupted."""
    for name in ("tiny", "whole"):
        create(store, *inputs(study=name, trials=1, keep=1, epochs=9))


def assert_as_if_never_cut(store: Store) -> FrozenTrial:
    """The trial's last life tells the whole story, and tells it as `whole` does."""
    *lost, last = trials_of(store)
    assert [t.state for t in lost] == [TrialState.FAIL] * len(lost)
    assert last.state is TrialState.COMPLETE
    assert trial_reports(store, "tiny")[-1]["resumed_from_epoch"] == 4
    told, whole = curve(store, "tiny", last.number, EpochRecord), curve(store, "whole", 0, EpochRecord)
    assert [e.number for e in told] == [e.number for e in whole] == list(range(1, len(whole) + 1))
    same = ("train_loss", "validation_loss", "miou", "miou_strict", "iou", "lr")
    assert [[getattr(e, name) for name in same] for e in told] == [[getattr(e, name) for name in same] for e in whole]
    (uncut,) = trials_of(store, "whole")
    rungs = {name: value for name, value in uncut.system_attrs.items() if name.startswith("completed_rung")}
    assert last.intermediate_values == uncut.intermediate_values
    assert {name: last.system_attrs.get(name) for name in rungs} == rungs
    ours, theirs = weights_of(store, "tiny"), weights_of(store, "whole")
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    return last


@pytest.mark.whole
@pytest.mark.usefixtures("cut_and_whole")
def test_a_killed_hosts_trial_goes_on_at_once_and_ends_as_if_nothing_had_happened(
    store: Store, start: Callable[..., Running], gate: Path, tmp_path: Path
) -> None:
    host = start()
    wait_for_checkpoint(store, tmp_path / "home")
    bereaved = host.workers()
    host.kill()
    _, alive = psutil.wait_procs(
        bereaved, timeout=LIMIT_S
    )  # one would begin the next epoch before it finds its host gone
    assert not alive
    gate.touch()
    work(store, order(tmp_path / "home"), quiet(), EAGER)
    work(store, order(tmp_path / "home", study="whole"), quiet(), EAGER)
    assert_as_if_never_cut(store)
    first = trials_of(store)[0]
    assert re.fullmatch(rf"its host, process {host.pid} on .*, died", first.user_attrs["reason"])
    assert [r.state for r in attempts(store, "tiny")] == ["lost", "complete"]
    assert list((tmp_path / "home" / "checkpoints").iterdir()) == []


@pytest.mark.whole
@pytest.mark.usefixtures("cut_and_whole")
def test_a_host_that_is_asked_to_go_leaves_its_checkpoint_to_the_next_one_anywhere(
    store: Store, start: Callable[..., Running], gate: Path, tmp_path: Path
) -> None:
    host = start("first")
    wait_for(lambda: epochs_of(store) == 4)
    left = host.stop(seconds=LIMIT_S)
    assert (left.returncode, "0 of 1" in left.stderr) == (0, True), left
    assert [t.state for t in trials_of(store)] == [TrialState.FAIL, TrialState.WAITING]
    artifact = artifact_of(stem_of(store, "tiny"), 0)
    assert exists(store.artifacts, artifact)
    gate.touch()
    work(store, order(tmp_path / "second"), quiet(), EAGER)
    work(store, order(tmp_path / "second", study="whole"), quiet(), EAGER)
    last = assert_as_if_never_cut(store)
    assert earlier_attempts(last) == [0]
    assert not exists(store.artifacts, artifact)


@pytest.mark.usefixtures("cut_and_whole")
def test_a_killed_childs_trial_goes_on_in_a_new_child(store: Store, gate: Path, tmp_path: Path) -> None:
    def kill() -> None:
        wait_for_checkpoint(store, tmp_path)
        gate.touch()
        for child in workers_of(os.getpid()):
            child.kill()

    with meanwhile(kill):
        outcome = work(store, order(tmp_path), quiet(), EAGER)
    assert (outcome.finished, outcome.target) == (1, 1)
    work(store, order(tmp_path, study="whole"), quiet(), EAGER)
    last = assert_as_if_never_cut(store)
    assert last.system_attrs["own_failures"] == 1
    assert "killed by signal 9" in trials_of(store)[0].user_attrs["reason"]


@pytest.mark.whole
def test_a_suspended_host_finds_its_trial_taken_over_and_lets_go_quietly(
    store: Store, inputs: Callable[..., Inputs], start: Callable[..., Running], gate: Path
) -> None:
    create(store, *inputs(trials=1, keep=1, epochs=9, pruner="none"))
    first = start("first", grace=4)
    wait_for(lambda: epochs_of(store) == 4)
    first.send(signal.SIGSTOP)
    second = start("second", grace=4)
    wait_for(lambda: len(trials_of(store)) == 2 and epochs_of(store, 1) == 4)
    first.send(signal.SIGCONT)
    wait_for(lambda: not first.workers())
    gate.touch()
    assert second.ended(120).returncode == 0
    left = first.ended()
    assert left.returncode == 0
    assert "Traceback" not in left.stderr
    assert [t.state for t in trials_of(store)] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials_of(store)[0].user_attrs["reason"].startswith("its host gave no sign of life for 4 s")
    assert sorted(r.state for r in attempts(store, "tiny")) == ["complete", "lost"]
    assert [e.number for e in curve(store, "tiny", 1, EpochRecord)] == list(range(1, 10))


def test_a_result_that_comes_after_its_trial_was_taken_back_goes_to_the_waiting_copy(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    create(store, *inputs(trials=1, keep=1))
    attach = results.attach_pictures
    taken: list[bool] = []

    def overtaken(*args: object) -> None:
        """Lose the trial between the end of its training and its being told."""
        if not taken:
            study = optuna.load_study(study_name="tiny", storage=store.trials)
            taken.append(reclaim(store.trials, study_id_of(study), study.get_trials()[0], "silent"))
        attach(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(results, "attach_pictures", overtaken)
    said = StringIO()
    outcome = work(store, order(tmp_path), quiet(said), EAGER)
    assert taken == [True]
    assert outcome.finished == 1
    first, copy = trials_of(store)
    assert (first.state, copy.state) == (TrialState.FAIL, TrialState.COMPLETE)
    assert [e.number for e in curve(store, "tiny", copy.number, EpochRecord)] == [1, 2, 3]
    assert copy.value == max(e.miou for e in curve(store, "tiny", copy.number, EpochRecord))
    assert [kept.trial for kept in kept_weights(store, "tiny")] == [copy.number]
    assert "its result is kept" in said.getvalue()
