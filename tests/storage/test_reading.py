"""Reading a study's trials at once gives what Optuna reads trial by trial."""

from __future__ import annotations

import math
from collections.abc import Iterator

import optuna
import pytest
from optuna.storages import RDBStorage, get_storage
from optuna.trial import FrozenTrial, TrialState

from storage.database.engine import transaction
from storage.trials import trial_rows as reading
from storage.trials.trial_rows import Distributions, identity, read_trials, thin
from storage.trials.trial_storage import TrialStorage


@pytest.fixture
def storage(store_url: str) -> Iterator[TrialStorage]:
    from storage.database.engine import prepare_folder

    prepare_folder(store_url)
    opened = TrialStorage(store_url)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def study(storage: TrialStorage) -> optuna.Study:
    """Two studies that alternate, with every kind of value."""
    sampler = optuna.samplers.RandomSampler(seed=1)
    first, second = (optuna.create_study(storage=get_storage(storage), study_name=n, sampler=sampler) for n in "ab")
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING)
    for number in range(12):
        trial = (first if number % 2 == 0 else second).ask()
        _fill(trial, number)
        state = states[number // 2 % 4]
        if state is not TrialState.RUNNING:
            value = (0.5, math.inf, -math.inf)[number // 2 % 3] if state is TrialState.COMPLETE else None
            (first if number % 2 == 0 else second).tell(trial, value, state=state)
    first.enqueue_trial({"x": 0.5})
    return first


def _fill(trial: optuna.Trial, number: int) -> None:
    trial.suggest_float("x", 1e-3, 1.0, log=True)
    trial.suggest_int("n", 2, 8, step=2)
    trial.suggest_categorical("c", [None, True, 1.5, "ü"])
    if number % 3 == 0:
        trial.suggest_float("sometimes", 0.0, 1.0, step=0.25)
    for step in (3, 1, 2):
        trial.report((0.1 * step, math.nan, math.inf)[number % 3], step)
    trial.set_user_attr("list", [1, {"a": None}])
    trial.set_user_attr("text", "'; DROP TABLE trials; --")
    trial.set_constraint("params", float(number - 3))


def read(storage: TrialStorage, number: int, known: Distributions | None = None, **more: object) -> list[FrozenTrial]:
    with transaction(storage.engine) as session:
        return read_trials(session, number, {} if known is None else known, **more)  # type: ignore[arg-type]


def plain(trial: FrozenTrial) -> dict[str, object]:
    """All that a trial holds; NaN, which is not equal to itself, as text."""
    return vars(trial) | {"intermediate_values": {k: repr(v) for k, v in sorted(trial.intermediate_values.items())}}


def test_every_value_is_what_optuna_reads(storage: TrialStorage, study: optuna.Study) -> None:
    known: Distributions = {}
    for number in (1, 2):
        expected = RDBStorage._get_trials(storage, number, None, set(), -1)
        found = read(storage, number, known)
        assert [plain(trial) for trial in found] == [plain(trial) for trial in expected]
        assert [list(trial.params) for trial in found] == [list(trial.params) for trial in expected]
        assert [plain(storage.get_trial(trial._trial_id)) for trial in expected] == [plain(t) for t in expected]
    assert len(known) == 4


def test_only_what_is_asked_for_is_read(
    storage: TrialStorage, study: optuna.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_IDS", 2)  # several statements for a few ids
    everything = {trial._trial_id: plain(trial) for trial in storage.get_all_trials(1)}
    ids = sorted(everything)
    found = read(storage, 1, after=ids[3], among=[ids[0], ids[1], ids[2], ids[5], 999])
    assert [plain(trial) for trial in found] == [everything[i] for i in (ids[0], ids[1], ids[2], *ids[4:])]
    assert read(storage, 1, after=ids[-1]) == []


def test_long_curves_keep_their_ends(storage: TrialStorage, study: optuna.Study) -> None:
    curve = [(step, step / 10) for step in range(50, 0, -1)]
    assert thin(curve, 0) == sorted(curve)
    assert thin(curve, 60) == sorted(curve)
    kept = thin(curve, 6)
    assert len(kept) == 6
    assert (kept[0], kept[-1]) == ((1, 0.1), (50, 5.0))
    assert sorted(kept) == kept
    assert all(len(trial.intermediate_values) <= 2 for trial in read(storage, 1, points=2))


def test_a_study_is_told_apart_from_one_that_gets_its_id(storage: TrialStorage) -> None:
    def who(number: int) -> tuple[object, ...]:
        with transaction(storage.engine) as session:
            return identity(session, number)

    first = optuna.create_study(storage=get_storage(storage), study_name="a")
    empty = who(first._study_id)
    first.ask()
    before = who(first._study_id)
    assert before[: len(empty)] == empty
    optuna.delete_study(study_name="a", storage=get_storage(storage))
    with pytest.raises(KeyError):
        who(first._study_id)
    second = optuna.create_study(storage=get_storage(storage), study_name="a")
    second.ask()
    assert who(second._study_id) != before
