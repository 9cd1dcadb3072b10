"""Attempts that diverge, fail by themselves, hang or are held by a person: each says what it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from optuna.trial import TrialState

from search.errors import UsageError
from search.host.host import epoch_limit, work
from search.host.state import HostState
from search.studies.create import create
from storage.store import Store
from storage.studies.control import set_command
from storage.trials.queries import count
from support.hosts import EAGER, epochs_of, order, quiet, trials_of, wait_for_checkpoint
from support.studies import Inputs
from support.waiting import meanwhile, wait_for


def test_a_training_that_diverges_is_not_tried_again(
    store: Store, inputs: Callable[..., Inputs], tmp_path: Path, break_child: Callable[[str], None]
) -> None:
    create(store, *inputs(trials=2, pruner="none"))
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


@pytest.mark.whole
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
