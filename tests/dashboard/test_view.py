"""Studies as the dashboard shows them: the feasible best, lost trials, thin curves, ids that are used again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import update

from search.dashboard import view as module
from search.dashboard.board.snapshot import Board
from search.dashboard.view import LOST, POINTS, ViewStorage
from storage.database.optuna_schema import storage_of, study_id_of
from storage.errors import StudyError
from storage.process_identity import this_process
from storage.store import Store
from storage.studies.studies import create_study, list_studies
from storage.trials.retries import reclaim
from support.studies import add_host

from .conftest import PASSWORD, Client, plan

Train = Callable[..., Any]


def lose(store: Store, number: int) -> None:
    """Nobody has heard of the running trial for an hour."""
    trial: Any = models.TrialModel
    began = store.trials.get_trial(number + 1).datetime_start
    assert began is not None
    long_ago = {"_datetime_start_utc": began - timedelta(hours=30)}
    store.transact(lambda s: s.execute(update(trial).where(trial.number == number).values(**long_ago)))


def test_the_best_trial_violates_no_constraint(view: ViewStorage, train: Train, client: Client) -> None:
    with pytest.raises(ValueError, match="no feasible trial"):
        view.get_best_trial(1)
    train(TrialState.COMPLETE, 0.9, over=0.1)
    assert client("GET", "/api/studies/1", PASSWORD).json()["best_trials"] == []
    train(TrialState.COMPLETE, 0.4, over=-1.0)
    train(TrialState.COMPLETE, 0.6, over=0.0)
    train(TrialState.COMPLETE, 0.6)
    train(TrialState.PRUNED)
    assert view.get_best_trial(1).number == 2
    document = client("GET", "/api/studies/1?after=3", PASSWORD).json()
    assert [trial["number"] for trial in document["best_trials"]] == [2]
    assert [trial["number"] for trial in document["trials"]] == [3, 4]
    constraints = [trial["constraints"] for trial in client("GET", "/api/studies/1", PASSWORD).json()["trials"]]
    assert constraints == [[0.1], [-1.0], [0.0], [], []]


def test_a_trial_that_nobody_trains_does_not_hold_up_the_browser(
    view: ViewStorage, store: Store, train: Train, client: Client
) -> None:
    train(TrialState.RUNNING)
    train(TrialState.COMPLETE, 0.4)
    train(TrialState.RUNNING)
    lose(store, 0)
    trials = client("GET", "/api/studies/1", PASSWORD).json()["trials"]
    assert [trial["state"] for trial in trials] == ["Fail", "Complete", "Running"]
    assert {"key": "reason", "value": LOST} in trials[0]["user_attrs"]
    counts = Board(view).look(1).progress.counts
    assert (counts.failed, counts.waiting, counts.running) == (0, 1, 1)  # it comes back


def test_many_who_ask_at_once_read_the_database_once(
    view: ViewStorage, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRESH_S", 3600.0)
    train(TrialState.COMPLETE, 0.1)
    assert len(view.get_all_trials(1)) == 1
    train(TrialState.COMPLETE, 0.2)
    assert len(view.get_all_trials(1)) == 1
    view.expire()
    assert len(view.get_all_trials(1)) == 2


def test_a_copy_says_of_which_trial_it_is(view: ViewStorage, study: optuna.Study, train: Train) -> None:
    train(TrialState.RUNNING)
    assert reclaim(storage_of(study), study_id_of(study), study.get_trials()[0], "its host died")
    assert [trial.user_attrs.get("retry_of") for trial in view.get_all_trials(1)] == [None, 0]


def test_a_trial_is_seen_as_it_goes_on(view: ViewStorage, study: optuna.Study, train: Train) -> None:
    running = train(TrialState.RUNNING, steps=40)
    assert len(view.get_all_trials(1)[0].intermediate_values) == POINTS
    running.report(0.7, 41)
    assert view.get_all_trials(1)[0].last_step == 41
    study.tell(running, 0.7)
    assert view.get_all_trials(1)[0].state is TrialState.COMPLETE
    train(TrialState.COMPLETE, 0.2)
    assert [trial.value for trial in view.get_all_trials(1)] == [0.7, 0.2]


def test_a_study_is_deleted_with_all_that_belongs_to_it(
    client: Client, store: Store, train: Train, tmp_path: Path
) -> None:
    trial = train(TrialState.RUNNING)
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    optuna.artifacts.upload_artifact(artifact_store=store.artifacts, file_path=str(file), study_or_trial=trial)
    assert client("DELETE", "/api/studies/1", PASSWORD, {}).status == 204
    assert list_studies(store) == ()
    assert list((tmp_path / "artifacts").iterdir()) == []
    assert client("DELETE", "/api/studies/1", PASSWORD, {}).status == 404
    assert client("GET", "/api/studies/1", PASSWORD).status == 404
    create_study(store, plan())  # SQLite gives the same id again
    assert client("GET", "/api/studies/1", PASSWORD).json()["trials"] == []


def test_a_study_that_others_deleted_is_not_taken_for_its_successor(
    view: ViewStorage, store: Store, train: Train, client: Client
) -> None:
    train(TrialState.COMPLETE, 0.9)
    assert client("GET", "/api/studies/1", PASSWORD).json()["best_trials"][0]["values"] == [0.9]
    from storage.studies.control import delete_study

    delete_study(store, "mars")
    create_study(store, plan())
    train(TrialState.COMPLETE, 0.3)
    document = client("GET", "/api/studies/1", PASSWORD).json()
    assert [trial["values"] for trial in document["best_trials"] + document["trials"]] == [[0.3], [0.3]]


@pytest.mark.parametrize("path", ["/api/studies/1", "/api/studies/1/", "/api/studies/1//"])
def test_a_study_at_work_is_not_deleted(client: Client, store: Store, train: Train, path: str, tmp_path: Path) -> None:
    trial = train(TrialState.RUNNING)
    file = tmp_path / "a.png"
    file.write_bytes(b"x")
    optuna.artifacts.upload_artifact(artifact_store=store.artifacts, file_path=str(file), study_or_trial=trial)
    add_host(store, process=this_process())
    refused = client("DELETE", path, PASSWORD, {})
    assert refused.status == 409
    assert "at work" in refused.json()["reason"]
    assert len(list((tmp_path / "artifacts").iterdir())) == 1


def test_a_study_of_ours_keeps_its_name(client: Client, store: Store) -> None:
    answer = client("POST", "/api/studies/1/rename", PASSWORD, {"study_name": "venus"})
    assert answer.status == 409
    assert list_studies(store) == ("mars",)


def test_a_study_of_plain_optuna_is_shown_renamed_and_deleted(client: Client, store: Store, view: ViewStorage) -> None:
    assert client("POST", "/api/studies", PASSWORD, {"study_name": "x", "directions": ["minimize"]}).status == 201
    assert client("GET", "/api/studies/2", PASSWORD).json()["directions"] == ["minimize"]
    assert client("GET", "/board/2", PASSWORD).status == 404
    with pytest.raises(StudyError):
        Board(view).look(2)
    assert client("POST", "/api/studies/2/rename", PASSWORD, {"study_name": "y"}).status == 201
    assert client("DELETE", "/api/studies/3", PASSWORD, {}).status == 204
    assert [study["study_name"] for study in client("GET", "/api/studies", PASSWORD).json()["study_summaries"]] == [
        "mars"
    ]


def test_a_study_of_several_objectives_is_left_to_optuna_dashboard(client: Client, store: Store) -> None:
    directions = ["minimize", "maximize"]
    assert client("POST", "/api/studies", PASSWORD, {"study_name": "x", "directions": directions}).status == 201
    assert client("GET", "/api/studies/2", PASSWORD).json()["directions"] == directions
