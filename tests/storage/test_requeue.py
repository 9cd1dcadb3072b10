"""A trial that lost its host, or failed by itself, comes back as one waiting copy without the marks of its past."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import optuna
import psutil
import pytest
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import update

from storage.process_identity import machine, worker_id
from storage.store import Store
from storage.studies.attempts import finish_run, runs, start_run
from storage.studies.hosts import Worker, register
from storage.studies.reaper import LOST, reap
from storage.studies.studies import StudyConfig, create_study
from storage.trials.retries import (
    MOST_RETRIES,
    claim_copy,
    comes_back,
    may_return,
    origin,
    promise,
    requeue,
    retried,
    retry_pending,
)
from storage.trials.retrying_storage import RetryingStorage

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed:UserWarning")  # ask, tell


@pytest.fixture
def study(store: Store, plan: StudyConfig) -> optuna.Study:
    create_study(store, plan)
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    return optuna.load_study(study_name=plan.study, storage=store.trials, pruner=pruner)


def running_trial(study: optuna.Study) -> optuna.Trial:
    trial = study.ask()
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_categorical("norm", ["batch", "none"])
    return trial


def lost_trial(study: optuna.Study) -> FrozenTrial:
    trial = running_trial(study)
    for step in (1, 2, 4):
        trial.report(0.5, step)
        trial.should_prune()
    trial.set_constraint("params", -1.0)
    trial.set_user_attr("asked by", "Ada")
    trial.set_user_attr("reason", "killed")
    study.tell(trial, state=TrialState.FAIL)
    return study.get_trials()[-1]


def worker_of(pid: int, study: str, started: datetime | None = None) -> Worker:
    now = started or datetime.now(UTC)
    return Worker(
        id=worker_id(),
        study=study,
        host="here",
        pid=pid,
        device="cpu",
        slots=1,
        started=now,
        beat=now,
        state="working",
        trials="",
    )


def begin(store: Store, study: optuna.Study, worker: Worker) -> tuple[optuna.Trial, int]:
    """A trial that the worker trains."""
    register(store, worker)
    trial = running_trial(study)
    store.trials.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
    run = start_run(store, study=study.study_name, trial=trial.number, worker=worker.id, device="cpu")
    return trial, run


@pytest.fixture(scope="module")
def dead() -> Iterator[int]:
    """The id of a process that has ended, but that its parent has not asked for yet."""
    process = subprocess.Popen(["/bin/true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    yield process.pid
    process.wait()


def test_the_copy_has_the_parameters_but_neither_curve_nor_rungs(study: optuna.Study) -> None:
    lost = lost_trial(study)
    assert any(name.startswith("completed_rung") for name in lost.system_attrs)
    assert requeue(study, lost)
    copy = study.get_trials()[-1]
    assert (copy.state, copy.params) == (TrialState.WAITING, lost.params)
    assert copy.intermediate_values == {}
    assert set(copy.system_attrs) == {"failed_trial", "retry_history"}
    assert copy.user_attrs == {"asked by": "Ada"}
    again = study.ask()
    assert again.number == copy.number
    assert again.suggest_float("lr", 1e-4, 1e-1, log=True) == lost.params["lr"]


def test_an_enqueued_trial_keeps_what_it_was_enqueued_with(study: optuna.Study) -> None:
    study.enqueue_trial({"lr": 0.01}, user_attrs={"from": "report B"})
    lost = lost_trial(study)
    requeue(study, lost)
    copy = study.get_trials()[-1]
    assert copy.system_attrs["fixed_params"] == {"lr": 0.01}
    assert copy.user_attrs == {"from": "report B", "asked by": "Ada"}


def test_there_is_one_copy_however_many_ask_for_it(study: optuna.Study, store: Store, plan: StudyConfig) -> None:
    lost = lost_trial(study)
    barrier = threading.Barrier(8)

    def ask() -> None:
        own = optuna.load_study(study_name=plan.study, storage=store.trials)
        barrier.wait()
        assert requeue(own, lost)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.WAITING]
    assert [t.number for t in study.get_trials()] == [0, 1]


def test_only_what_a_trial_fails_by_itself_is_counted(study: optuna.Study) -> None:
    lost = lost_trial(study)
    for own in (False, True, False, True, False, False):
        assert may_return(lost, own_fault=own)
        assert requeue(study, lost, own_fault=own)
        study.tell(study.ask(), state=TrialState.FAIL)
        lost = study.get_trials()[-1]
    assert lost.system_attrs["own_failures"] == MOST_RETRIES == 2
    assert not may_return(lost, own_fault=True)
    assert not requeue(study, lost, own_fault=True)
    assert len(study.get_trials()) == 7
    assert retried(lost) == [0, 1, 2, 3, 4, 5]
    assert origin(lost) == 0


def test_the_trial_of_a_dead_process_on_this_machine_is_taken_back_at_once(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    trial, run = begin(store, study, worker_of(dead, plan.study))
    assert reap(store, plan.study, local=True) == (trial.number,)
    lost, copy = study.get_trials()
    assert (lost.state, lost.user_attrs["reason"]) == (TrialState.FAIL, f"its host, process {dead} on here, died")
    assert (copy.state, copy.params) == (TrialState.WAITING, lost.params)
    assert [(r.id, r.state) for r in runs(store, plan.study)] == [(run, LOST)]
    assert reap(store, plan.study) == ()


DIE = """
import os, sys
import optuna
from storage.store import open_store
store = open_store(sys.argv[1], sys.argv[2])
optuna.load_study(study_name=sys.argv[3], storage=store.trials).ask()
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("waiting", [False, True], ids=["sampled", "claimed"])
def test_a_trial_whose_host_died_before_it_had_a_run_is_taken_back_at_once(
    store: Store, study: optuna.Study, plan: StudyConfig, waiting: bool
) -> None:
    if waiting:
        study.enqueue_trial({"lr": 1e-2})
    url = store.engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", DIE, url, store.artifacts_url, plan.study], check=False)
    mine = study.ask()
    assert reap(store, plan.study, local=True) == (0,)
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    assert re.fullmatch("its host, process [0-9]+ on this machine, died", study.get_trials()[0].user_attrs["reason"])
    assert mine.number == 1


def test_a_process_id_that_was_given_out_again_is_not_taken_for_the_worker(
    store: Store, study: optuna.Study, plan: StudyConfig
) -> None:
    me = psutil.Process()
    born = datetime.fromtimestamp(me.create_time(), UTC)
    living, _ = begin(store, study, worker_of(me.pid, plan.study))
    assert reap(store, plan.study) == ()
    older, _ = begin(store, study, worker_of(me.pid, plan.study, born - timedelta(hours=1)))
    assert reap(store, plan.study) == (older.number,)
    assert study.get_trials()[living.number].state is TrialState.RUNNING


def test_a_process_that_only_another_machine_could_see_is_left_alone(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    elsewhere = replace(worker_of(dead, plan.study), id="0123456789ab-00000000")
    assert machine() not in elsewhere.id
    trial, _ = begin(store, study, elsewhere)
    assert reap(store, plan.study) == ()
    assert study.get_trials()[trial.number].state is TrialState.RUNNING


@pytest.mark.parametrize("heard", [True, False])
def test_a_trial_without_a_sign_of_life_is_taken_back_also_if_it_never_gave_one(
    store: Store, study: optuna.Study, plan: StudyConfig, heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that was started just now, as the tests' is, gives everyone the time to be heard again.
    monkeypatch.setattr(RetryingStorage, "_just_started", lambda storage, seconds: False)
    monkeypatch.setattr(
        "storage.studies.reaper.begun_here", lambda session, trials: {}
    )  # it was begun on another machine
    trial, young = running_trial(study), running_trial(study)
    ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=200)
    began = update(models.TrialModel).where(models.TrialModel.trial_id == trial._trial_id)
    store.transact(lambda session: session.execute(began.values(_datetime_start_utc=ago)))
    if heard:
        for each in (trial, young):
            store.trials.record_heartbeat(each._trial_id)  # type: ignore[attr-defined]
        beat = update(models.TrialHeartbeatModel).where(models.TrialHeartbeatModel.trial_id == trial._trial_id)
        store.transact(lambda session: session.execute(beat.values(heartbeat=ago)))
    assert reap(store, plan.study) == (trial.number,)
    lost = study.get_trials()[trial.number]
    assert lost.user_attrs["reason"] == "its host gave no sign of life for 180 s"
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]


def test_nobody_is_taken_for_dead_after_the_database_itself_was_away(
    store: Store, study: optuna.Study, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetryingStorage, "_just_started", lambda storage, seconds: True)
    monkeypatch.setattr(
        "storage.studies.reaper.begun_here", lambda session, trials: {}
    )  # it was begun on another machine
    ago = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=200)
    for heard in (True, False):
        trial = running_trial(study)
        began = update(models.TrialModel).where(models.TrialModel.trial_id == trial._trial_id)
        store.transact(lambda session, began=began: session.execute(began.values(_datetime_start_utc=ago)))  # type: ignore[misc]
        if heard:
            store.trials.record_heartbeat(trial._trial_id)  # type: ignore[attr-defined]
            store.transact(lambda session: session.execute(update(models.TrialHeartbeatModel).values(heartbeat=ago)))
    assert reap(store, plan.study) == ()
    monkeypatch.setattr(RetryingStorage, "_just_started", lambda storage, seconds: False)
    assert reap(store, plan.study) == (0, 1)


def test_a_promise_that_a_dead_worker_could_not_keep_is_kept_by_another(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    for own in (False, True):
        trial = running_trial(study)
        promise(trial, own_fault=own)
        trial.set_user_attr("reason", "the child died")
        study.tell(trial, state=TrialState.FAIL)
    failed = running_trial(study)
    failed.set_user_attr("reason", "the loss became nan")
    study.tell(failed, state=TrialState.FAIL)
    assert [t.number for t in retry_pending(study.get_trials())] == [0, 1]
    reap(store, plan.study)
    reap(store, plan.study)
    copies = study.get_trials()[3:]
    assert [(retried(t), t.system_attrs.get("own_failures")) for t in copies] == [([0], None), ([1], 1)]
    assert retry_pending(study.get_trials()) == []
    assert not comes_back(study.get_trials()[2])


def test_weights_of_a_trial_that_was_never_told_are_not_kept(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    _, run = begin(store, study, worker_of(dead, plan.study))
    store.artifacts.write("weights-0.safetensors", io.BytesIO(b"weights"))
    finish_run(store, run, state="complete", value=0.5, weights_artifact="weights-0.safetensors")
    reap(store, plan.study, local=True)
    (lost,) = runs(store, plan.study)
    assert (lost.state, lost.weights_artifact) == (LOST, "")


def test_whoever_comes_with_the_result_claims_the_copy_unless_somebody_has_it(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    trial, _ = begin(store, study, worker_of(dead, plan.study))
    reap(store, plan.study, local=True)
    copy = claim_copy(study, trial.number)
    assert copy is not None
    assert copy.params == trial.params
    copy.report(0.7, 1)
    study.tell(copy, 0.7)
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert claim_copy(study, trial.number) is None
