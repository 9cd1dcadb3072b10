"""The checkpoint of a trial lies on its host and in the artifact store, and goes once nobody needs it."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.host.checkpoints import Checkpoint, retire, sweep_local
from search.studies.checkpoints import KEPT_PRUNED, artifact_of, local_path
from storage.artifacts.artifact_store import exists
from storage.store import Store


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
