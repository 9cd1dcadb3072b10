from __future__ import annotations

import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Barrier

import optuna
import pytest
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import _CachedStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from storage.database.engine import prepare_folder
from storage.errors import StudyFull
from storage.store import open_store
from storage.trials.retries import HISTORY
from storage.trials.trial_storage import TrialStorage, sample_at_most

SLOTS = 8
WAITING = 40
CLAIM = """
import sys
from concurrent.futures import ThreadPoolExecutor
import optuna
from storage.store import open_store

optuna.logging.set_verbosity(optuna.logging.WARNING)
store = open_store(sys.argv[1], sys.argv[2])

def slot(_number):
    study = optuna.load_study(study_name="mars", storage=store.trials)
    trained = []
    while (waiting := study._pop_waiting_trial_id()) is not None:
        trial = optuna.Trial(study, waiting)
        x = trial.suggest_int("x", 0, 99)
        trial.report(x, 1)
        study.tell(trial, x)
        trained.append(x)
    return trained

print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(4) as pool:
    print(*[x for trained in pool.map(slot, range(4)) for x in trained])
store.close()
"""


def _study(storage: TrialStorage, waiting: int) -> tuple[int, list[int]]:
    study = storage.create_new_study([StudyDirection.MAXIMIZE], "mars")
    return study, [storage.create_new_trial(study, create_trial(state=TrialState.WAITING)) for _ in range(waiting)]


def _together(store_url: str, work: Callable[[TrialStorage], list[int]]) -> list[int]:
    """What eight threads, each with a storage and an engine of its own, do when they begin at the same moment."""
    begin = Barrier(SLOTS)

    def slot(_number: int) -> list[int]:
        storage = TrialStorage(store_url, skip_table_creation=True)
        try:
            storage.get_all_studies()  # connected before the start
            begin.wait()
            return work(storage)
        finally:
            storage.remove_session()
            storage.engine.dispose()

    with ThreadPoolExecutor(SLOTS) as pool:
        return [item for done in pool.map(slot, range(SLOTS)) for item in done]


@pytest.fixture
def storage(store_url: str) -> Iterator[TrialStorage]:
    prepare_folder(store_url)
    opened = TrialStorage(store_url)
    yield opened
    opened.engine.dispose()


def test_every_waiting_trial_is_claimed_exactly_once(storage: TrialStorage, store_url: str) -> None:
    study, trials = _study(storage, WAITING)

    def claim_all(own: TrialStorage) -> list[int]:
        return [trial for trial in trials if own.set_trial_state_values(trial, TrialState.RUNNING)]

    claimed = _together(store_url, claim_all)
    assert Counter(claimed) == Counter(trials)
    assert {trial.state for trial in storage.get_all_trials(study)} == {TrialState.RUNNING}


def test_no_trial_is_sampled_beyond_the_studys_target_whoever_asks_at_the_same_moment(
    storage: TrialStorage, store_url: str
) -> None:
    study, (first, *_) = _study(storage, 2)
    storage.set_trial_state_values(first, TrialState.RUNNING)
    storage.set_trial_state_values(first, TrialState.FAIL)
    retry = create_trial(state=TrialState.WAITING, system_attrs={HISTORY: [0]})
    storage.create_new_trial(study, retry)  # the first again, and not one more

    def ask_all(own: TrialStorage) -> list[int]:
        sample_at_most(own, study, 12)
        asked = []
        with suppress(StudyFull):
            while len(asked) < 12:
                asked.append(own.create_new_trial(study))
        return asked

    assert len(_together(store_url, ask_all)) == 10
    assert [trial.number for trial in storage.get_all_trials(study)] == list(range(13))
    sample_at_most(storage, study, 12)
    with pytest.raises(StudyFull, match="has all of its 12 trials"):
        storage.create_new_trial(study)
    storage.create_new_trial(study, create_trial(state=TrialState.WAITING))  # what a person enqueues is another matter


def test_optunas_own_queue_gives_every_trial_to_one_slot(storage: TrialStorage, store_url: str) -> None:
    study, trials = _study(storage, WAITING)

    def ask_all(own: TrialStorage) -> list[int]:
        asked = []
        mine = optuna.load_study(study_name="mars", storage=own)
        while (trial := mine._pop_waiting_trial_id()) is not None:
            asked.append(trial)
        return asked

    asked = _together(store_url, ask_all)
    assert Counter(asked) == Counter(trials)
    assert len(storage.get_all_trials(study)) == WAITING


def test_only_one_of_a_reaper_and_a_worker_finishes_a_trial(storage: TrialStorage, store_url: str) -> None:
    study = storage.create_new_study([StudyDirection.MAXIMIZE])
    trials = [storage.create_new_trial(study) for _ in range(20)]

    def finish_all(own: TrialStorage) -> list[int]:
        won = []
        for trial in trials:
            try:
                own.set_trial_state_values(trial, TrialState.COMPLETE, [float(trial)])
                won.append(trial)
            except UpdateFinishedTrialError:
                continue
        return won

    assert Counter(_together(store_url, finish_all)) == Counter(trials)
    assert [trial.value for trial in storage.get_all_trials(study)] == [float(trial) for trial in trials]


def test_new_trials_have_numbers_without_gaps_or_doubles(storage: TrialStorage, store_url: str) -> None:
    study = storage.create_new_study([StudyDirection.MAXIMIZE])
    _together(store_url, lambda own: [own.create_new_trial(study) for _ in range(5)])
    assert sorted(trial.number for trial in storage.get_all_trials(study)) == list(range(5 * SLOTS))


def test_a_claim_says_false_when_late_and_raises_when_finished(storage: TrialStorage) -> None:
    _, (trial,) = _study(storage, 1)
    assert storage.get_trial(trial).datetime_start is None
    assert storage.set_trial_state_values(trial, TrialState.RUNNING) is True
    started = storage.get_trial(trial).datetime_start
    assert started is not None
    assert storage.set_trial_state_values(trial, TrialState.RUNNING) is False
    assert storage.get_trial(trial).datetime_start == started
    assert storage.set_trial_state_values(trial, TrialState.PRUNED, [0.5]) is True
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(trial, TrialState.RUNNING)
    with pytest.raises(UpdateFinishedTrialError):
        storage.set_trial_state_values(trial, TrialState.FAIL, [0.1])
    assert storage.get_trial(trial).value == 0.5
    with pytest.raises(KeyError):
        storage.set_trial_state_values(trial + 1, TrialState.RUNNING)


def test_a_running_trial_may_be_handed_back(storage: TrialStorage) -> None:
    _, (trial,) = _study(storage, 1)
    storage.set_trial_state_values(trial, TrialState.RUNNING)
    assert storage.set_trial_state_values(trial, TrialState.WAITING) is True
    assert storage.set_trial_state_values(trial, TrialState.RUNNING) is True


def test_a_storage_survives_pickling_and_needs_no_heartbeats_of_optuna(storage: TrialStorage) -> None:
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.get_heartbeat_interval() is storage.get_heartbeat_interval() is None
    assert copy.engine.pool.__class__ is storage.engine.pool.__class__
    copy.engine.dispose()


def test_the_cache_lets_the_claim_through(storage: TrialStorage) -> None:
    _, (trial,) = _study(storage, 1)
    cached = _CachedStorage(storage)
    assert cached.set_trial_state_values(trial, TrialState.RUNNING) is True
    assert cached.set_trial_state_values(trial, TrialState.RUNNING) is False


@pytest.mark.whole
@pytest.mark.parametrize("again", [0, 1, *(pytest.param(number, marks=pytest.mark.long) for number in range(2, 10))])
def test_80_trials_in_the_queue_are_trained_once_by_two_hosts_on_sqlite(
    sqlite_url: str, tmp_path: Path, again: int
) -> None:
    store = open_store(sqlite_url, str(tmp_path))
    study = optuna.create_study(storage=store.trials, study_name="mars", direction="maximize")
    for x in range(80):
        study.enqueue_trial({"x": x})
    command = [sys.executable, "-c", CLAIM, sqlite_url, str(tmp_path)]
    hosts = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for host in hosts:
        assert host.stdout is not None
        assert host.stdout.readline() == "ready\n"
    outputs = [pool.result() for pool in _answers(hosts)]
    assert [(host.returncode, errors) for host, (_, errors) in zip(hosts, outputs, strict=True)] == [(0, "")] * 2
    trained = [[int(x) for x in said.split()] for said, _ in outputs]
    assert sorted(trained[0] + trained[1]) == list(range(80))
    trials = study.get_trials()
    assert [(trial.state, trial.params["x"], trial.value) for trial in trials] == [
        (TrialState.COMPLETE, x, x) for x in range(80)
    ]
    store.close()


def _answers(hosts: list[subprocess.Popen[str]]) -> list[Future[tuple[str, str]]]:
    """Let the hosts begin at the same moment; what each of them says until it ends."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        return [pool.submit(host.communicate, "go\n", 120) for host in hosts]
