from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from pathlib import Path

import optuna
import pytest
from optuna.study import StudyDirection
from sqlalchemy import text

from search.training.epoch import EpochRecord
from storage.database.engine import transaction
from storage.database.optuna_schema import trial_id_of
from storage.database.schema import StudyTable
from storage.errors import StudyError
from storage.store import Store, open_store
from storage.studies.attempts import attempts
from storage.studies.epochs import add_epoch, curve
from storage.studies.studies import (
    FIXED,
    DatasetRecord,
    StudyConfig,
    create_study,
    get_dataset,
    list_studies,
    load_config,
    put_dataset,
)
from support.studies import begin

OTHER = {
    "data_digest": "f" * 64,
    "space_digest": "f" * 64,
    "sampler": "random",
    "pruner": "none",
    "objective": "miou_strict",
    "epochs": 7,
    "holdout": 0.2,
    "seed": 8,
    "max_params": 1_000_000,
    "max_gpu_gb": 23.5,
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
    names = ("space_digest", "data_digest", "sampler", "pruner", "objective", "trials", "epochs", "seed")
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


def test_every_fixed_setting_has_another_value_here() -> None:
    assert set(OTHER) == set(FIXED)


@pytest.mark.parametrize("name", OTHER)
def test_another_setting_is_refused_by_name(name: str, sqlite_url: str, tmp_path: Path, plan: StudyConfig) -> None:
    store = open_store(sqlite_url, str(tmp_path / "artifacts"))
    create_study(store, plan)
    with pytest.raises(StudyError, match=f"study 'mars' exists .* with {name} ") as caught:
        create_study(store, replace(plan, trials=99, **{name: OTHER[name]}))
    assert "\n" not in str(caught.value)
    assert load_config(store, "mars") == plan
    store.close()


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


def test_a_data_set_comes_back_as_it_was(store: Store) -> None:
    put_dataset(store, RECORD)
    assert get_dataset(store, RECORD.digest) == RECORD
    renamed = replace(RECORD, path_hint="same.npz")
    put_dataset(store, renamed)
    assert get_dataset(store, RECORD.digest) == renamed
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM marsearch_datasets")).scalar_one() == 1


def test_an_unknown_data_set_is_refused(store: Store) -> None:
    with pytest.raises(StudyError, match="no data set with digest abc"):
        get_dataset(store, "abc")
