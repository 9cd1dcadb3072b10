from __future__ import annotations

import json
import threading
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState
from pydantic import ValidationError
from sqlalchemy import event

from search.training.epoch import EpochRecord
from storage.database.engine import transaction
from storage.database.optuna_schema import trial_id_of
from storage.database.schema import DatasetTable, StudyTable
from storage.errors import StudyError
from storage.store import Store, open_store
from storage.studies.attempts import attempts
from storage.studies.config import StudyConfig, declared
from storage.studies.datasets import DatasetRecord, data_artifact, put_dataset, samples_of
from storage.studies.epochs import add_epoch, curve
from storage.studies.studies import create_study, existing_config, list_studies, load_config
from support.studies import DATASET, begin

OTHER = {
    "data_digest": ("f" * 64, "--data is another data set"),
    "space_digest": ("f" * 64, "--space describes another space"),
    "sampler": ("random", "--sampler random instead of tpe"),
    "pruner": ("none", "--pruner none instead of asha"),
    "objective": ("miou_strict", "--objective miou_strict instead of miou"),
    "epochs": (7, "--epochs 7 instead of 6"),
    "holdout": (0.2, "--holdout 0.2 instead of 0.1"),
    "clean": ("none", "--clean none instead of auto"),
    "seed": (8, "--seed 8 instead of 7"),
    "max_params": (1_000_000, "--max-params 1,000,000 instead of none"),
    "max_gpu_gb": (23.5, "--max-gpu-gb 23.5 instead of none"),
}
RECORD = DatasetRecord(
    digest="d" * 64,
    path_hint="mars.npz",
    samples=2505,
    tests=100,
    height=64,
    width=128,
    channels=1,
    class_names=("background", "soil"),
    class_shares=(0.25, 0.75),
    artifact_id=f"dataset-{'d' * 64}.npz",
)


def test_a_plan_comes_back_as_it_was(store: Store, plan: StudyConfig) -> None:
    assert create_study(store, plan) is True
    assert load_config(store, "mars") == plan
    assert list_studies(store) == ("mars",)


def test_a_plan_keeps_its_limits(store: Store, plan: StudyConfig) -> None:
    limited = replace(plan, max_params=2**40, max_gpu_gb=0.1)
    create_study(store, limited)
    assert load_config(store, "mars") == limited
    assert create_study(store, limited) is False


def test_a_created_study_is_a_plain_optuna_study(store: Store, plan: StudyConfig) -> None:
    create_study(store, plan)
    study = optuna.load_study(study_name="mars", storage=store.trials)
    assert study.direction == StudyDirection.MAXIMIZE
    assert study.metric_names == ["val mIoU"]
    shown = "space_digest, data_digest, sampler, pruner, objective, trials, epochs, clean, seed"
    names = f"{shown}, budget_s, patience_trials".split(", ")
    assert study.user_attrs == {name: asdict(plan)[name] for name in names}


def test_the_same_again_changes_nothing(store: Store, plan: StudyConfig) -> None:
    create_study(store, plan)
    assert create_study(store, plan) is False
    assert load_config(store, "mars") == plan


def test_another_target_or_keep_is_taken_over(store: Store, plan: StudyConfig) -> None:
    create_study(store, plan)
    assert create_study(store, replace(plan, trials=30, keep=3)) is False
    assert load_config(store, "mars") == replace(plan, trials=30, keep=3)
    assert optuna.load_study(study_name="mars", storage=store.trials).user_attrs["trials"] == 30


def test_every_field_is_declared_once_and_whole() -> None:
    assert [field.name for field in declared()] == [field.name for field in fields(StudyConfig)]
    assert all(field.help for field in declared())
    options = declared("fixed", "changeable", "initial")
    assert {field.name for field in options} | {field.name for field in declared("name", "derived")} == set(
        StudyConfig.__dataclass_fields__
    )
    assert all(field.default is not MISSING for field in declared() if field.name != "study")
    assert [field.name for field in declared("changeable")] == ["trials", "budget_s", "patience_trials", "keep"]


def test_every_fixed_setting_has_another_value_here() -> None:
    digests = {"data_digest", "space_digest"}  # of what --data and --space name
    assert set(OTHER) == {field.name for field in declared("fixed") if not field.setting.from_file} | digests


@pytest.mark.parametrize("name", OTHER)
def test_another_setting_is_refused_in_words(name: str, sqlite_url: str, tmp_path: Path, plan: StudyConfig) -> None:
    store = open_store(sqlite_url, str(tmp_path / "artifacts"))
    create_study(store, plan)
    value, words = OTHER[name]
    with pytest.raises(StudyError, match=f"study 'mars' exists in .* and differs: {words}: use the same") as caught:
        create_study(store, replace(plan, trials=99, **{name: value}))
    assert "\n" not in str(caught.value)
    assert load_config(store, "mars") == plan
    store.close()


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"holdout": 0.6}, {"sampler": "best"}, {"max_params": 0}, {"x": 1}])
def test_a_config_that_no_option_can_say_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StudyConfig(study="mars", **wrong)


def waiting(store: Store, study: str = "mars") -> list[dict[str, Any]]:
    """The parameters of the trials that wait, in order."""
    trials = optuna.load_study(study_name=study, storage=store.trials).get_trials()
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert {trial.state for trial in trials} <= {TrialState.WAITING}
    return [trial.system_attrs["fixed_params"] for trial in trials]


POINTS: list[dict[str, Any]] = [{"depth": depth, "norm": norm, "on": True} for depth in (2, 3) for norm in ("a", "b")]


def test_trials_are_enqueued_with_their_study_as_optuna_does(store: Store, plan: StudyConfig) -> None:
    assert create_study(store, plan, POINTS) is True
    assert waiting(store) == POINTS
    assert create_study(store, plan, POINTS) is False
    assert waiting(store) == POINTS
    study = optuna.load_study(study_name="mars", storage=store.trials)
    study.enqueue_trial({"depth": 4})
    assert study.get_trials()[-1].system_attrs == {"fixed_params": {"depth": 4}}
    first = study.get_trials()[0]
    assert store.trials.set_trial_state_values(first._trial_id, TrialState.RUNNING)
    assert optuna.Trial(study, first._trial_id).suggest_int("depth", 1, 5) == 2


def test_ten_thousand_trials_are_enqueued_in_a_few_statements(store: Store, plan: StudyConfig) -> None:
    statements: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    create_study(store, replace(plan, study="small"), [{"x": 0}] * 10)
    few = len(statements)
    statements.clear()
    create_study(store, plan, [{"x": number} for number in range(10_000)])
    assert len(statements) <= few + 40  # the driver divides large ones
    assert [params["x"] for params in waiting(store)] == list(range(10_000))


class Killed(BaseException):
    """The process ended here."""


def test_a_creation_that_ends_at_any_statement_is_completed_by_the_same(store: Store, plan: StudyConfig) -> None:
    left: list[int] = [0]

    @event.listens_for(store.engine, "before_cursor_execute")
    def kill(*_: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    killed = True
    for statements in range(1, 200):
        config, left[0] = replace(plan, study=f"mars {statements}"), statements
        try:
            create_study(store, config, POINTS)
            killed, left[0] = False, 0
        except Killed:
            assert existing_config(store, config.study) in (None, config)
            create_study(store, config, POINTS)
        assert load_config(store, config.study) == config
        assert waiting(store, config.study) == POINTS
        assert optuna.load_study(study_name=config.study, storage=store.trials).user_attrs["sampler"] == "tpe"
        if not killed:
            break
    assert 10 < statements < 199


def test_an_unknown_study_is_refused_with_the_known_ones(store: Store, plan: StudyConfig) -> None:
    with pytest.raises(StudyError, match="no study yet"):
        load_config(store, "mars")
    create_study(store, plan)
    create_study(store, replace(plan, study="another"))
    with pytest.raises(StudyError, match="unknown study 'marz'") as caught:
        load_config(store, "marz")
    assert store.url in str(caught.value)
    assert "another, mars" in str(caught.value)


def test_a_study_of_plain_optuna_is_not_ours(store: Store, plan: StudyConfig) -> None:
    theirs = optuna.create_study(storage=store.trials, study_name="mars", direction="maximize")
    theirs.optimize(lambda _trial: 1.0, n_trials=1)
    with pytest.raises(StudyError, match="was not created by marsearch"):
        create_study(store, plan)
    with pytest.raises(StudyError, match="unknown study"):
        load_config(store, "mars")
    assert list_studies(store) == ()


def test_a_creation_that_died_half_way_is_finished(store: Store, plan: StudyConfig) -> None:
    store.trials.create_new_study([StudyDirection.MAXIMIZE], "mars")
    assert create_study(store, plan) is True
    assert load_config(store, "mars") == plan
    assert optuna.load_study(study_name="mars", storage=store.trials).metric_names == ["val mIoU"]


def test_a_study_deleted_through_optuna_leaves_nothing_to_the_next(store: Store, plan: StudyConfig) -> None:
    create_study(store, plan)
    trial = trial_id_of(begin(store))
    nothing = dict.fromkeys(("train_loss", "validation_loss", "miou", "miou_strict", "lr", "seconds"), 0.0)
    add_epoch(store, trial, EpochRecord(number=1, iou=(), memory_mb=0.0, **nothing))
    optuna.delete_study(study_name="mars", storage=store.trials)
    with pytest.raises(StudyError, match="unknown study"):
        load_config(store, "mars")
    assert list_studies(store) == ()
    assert create_study(store, replace(plan, sampler="random")) is True
    assert load_config(store, "mars").sampler == "random"
    assert attempts(store, "mars") == ()
    assert curve(store, "mars", 0, EpochRecord) == ()


def test_of_many_who_create_at_once_one_does(store: Store, store_url: str, tmp_path: Path, plan: StudyConfig) -> None:
    made: list[bool] = []
    together = threading.Barrier(4)

    def create() -> None:
        own = open_store(store_url, str(tmp_path / "artifacts"))
        together.wait()
        made.append(create_study(own, plan))
        own.close()

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]
    with transaction(store.engine) as session:
        assert session.query(StudyTable).count() == 1


def test_a_large_split_fits(store: Store, plan: StudyConfig) -> None:
    large = replace(plan, split=json.dumps({"train": list(range(50_000))}))
    create_study(store, large)
    assert load_config(store, "mars") == large


def test_a_data_set_is_described_once(store: Store) -> None:
    assert samples_of(store, RECORD.digest) is None
    put_dataset(store, RECORD)
    put_dataset(store, replace(RECORD, path_hint="same.npz"))
    assert samples_of(store, RECORD.digest) == RECORD.samples
    with transaction(store.engine) as session:
        [row] = session.query(DatasetTable)
        expected = asdict(RECORD) | {"class_names": ["background", "soil"], "class_shares": [0.25, 0.75]}
        assert {name: getattr(row, name) for name in expected} == expected | {"path_hint": "same.npz"}


def test_two_databases_on_one_artifact_store_keep_the_same_data_under_two_names(tmp_path: Path) -> None:
    stores = [open_store(f"sqlite:///{tmp_path / name}", str(tmp_path / "artifacts")) for name in ("a.db", "b.db")]
    names = [data_artifact(store, "d" * 64) for store in stores]
    assert len(set(names)) == 2
    for store, name in zip(stores, names, strict=True):
        put_dataset(store, replace(DATASET, digest="d" * 64, artifact_id=name))
        assert data_artifact(store, "d" * 64) == name
        store.close()
