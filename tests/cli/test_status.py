"""What `status` and `study list` say of studies, their workers and what these train."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState, create_trial

from search.cli import answer
from storage.process_identity import this_process
from storage.store import Store, open_store
from storage.studies.control import set_command
from storage.studies.hosts import TrainingProgress, leave
from storage.studies.studies import create_study
from storage.trials.queries import count
from support.studies import add_host, study_row

PLAN = study_row(trials=3)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The default storage with the study `mars`."""
    monkeypatch.chdir(tmp_path)
    for name in ("MARSEARCH_STORAGE", "MARSEARCH_ARTIFACTS", "MARSEARCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    opened = open_store("sqlite:///runs/marsearch.db", "runs/artifacts")
    create_study(opened, PLAN)
    yield opened
    opened.close()


def status(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """The report as JSON and as text."""
    assert answer(["status", "mars", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert answer(["status", "mars"]) == 0
    return report, capsys.readouterr().out


def test_workers_are_shown_with_their_heartbeat_trials_and_epochs(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = [TrainingProgress(trial=3, epoch=2, epochs=30), TrainingProgress(trial=12, epoch=30, epochs=30)]
    add_host(store, id="busy", device="cuda", silent_s=7, training=busy)
    add_host(store, id="silent", device="cuda", silent_s=200)
    add_host(store, id="forgotten", silent_s=7200)
    add_host(store, id="gone")
    leave(store, "gone")
    report, text = status(capsys)
    workers = {worker["id"]: worker for worker in report["workers"]}
    assert {name: worker["state"] for name, worker in workers.items()} == {
        "busy": "working",
        "silent": "lost",
        "forgotten": "lost",
        "gone": "left",
    }
    assert workers["busy"]["training"] == [
        {"trial": 3, "epoch": 2, "epochs": 30},
        {"trial": 12, "epoch": 30, "epochs": 30},
    ]
    assert 7 <= workers["busy"]["beat_age_s"] < 30
    assert "worker busy on elsewhere (cuda), working, heard of" in text
    assert "s ago: trial 3 epoch 2 of 30, trial 12 epoch 30 of 30" in text
    assert "worker silent on elsewhere (cuda), lost, heard of 3 min" in text
    assert "workers gone: 1 left in order, 1 lost" in text
    assert "forgotten" not in text


def test_a_dead_process_on_this_machine_is_lost_at_once(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for name, process in (("here", this_process()), ("dead", replace(this_process(), pid=2**22 + 1))):
        add_host(store, id=name, process=process)
    states = {worker["pid"]: worker["state"] for worker in status(capsys)[0]["workers"]}
    assert states == {os.getpid(): "working", 2**22 + 1: "lost"}


def test_the_state_of_a_study_is_one_word(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(capsys)[0]["state"] == "idle"
    add_host(store)
    assert status(capsys)[0]["state"] == "running"
    for command, state in (("pause", "paused"), ("stop", "stopped")):
        set_command(store, "mars", command)  # type: ignore[arg-type]
        report, text = status(capsys)
        assert report["state"] == state
        assert f"study mars: {state}, 0 of 3 trials finished (none yet)" in text
        assert "go on with: marsearch study resume mars" in text
    study = optuna.load_study(study_name="mars", storage=store.trials)
    for _ in range(3):
        study.add_trial(create_trial(state=TrialState.PRUNED, value=0.2))
    report, text = status(capsys)
    assert report["state"] == "finished"
    assert "resume" not in text


def test_the_list_says_the_same_as_the_status_of_each(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    create_study(store, replace(PLAN, study="venus [red]", trials=40))
    study = optuna.load_study(study_name="venus [red]", storage=store.trials)
    for attempt in (
        {"state": TrialState.COMPLETE, "value": 0.25},
        {"state": TrialState.COMPLETE, "value": 0.75, "constraints": {"params": 0.5}},
        {"state": TrialState.COMPLETE, "value": 0.5, "constraints": {"params": -0.5}},
        {"state": TrialState.PRUNED, "value": 0.9},
        {"state": TrialState.FAIL, "user_attrs": {"reason": "diverged"}},
        {"state": TrialState.FAIL, "user_attrs": {"reason": "diverged"}},
        {"state": TrialState.WAITING, "system_attrs": {"retry_history": [5]}},
    ):
        study.add_trial(create_trial(**attempt))  # type: ignore[arg-type]
    add_host(store)
    capsys.readouterr()
    assert answer(["study", "list", "--json"]) == 0
    listed = {entry["study"]: entry for entry in json.loads(capsys.readouterr().out)["studies"]}
    assert [listed["mars"][key] for key in ("state", "finished", "target", "best", "workers")] == [
        "running",
        0,
        3,
        None,
        1,
    ]
    venus = listed["venus [red]"]
    assert [venus[key] for key in ("state", "finished", "target", "best", "workers")] == ["idle", 5, 40, 0.5, 0]
    assert venus["finished"] == count(study.get_trials()).finished
    assert 0 <= venus["age_s"] < 60
    assert answer(["study", "list"]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert table[0] == ["study", "state", "trials", "best", "constant", "workers", "age"]
    assert table[1][:6] == ["mars", "running", "0/3", "-", "-", "1"]
    assert table[2][:7] == ["venus", "[red]", "idle", "5/40", "0.5000", "-", "0"]


def test_no_study_is_no_mistake(
    store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARSEARCH_HOME", str(tmp_path / "empty"))
    assert answer(["study", "list"]) == 0
    assert "no study in" in capsys.readouterr().err
