"""A trial that lost its host, or failed by itself, has one waiting retry without the marks of its past."""

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
from pathlib import Path

import optuna
import psutil
import pytest
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import update

from storage.database.optuna_schema import TRIAL_STARTED_UTC, TrialModel, storage_of, study_id_of, trial_id_of
from storage.database.schema import AttemptTable
from storage.process_identity import ProcessIdentity, machine_id, this_process
from storage.store import Store
from storage.studies import liveness
from storage.studies.attempts import LOST, Holder, attempts, claim_retry_of
from storage.studies.config import StudyConfig
from storage.studies.hosts import heartbeat, new_host_id
from storage.studies.reaper import reap
from storage.studies.studies import create_study
from storage.trials.retries import MOST_RETRIES, earlier_attempts, first_attempt, may_retry, reclaim
from support.studies import add_host, begin, end, fall_silent


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


def running_with_a_past(study: optuna.Study) -> FrozenTrial:
    trial = running_trial(study)
    for step in (1, 2, 4):
        trial.report(0.5, step)
        trial.should_prune()
    trial.set_constraint("params", -1.0)
    trial.set_user_attr("asked by", "Ada")
    trial.set_user_attr("reason", "killed")
    return study.get_trials()[trial.number]


def lose(study: optuna.Study, trial: FrozenTrial) -> FrozenTrial:
    """The trial, reclaimed from a host that is gone."""
    assert reclaim(storage_of(study), study_id_of(study), trial, "killed")
    return study.get_trials()[trial.number]


def process(pid: int) -> ProcessIdentity:
    """A process of this machine."""
    return ProcessIdentity(machine=machine_id(), pid=pid, start="1")


def claimed(store: Store, study: optuna.Study, process: ProcessIdentity) -> optuna.Trial:
    """A trial that a host holds, which is this process."""
    host = add_host(store, id=new_host_id(), study=study.study_name, name="here", process=process)
    trial = begin(store, study.study_name, host=host)
    trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    return trial


@pytest.fixture(scope="module")
def dead() -> Iterator[int]:
    """The id of a process that has ended, but that its parent has not asked for yet."""
    process = subprocess.Popen(["/bin/true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    yield process.pid
    process.wait()


def test_the_retry_has_the_parameters_but_neither_curve_nor_rungs(study: optuna.Study) -> None:
    running = running_with_a_past(study)
    assert any(name.startswith("completed_rung") for name in running.system_attrs)
    lost = lose(study, running)
    retry = study.get_trials()[-1]
    assert (retry.state, retry.params) == (TrialState.WAITING, lost.params)
    assert retry.intermediate_values == {}
    assert set(retry.system_attrs) == {"failed_trial", "retry_history"}
    assert retry.user_attrs == {"asked by": "Ada"}
    again = study.ask()
    assert again.number == retry.number
    assert again.suggest_float("lr", 1e-4, 1e-1, log=True) == lost.params["lr"]


def test_an_enqueued_trial_keeps_what_it_was_enqueued_with(study: optuna.Study) -> None:
    study.enqueue_trial({"lr": 0.01}, user_attrs={"from": "report B"})
    lose(study, running_with_a_past(study))
    retry = study.get_trials()[-1]
    assert retry.system_attrs["fixed_params"] == {"lr": 0.01}
    assert retry.user_attrs == {"from": "report B", "asked by": "Ada"}


def test_a_trial_is_reclaimed_once_however_many_try(study: optuna.Study, store: Store, plan: StudyConfig) -> None:
    running = running_with_a_past(study)
    barrier, done = threading.Barrier(8), []

    def take() -> None:
        own = optuna.load_study(study_name=plan.study, storage=store.trials)
        barrier.wait()
        done.append(reclaim(store.trials, study_id_of(own), running, "silent"))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False] * 7 + [True]
    assert [(t.number, t.state) for t in study.get_trials()] == [(0, TrialState.FAIL), (1, TrialState.WAITING)]


def test_only_what_a_trial_fails_by_itself_is_counted(study: optuna.Study, store: Store, plan: StudyConfig) -> None:
    for number, fault in enumerate(("host", "own", "host", "own", "host", "host")):
        trial = begin(store, plan.study)
        assert trial.number == number
        assert may_retry(study.get_trials()[number], own_fault=fault == "own")
        assert end(store, trial, state="retried", fault=fault)
    last = study.get_trials()[-1]
    assert last.system_attrs["own_failures"] == MOST_RETRIES == 2
    assert not may_retry(last, own_fault=True)
    assert may_retry(last, own_fault=False)
    assert earlier_attempts(last) == [0, 1, 2, 3, 4, 5]
    assert first_attempt(last) == 0


def test_the_trial_of_a_dead_process_on_this_machine_is_taken_back_at_once(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    trial = claimed(store, study, process(dead))
    assert reap(store, plan.study, local=True) == (trial.number,)
    lost, retry = study.get_trials()
    assert (lost.state, lost.user_attrs["reason"]) == (TrialState.FAIL, f"its host, process {dead} on here, died")
    assert (retry.state, retry.params) == (TrialState.WAITING, lost.params)
    assert [(a.trial, a.state) for a in attempts(store, plan.study)] == [(0, LOST)]
    assert reap(store, plan.study) == ()


DIE = """
import os, sys
import optuna
from storage.process_identity import this_process
from storage.store import open_store
from storage.studies.attempts import Holder, claim_trial
sys.path.insert(0, sys.argv[4])
from support.studies import add_host
store = open_store(sys.argv[1], sys.argv[2])
host = add_host(store, id="dying", study=sys.argv[3], process=this_process())
study = optuna.load_study(study_name=sys.argv[3], storage=store.trials)
claim_trial(study, Holder(host=host, device="cpu"))
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("waiting", [False, True], ids=["sampled", "claimed"])
def test_a_trial_whose_host_died_just_after_its_claim_is_taken_back_at_once(
    store: Store, study: optuna.Study, plan: StudyConfig, waiting: bool
) -> None:
    if waiting:
        study.enqueue_trial({"lr": 1e-2})
    url = store.engine.url.render_as_string(hide_password=False)
    tests = str(Path(__file__).parents[1])
    subprocess.run([sys.executable, "-c", DIE, url, store.artifacts_url, plan.study, tests], check=False)
    mine = study.ask()
    assert reap(store, plan.study, local=True) == (0,)
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    assert re.fullmatch("its host, process [0-9]+ on .*, died", study.get_trials()[0].user_attrs["reason"])
    assert mine.number == 1


def test_a_process_id_that_was_given_out_again_is_not_taken_for_the_host(
    store: Store, study: optuna.Study, plan: StudyConfig
) -> None:
    living = claimed(store, study, this_process())
    assert reap(store, plan.study) == ()
    older = claimed(store, study, replace(this_process(), start="1"))
    assert reap(store, plan.study) == (older.number,)
    assert study.get_trials()[living.number].state is TrialState.RUNNING


def test_a_process_that_only_another_machine_could_see_is_left_alone(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    trial = claimed(store, study, replace(process(dead), machine="00000000"))
    assert reap(store, plan.study) == ()
    assert study.get_trials()[trial.number].state is TrialState.RUNNING


@pytest.mark.parametrize("held", [True, False])
def test_a_trial_without_a_sign_of_life_is_taken_back_also_if_no_host_ever_held_it(
    store: Store, study: optuna.Study, plan: StudyConfig, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A server that was started just now, as the tests' is, gives everyone the time to be heard again.
    monkeypatch.setattr(liveness, "server_age_s", lambda session: 1000.0)
    trial, young = (begin(store, plan.study) if held else study.ask() for _ in range(2))
    ago = datetime.now(UTC) - timedelta(seconds=200)
    began = update(TrialModel).where(TrialModel.trial_id == trial_id_of(trial))
    store.transact(lambda session: session.execute(began.values({TRIAL_STARTED_UTC: ago.replace(tzinfo=None)})))
    heard = update(AttemptTable).where(AttemptTable.trial_id == trial_id_of(trial))
    store.transact(lambda session: session.execute(heard.values(heard=ago)))
    assert reap(store, plan.study) == (trial.number,)
    lost = study.get_trials()[trial.number]
    assert lost.user_attrs["reason"] == "its host gave no sign of life for 180 s"
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    assert young.number == 1


def test_nobody_is_taken_for_dead_after_the_database_itself_was_away(
    store: Store, study: optuna.Study, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(store, plan.study)
    ago = datetime.now(UTC) - timedelta(seconds=200)
    store.transact(lambda session: session.execute(update(AttemptTable).values(heard=ago)))
    monkeypatch.setattr(liveness, "recently_unavailable", lambda store: True)
    assert reap(store, plan.study) == ()
    monkeypatch.undo()
    monkeypatch.setattr(liveness, "server_age_s", lambda session: 1000.0)
    assert reap(store, plan.study) == (0,)


def test_a_host_that_vouches_for_its_trial_keeps_it(
    store: Store, study: optuna.Study, plan: StudyConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "server_age_s", lambda session: 1000.0)
    add_host(store, study=plan.study)
    kept, stuck = begin(store, plan.study), begin(store, plan.study)
    fall_silent(store, 200)
    heartbeat(store, "w", attempts=(kept.number,))
    assert reap(store, plan.study) == (stuck.number,)


def test_weights_of_a_trial_that_was_never_settled_are_not_kept(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    claimed(store, study, process(dead))
    store.artifacts.write("weights-0.safetensors", io.BytesIO(b"weights"))
    kept = update(AttemptTable).values(weights_artifact="weights-0.safetensors")
    store.transact(lambda session: session.execute(kept))
    reap(store, plan.study, local=True)
    (lost,) = attempts(store, plan.study)
    assert (lost.state, lost.weights_artifact) == (LOST, "")


def test_a_host_that_comes_with_the_result_claims_the_retry_unless_somebody_has_it(
    store: Store, study: optuna.Study, plan: StudyConfig, dead: int
) -> None:
    trial = claimed(store, study, process(dead))
    reap(store, plan.study, local=True)
    holder = Holder(host="w", device="cpu")
    retry = claim_retry_of(study, trial.number, holder)
    assert retry is not None
    assert retry.params == trial.params
    retry.report(0.7, 1)
    assert end(store, retry, state="complete", value=0.7)
    assert [t.state for t in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert claim_retry_of(study, trial.number, holder) is None
