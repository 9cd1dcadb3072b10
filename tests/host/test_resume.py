"""Trainings that are cut off go on where they were, on this host or another; whatever fails says what it was."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import optuna
import psutil
import pytest
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState, create_trial
from rich.console import Console
from safetensors.numpy import load

from search.errors import UsageError
from search.host import results
from search.host.checkpoints import Checkpoint, retire, sweep_local
from search.host.context import Timing
from search.host.host import WorkOptions, epoch_limit, work
from search.host.progress import Progress
from search.host.state import HostState
from search.studies.checkpoints import KEPT_PRUNED, artifact_of, local_path, stem_of
from search.studies.create import Created, create
from search.studies.pruners import RetryAwarePruner
from search.studies.queries import count
from search.studies.reports import trial_reports
from search.training.epoch import EpochRecord
from search.worker.checkpoint_file import epoch_of
from storage.artifacts.artifact_store import exists
from storage.database.optuna_schema import storage_of, study_id_of
from storage.store import Store
from storage.studies.attempts import attempts, kept_weights
from storage.studies.control import set_command
from storage.studies.epochs import curve
from storage.trials.retries import earlier_attempts, reclaim
from support.processes import Running, workers_of
from support.studies import Inputs
from support.waiting import meanwhile, wait_for, within

# A host whose workers write a checkpoint after every epoch, and whose trials count as lost after a few seconds.
EAGER = Timing(reap=1.0, heartbeat=1.0, checkpoint=0.0)
HOST = """
import sys
from pathlib import Path
from search.host.context import Timing
from search.host.host import WorkOptions, work
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


def order(home: Path, **changes: object) -> WorkOptions:
    known = WorkOptions(study="tiny", workers=1, trials=None, timeout=None, device="cpu", home=home)
    return replace(known, **changes)  # type: ignore[arg-type]


def quiet(lines: StringIO | None = None) -> Progress:
    return Progress("tiny", Console(file=lines or StringIO(), width=200))


def trials_of(store: Store, study: str = "tiny") -> list[FrozenTrial]:
    return optuna.load_study(study_name=study, storage=store.trials).get_trials()


def epochs_of(store: Store, trial: int = 0) -> int:
    return (
        len(curve(store, "tiny", trial, EpochRecord))
        if any(run.trial == trial for run in attempts(store, "tiny"))
        else 0
    )


def weights_of(store: Store, study: str) -> dict[str, np.ndarray]:
    (kept,) = kept_weights(store, study)
    with store.artifacts.open_reader(kept.artifact) as file:
        return dict(load(file.read()))


@pytest.fixture
def cut_and_whole(store: Store, inputs: Callable[..., Inputs]) -> None:
    """The same study of one trial twice: `whole` is never interrupted."""
    for name in ("tiny", "whole"):
        create(store, *inputs(study=name, trials=1, keep=1, epochs=9))


def wait_for_checkpoint(store: Store, home: Path) -> None:
    """Wait until the first trial has told of its fourth epoch and has written it down."""
    wait_for(lambda: epochs_of(store) == 4)
    wait_for(lambda: epoch_of(local_path(home, stem_of(store, "tiny"), 0)) == 4)


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


@pytest.mark.usefixtures("cut_and_whole")
def test_a_killed_hosts_trial_goes_on_at_once_and_ends_as_if_nothing_had_happened(
    store: Store, start: Callable[..., Running], gate: Path, tmp_path: Path
) -> None:
    host = start()
    wait_for_checkpoint(store, tmp_path / "home")
    bereaved = host.workers()
    host.kill()
    _, alive = psutil.wait_procs(bereaved, timeout=30)  # one would begin the next epoch before it finds its host gone
    assert not alive
    gate.touch()
    work(store, order(tmp_path / "home"), quiet(), EAGER)
    work(store, order(tmp_path / "home", study="whole"), quiet(), EAGER)
    assert_as_if_never_cut(store)
    first = trials_of(store)[0]
    assert re.fullmatch(rf"its host, process {host.pid} on .*, died", first.user_attrs["reason"])
    assert [r.state for r in attempts(store, "tiny")] == ["lost", "complete"]
    assert list((tmp_path / "home" / "checkpoints").iterdir()) == []


@pytest.mark.usefixtures("cut_and_whole")
def test_a_host_that_is_asked_to_go_leaves_its_checkpoint_to_the_next_one_anywhere(
    store: Store, start: Callable[..., Running], gate: Path, tmp_path: Path
) -> None:
    host = start("first")
    wait_for(lambda: epochs_of(store) == 4)
    asked = time.monotonic()
    left = host.stop()
    assert time.monotonic() - asked < within(10)
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


def test_a_training_that_diverges_is_not_tried_again(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, break_child: Callable[[str], None]
) -> None:
    create(store, *inputs(trials=2))
    nan = "if number == 2: return step(setup, rows, number, *rest) * float('nan')"
    break_child(nan)
    work(store, order(tmp_path), quiet(), EAGER)
    first, second = trials_of(store)
    assert first.state is second.state is TrialState.FAIL
    assert "the loss became nan in epoch 2" in first.user_attrs["reason"]
    assert count([first, second]).failed == 2
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_training_that_fails_by_itself_is_tried_twice_more_and_says_where_it_failed(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, break_child: Callable[[str], None]
) -> None:
    create(store, *inputs(trials=1))
    break_child("if number == 2: raise KeyError('odd')")
    outcome = work(store, order(tmp_path), quiet(), EAGER)
    trials = trials_of(store)
    assert [t.state for t in trials] == [TrialState.FAIL] * 3
    for trial in trials:
        assert trial.user_attrs["reason"] == "KeyError: 'odd'"
        assert "in broken" in trial.user_attrs["traceback"]
    assert (outcome.finished, count(trials).failed) == (1, 1)


def test_a_child_that_hangs_is_killed_and_its_trial_goes_on(
    store: Store, inputs: Callable[..., Inputs], gate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, *inputs(trials=1, epochs=9, pruner="none"))
    monkeypatch.setenv("MARSEARCH_EPOCH_LIMIT", "25")  # a busy machine may take some for an epoch

    def wait() -> None:
        wait_for_checkpoint(store, tmp_path)
        wait_for(lambda: trials_of(store)[0].state is TrialState.FAIL)
        gate.touch()

    with meanwhile(wait):
        work(store, order(tmp_path), quiet(), EAGER)
    first, again = trials_of(store)
    assert "sent nothing for 25 s" in first.user_attrs["reason"]
    assert (again.state, again.user_attrs["resumed_from_epoch"]) == (TrialState.COMPLETE, 4)


def test_a_study_is_paused_resumed_and_stopped_between_two_epochs(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, break_child: Callable[[str], None]
) -> None:
    create(store, *inputs(trials=2, epochs=2000, pruner="none"))
    break_child("time.sleep(0.15)")  # patience would end it after thirty epochs
    said = StringIO()

    def command() -> None:
        wait_for(lambda: epochs_of(store) >= 3)
        set_command(store, "tiny", "pause")
        wait_for(lambda: trials_of(store)[-1].state is TrialState.WAITING)
        held = len(trials_of(store))
        time.sleep(1.0)  # nobody takes it up
        assert len(trials_of(store)) == held == 2
        assert trials_of(store)[-1].state is TrialState.WAITING
        set_command(store, "tiny", "run")
        wait_for(lambda: epochs_of(store, 1) >= 3)
        set_command(store, "tiny", "stop")

    with meanwhile(command):
        outcome = work(store, order(tmp_path), quiet(said), EAGER)
    assert outcome.finished == 0
    first, second, third = trials_of(store)
    assert first.user_attrs["reason"] == "the study was paused during the training"
    assert second.user_attrs["reason"] == "the study was stopped during the training"
    assert second.user_attrs["resumed_from_epoch"] >= 3
    assert third.state is TrialState.WAITING
    for words in ("is paused; go on with", "goes on", "is stopped; allow it again with"):
        assert words in said.getvalue()
    again = work(store, order(tmp_path), quiet(), EAGER)
    assert (again.finished, len(trials_of(store))) == (0, 3)


def test_the_newest_of_both_checkpoints_is_taken_and_both_are_removed(store: Store, tmp_path: Path) -> None:
    from search.training.checkpoint import Snapshot, write_snapshot

    first, second = (Checkpoint(store.artifacts, tmp_path / home, "f00d", 7) for home in ("a", "b"))
    assert first.path == local_path(tmp_path / "a", "f00d", 7)
    assert not first.fetch()
    for epoch, checkpoint in ((3, first), (5, second)):
        write_snapshot(checkpoint.path, Snapshot(epoch=epoch, tensors={}, document={}))
    assert second.flush(10.0)
    assert first.fetch()
    assert first.path.read_bytes() == second.path.read_bytes()
    write_snapshot(first.path, Snapshot(epoch=9, tensors={}, document={}))
    newest = first.path.read_bytes()
    assert first.fetch()
    assert first.path.read_bytes() == newest
    first.drop()
    second.drop()
    assert not first.path.exists()
    assert not second.fetch()


def test_an_artifact_store_that_is_away_does_not_keep_a_training_from_going_on(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from search.training.checkpoint import Snapshot, write_snapshot

    checkpoint = Checkpoint(store.artifacts, tmp_path, "f00d", 7)
    write_snapshot(checkpoint.path, Snapshot(epoch=3, tensors={}, document={}))
    shutil.rmtree(store.artifacts_url)
    Path(store.artifacts_url).write_text("not a folder")
    assert not checkpoint.flush(5.0)
    assert checkpoint.fetch()
    assert len(caplog.records) == 2


def test_only_the_best_pruned_trials_keep_their_checkpoints(store: Store, tmp_path: Path) -> None:
    from search.training.checkpoint import Snapshot, write_snapshot

    trials: list[FrozenTrial] = []
    for number, value in enumerate((0.3, 0.1, 0.5, 0.4, 0.2, 0.6)):
        checkpoint = Checkpoint(store.artifacts, tmp_path, "f00d", number)
        write_snapshot(checkpoint.path, Snapshot(epoch=1, tensors={}, document={}))
        trial = create_trial(state=TrialState.PRUNED, value=value)
        trial.number = number
        trials.append(trial)
        retire(checkpoint, trial, trials, "f00d", 10.0)
    kept = [n for n in range(6) if exists(store.artifacts, artifact_of("f00d", n))]
    assert (len(kept), kept) == (KEPT_PRUNED, [2, 3, 5])
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_checkpoint_of_a_trial_that_ended_on_another_host_is_swept_here(tmp_path: Path) -> None:
    from search.training.checkpoint import Snapshot, write_snapshot

    long_ago = datetime.now() - timedelta(minutes=5)
    (tmp_path / "checkpoints").mkdir()
    states = {0: TrialState.RUNNING, 1: TrialState.COMPLETE, 2: TrialState.COMPLETE, 3: TrialState.WAITING}
    trials = [create_trial(state=state, value=0.5 if state.is_finished() else None) for state in states.values()]
    for number, trial in enumerate(trials):
        trial.number = number
        trial.datetime_complete = {1: long_ago, 2: datetime.now()}.get(number)
        write_snapshot(local_path(tmp_path, "f00d", number), Snapshot(epoch=1, tensors={}, document={}))
    write_snapshot(local_path(tmp_path, "beef", 1), Snapshot(epoch=1, tensors={}, document={}))
    assert sweep_local(tmp_path, "f00d", trials) == 1
    assert not local_path(tmp_path, "f00d", 1).exists()
    assert len(list((tmp_path / "checkpoints").iterdir())) == 4


def test_a_rung_counts_once_for_all_lives_of_a_trial(store: Store, inputs: Callable[..., Inputs]) -> None:
    """The pruner's verdicts are the same whether the first trial was cut off at each rung or not."""
    verdicts = []
    for name in ("uncut", "cut"):
        create(store, *inputs(study=name, trials=40, epochs=9))
        study = optuna.load_study(study_name=name, storage=store.trials)
        study.pruner = RetryAwarePruner(SuccessiveHalvingPruner(min_resource=1, reduction_factor=3))
        seen = []
        for value in (0.5, 0.4, 0.6, 0.55, 0.45, 0.7):
            trial = study.ask()
            for step in (1, 3, 9):
                trial.report(value, step)
                seen.append(trial.should_prune())
                if name == "cut" and value == 0.5 and step < 9:
                    trial = cut_off(study, trial, step, value)
            study.tell(trial, value)
        verdicts.append(seen)
    assert verdicts[0] == verdicts[1]
    assert {True, False} == set(verdicts[0])


def test_a_pruner_knows_a_trial_by_its_first_number(store: Store, created: Created) -> None:
    """Hyperband draws the bracket of a trial from its number."""
    seen: list[tuple[int, list[int]]] = []

    class Spy(NopPruner):
        def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
            seen.append((trial.number, [t.number for t in study.get_trials(deepcopy=False)]))
            return False

    study = optuna.load_study(study_name="tiny", storage=store.trials, pruner=RetryAwarePruner(Spy()))
    first, second = study.ask(), study.ask()
    again = cut_off(study, first, 1, 0.5)
    second.should_prune()
    assert again.number == 2
    assert seen == [(0, [0, 1]), (1, [0, 1])]


def cut_off(study: optuna.Study, trial: optuna.Trial, reached: int, value: float) -> optuna.Trial:
    """Kill the trial, and let its next life catch up with what it had reached."""
    assert reclaim(storage_of(study), study_id_of(study), study.get_trials()[trial.number], "lost")
    again = study.ask()
    for step in (1, 3, 9):
        if step <= reached:
            again.report(value, step)
            again.should_prune()
    return again


def test_the_limit_of_an_epoch_is_a_number_of_seconds() -> None:
    assert epoch_limit({}) is None
    assert epoch_limit({"MARSEARCH_EPOCH_LIMIT": "90"}) == 90.0
    for text in ("soon", "-1", "0", "inf", "nan"):
        with pytest.raises(UsageError, match="MARSEARCH_EPOCH_LIMIT"):
            epoch_limit({"MARSEARCH_EPOCH_LIMIT": text})


def test_a_silent_child_is_given_twenty_of_the_slowest_epochs() -> None:
    state = HostState()
    assert state.silence_limit == 600.0
    state.epoch_took(45.0)
    state.epoch_took(2.0)
    assert state.silence_limit == 900.0
    assert HostState(epoch_limit=7.0).silence_limit == 7.0
