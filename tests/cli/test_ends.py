"""A study that ends by itself, with real hosts on both databases; what is asked for and what is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState, create_trial
from sqlalchemy import update

from search.host.state import TIME_OVER
from search.studies.reports import study_report, trial_reports
from search.studies.study import StudyDefinition
from search.training.epoch import EpochRecord
from spaces import dump_recipe
from storage.database.schema import StudyTable
from storage.store import Store, open_store
from storage.studies.epochs import curve
from storage.studies.studies import load_config
from support.commands import Command
from support.processes import Running, environment, marsearch_command
from support.studies import LONG_SPACE
from support.waiting import wait_for


@pytest.fixture
def told(marsearch: Command, data: Path, space: Path) -> tuple[object, ...]:
    """What `create` is told of the study `long`, whose trainings outlast the test."""
    space.write_text(LONG_SPACE)
    options = ("--trials", 9, "--epochs", 2000, "--pruner", "none", "--warm-start", "none")
    return ("create", "long", "--data", data, "--space", space, *options)


@pytest.fixture
def places(store_url: str, tmp_path: Path) -> dict[str, str]:
    return {"MARSEARCH_STORAGE": store_url, "MARSEARCH_ARTIFACTS": str(tmp_path / "artifacts")}


@pytest.fixture
def store(places: dict[str, str]) -> Iterator[Store]:
    with closing(open_store(places["MARSEARCH_STORAGE"], places["MARSEARCH_ARTIFACTS"])) as opened:
        yield opened


def states(store: Store) -> list[str]:
    return [trial["state"] for trial in trial_reports(store, "long")]


@pytest.mark.whole
def test_time_ends_a_study_on_all_its_hosts_and_a_longer_one_goes_on(
    marsearch: Command, told: tuple[object, ...], store: Store, places: dict[str, str], tmp_path: Path
) -> None:
    assert marsearch(*told, "--for", "1h", **places).returncode == 0
    study = optuna.load_study(study_name="long", storage=store.trials)
    study.add_trial(create_trial(state=TrialState.COMPLETE, value=0.5))
    command = marsearch_command("work", "long", "--workers", "1", "--device", "cpu")
    with ExitStack() as stack:
        start = lambda: stack.enter_context(Running(command, cwd=tmp_path, env=environment(**places)))  # noqa: E731
        hosts = [start(), start()]
        wait_for(lambda: all(len(curve(store, "long", trial, EpochRecord)) >= 2 for trial in (1, 2)))
        store.transact(lambda session: session.execute(update(StudyTable).values(worked_s=3600.0)))  # hours later
        for left in (host.ended() for host in hosts):
            assert (left.returncode, "Traceback" in left.stderr) == (0, False), left
            assert "study long ends: its 1h are over\n" in left.stderr
            assert "its 1h are over: go on with a larger --for, or without it" in left.stderr
        assert states(store) == ["complete", "fail", "fail", "waiting", "waiting"]
        assert {trial["reason"] for trial in trial_reports(store, "long")[1:3]} == {TIME_OVER}
        late = start().ended()
        assert (late.returncode, len(states(store))) == (0, 5)
        assert "finished: 1 of 9 trials of study long: 1 complete" in late.stderr
        assert "2 more wait; its 1h are over: go on" in late.stderr
        assert marsearch(*told, "--for", "2h", **places).returncode == 0
        assert study_report(store, "long")["state"] == "idle"
        start()
        wait_for(lambda: trial_reports(store, "long")[3]["resumed_from_epoch"] is not None)


def test_what_ends_a_study_is_shown(
    marsearch: Command, told: tuple[object, ...], store: Store, places: dict[str, str], tmp_path: Path
) -> None:
    assert marsearch(*told, "--for", "1h30m", "--patience", 2, **places).returncode == 0
    study = optuna.load_study(study_name="long", storage=store.trials)
    status = marsearch("status", "long", **places).stdout
    assert ("  time  0 s of 1 h 30 min" in status, "  ends" in status) == (True, False)
    for _ in range(2):
        study.add_trial(create_trial(state=TrialState.PRUNED, value=0.2))
    lines = marsearch("status", "long", **places).stdout.splitlines()
    assert lines[0] == "study long: finished, 2 of 9 trials finished (2 pruned)"
    remedy = "go on with a larger --patience, or without it, in the same marsearch run or create"
    assert f"  ends  no better trial in the last 2: {remedy}" in lines
    report = json.loads(marsearch("status", "long", "--json", **places).stdout)
    assert report["end"] == {"reason": "no better trial in the last 2", "option": "--patience"}
    assert (report["budget_s"], report["patience_trials"], report["worked_s"]) == (5400.0, 2, 0.0)
    recipe = StudyDefinition(load_config(store, "long")).space.suggest(optuna.create_study().ask())
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    enqueued = marsearch("enqueue", "long", "recipe.yaml", **places)
    ended = "recipe.yaml waits in study long: the study has ended, no better trial in the last 2"
    assert (enqueued.returncode, enqueued.stderr) == (0, f"{ended}, {remedy}\n")
    assert marsearch(*told, **places).returncode == 0
    report = json.loads(marsearch("status", "long", "--json", **places).stdout)
    assert (report["end"], report["state"], report["patience_trials"]) == (None, "idle", None)


@pytest.mark.parametrize(("option", "value"), [("--for", "8"), ("--for", "0s"), ("--patience", "0")])
def test_what_makes_no_sense_is_one_sentence(
    marsearch: Command, told: tuple[object, ...], tmp_path: Path, option: str, value: str
) -> None:
    refused = marsearch(*told, option, value)
    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert option in refused.stderr
    assert not (tmp_path / "runs").exists()
