"""Commands reach every host, and a deleted study takes all that is its own with it, and nothing else."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import optuna
import pytest
from optuna.artifacts import upload_artifact
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import event, func, insert, select

from storage.artifacts.artifact_store import artifact_ids
from storage.database.engine import transaction
from storage.database.optuna_schema import trial_id_of
from storage.database.schema import AttemptTable, EpochTable, Table
from storage.errors import StudyError
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.studies.control import COMMAND, command, delete_study, set_command
from storage.studies.datasets import put_dataset, samples_of
from storage.studies.epochs import add_epoch
from storage.studies.hosts import leave
from storage.studies.liveness import stale_attempts
from storage.studies.studies import create_study, list_studies, study_id
from storage.studies.summaries import study_summaries
from support.cost import cpu_seconds
from support.studies import DATASET, EPOCH, add_host, begin, end

pytestmark = pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed to be used")  # of study.ask

CLOCK = timedelta(seconds=1)  # what is left out of a moment that a database writes
MOST_STATEMENTS = 60  # that delete a study of 1,000 trials x 50 epochs


@pytest.fixture
def mars(store: Store, plan: StudyConfig) -> Store:
    create_study(store, plan)
    return store


def load(store: Store, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=store.trials)


def rows(store: Store) -> dict[str, int]:
    tables = [*models.BaseModel.metadata.sorted_tables, *Table.metadata.sorted_tables]
    with transaction(store.engine) as session:
        return {t.name: session.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}


def train(store: Store, name: str, folder: Path) -> None:
    """A study with a finished trial and a running one: curves, weights, a picture, a worker, its data set."""
    study = load(store, name)
    trial = begin(store, name, host=name)
    trial.suggest_float("lr", 0.0, 1.0)
    trial.set_user_attr("reason", "none")
    trial.report(0.4, 1)
    (folder / "panel.png").write_bytes(b"picture")
    upload_artifact(artifact_store=store.artifacts, file_path=str(folder / "panel.png"), study_or_trial=trial)
    upload_artifact(artifact_store=store.artifacts, file_path=str(folder / "panel.png"), study_or_trial=study)
    add_epoch(store, trial_id_of(trial), EPOCH)
    store.artifacts.write(f"weights-{name}", io.BytesIO(b"weights"))
    assert end(store, trial, host=name, state="complete", value=0.4, weights_artifact=f"weights-{name}")
    study.ask()
    add_host(store, id=name, study=name)
    leave(store, name)
    store.artifacts.write(DATASET.artifact_id, io.BytesIO(b"data"))
    put_dataset(store, DATASET)


def test_nobody_has_said_anything_means_run(mars: Store) -> None:
    assert command(mars, "mars") == "run"


def test_a_command_is_heard_through_another_connection(mars: Store, store_url: str, tmp_path: Path) -> None:
    other = open_store(store_url, str(tmp_path / "artifacts"))
    try:
        for said in ("pause", "stop", "run"):
            set_command(mars, "mars", said)  # type: ignore[arg-type]
            assert command(other, "mars") == said
    finally:
        other.close()


def test_a_command_nobody_knows_is_not_obeyed(mars: Store) -> None:
    load(mars, "mars").set_user_attr(COMMAND, "explode")
    assert command(mars, "mars") == "run"
    with pytest.raises(ValueError, match="'explode' is no command"):
        set_command(mars, "mars", "explode")  # type: ignore[arg-type]


def test_a_command_outlives_a_repeated_create(mars: Store, plan: StudyConfig) -> None:
    set_command(mars, "mars", "pause")
    create_study(mars, replace(plan, trials=99))
    assert command(mars, "mars") == "pause"


def test_an_unknown_study_is_refused(store: Store) -> None:
    for attempt in (command, delete_study, stale_attempts):
        with pytest.raises(StudyError, match="unknown study 'mars'"):
            attempt(store, "mars")  # type: ignore[operator]
    with pytest.raises(StudyError, match="unknown study 'mars'"):
        set_command(store, "mars", "stop")


def test_a_deleted_study_leaves_nothing(mars: Store, tmp_path: Path) -> None:
    train(mars, "mars", tmp_path)
    mars.artifacts.write("checkpoint-a-1", io.BytesIO(b"checkpoint"))
    deleted = delete_study(mars, "mars", also=["checkpoint-a-1", "checkpoint-b-2"])
    assert deleted.trials == 2
    assert {name: number for name, number in rows(mars).items() if number} == {"version_info": 1}
    assert artifact_ids(mars.artifacts, "") == ()
    assert list_studies(mars) == ()


def test_another_study_keeps_what_is_its_own_and_the_shared_data(
    mars: Store, plan: StudyConfig, tmp_path: Path
) -> None:
    create_study(mars, replace(plan, study="venus"))
    train(mars, "venus", tmp_path)
    alone, files = rows(mars), artifact_ids(mars.artifacts, "")
    train(mars, "mars", tmp_path)
    delete_study(mars, "mars")
    left = rows(mars)
    assert left.pop("marsearch_studies") == alone.pop("marsearch_studies") - 1
    for name in ("studies", "study_directions", "study_user_attributes", "study_system_attributes"):
        assert left.pop(name) < alone.pop(name)
    assert left == alone
    assert artifact_ids(mars.artifacts, "") == files
    assert samples_of(mars, DATASET.digest) == DATASET.samples
    assert [trial.state for trial in load(mars, "venus").get_trials()] == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_new_study_of_a_deleted_name_starts_from_nothing(mars: Store, plan: StudyConfig, tmp_path: Path) -> None:
    train(mars, "mars", tmp_path)
    set_command(mars, "mars", "pause")
    delete_study(mars, "mars")
    assert create_study(mars, plan)
    assert load(mars, "mars").get_trials() == []
    assert command(mars, "mars") == "run"


def test_a_study_with_workers_is_deleted_by_force_only(mars: Store) -> None:
    add_host(mars)
    with pytest.raises(StudyError, match=r"'mars' has workers that are at work \(1, on elsewhere\): stop them first"):
        delete_study(mars, "mars")
    assert command(mars, "mars") == "run"
    delete_study(mars, "mars", force=True)
    assert list_studies(mars) == ()


def test_a_deletion_cut_short_is_finished_by_the_next(
    mars: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(mars, "mars", tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(type(mars.trials), "delete_study", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            delete_study(mars, "mars")
    assert command(mars, "mars") == "stop"  # nobody begins on what is left
    assert delete_study(mars, "mars").trials == 0
    assert {name: number for name, number in rows(mars).items() if number} == {"version_info": 1}


def test_a_file_name_that_leads_elsewhere_is_not_followed(mars: Store, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    mars.trials.set_study_system_attr(study_id(mars, "mars"), "artifacts:../precious", "{}")
    delete_study(mars, "mars")
    assert (tmp_path / "precious").exists()


@pytest.mark.whole
def test_a_large_study_is_deleted_quickly(mars: Store) -> None:
    number, now = study_id(mars, "mars"), datetime.now(UTC)
    trials, epochs = range(1000), range(50)

    def filled() -> None:
        with transaction(mars.engine) as session:
            session.execute(
                insert(models.TrialModel),
                [{"trial_id": t + 1, "number": t, "study_id": number, "state": TrialState.COMPLETE} for t in trials],
            )
            session.execute(
                insert(models.TrialParamModel),
                [
                    {"trial_id": t + 1, "param_name": f"p{p}", "param_value": 0.5, "distribution_json": "{}"}
                    for t in trials
                    for p in range(25)
                ],
            )
            session.execute(
                insert(AttemptTable),
                [
                    {
                        "trial_id": t + 1,
                        "study_id": number,
                        "trial": t,
                        "host": "w",
                        "device": "cpu",
                        "state": "complete",
                    }
                    | {"reason": "", "parameters": 1, "weights_artifact": "", "started": now, "heard": now}
                    for t in trials
                ],
            )
            session.execute(
                insert(EpochTable),
                [{"trial_id": t + 1, "number": e, "iou": [0.5], "recorded": now} for t in trials for e in epochs],
            )

    filling = cpu_seconds(filled, tries=1)
    statements: list[str] = []
    event.listen(mars.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    deleted: list[int] = []
    deleting = cpu_seconds(lambda: deleted.append(delete_study(mars, "mars").trials), tries=1)
    assert deleted == [1000]
    assert deleting < filling  # in this process; the other half is few statements for the database
    assert len(statements) < MOST_STATEMENTS
    assert rows(mars)["marsearch_epochs"] == 0


def fail(study: optuna.Study, reason: str) -> None:
    trial = study.ask()
    trial.set_user_attr("reason", reason)
    study.tell(trial, state=TrialState.FAIL)


def test_the_list_of_studies_counts_as_optuna_does(mars: Store, plan: StudyConfig) -> None:
    before = datetime.now(UTC) - CLOCK
    create_study(mars, replace(plan, study="venus", trials=3))
    study = load(mars, "mars")
    for value in (0.3, 0.5, 0.9):
        trial = study.ask()
        trial.set_constraint("params", 1.0 if value == 0.9 else -1.0)  # the best one is over a limit
        study.tell(trial, value)
    fail(study, "diverged")
    study.add_trial(optuna.create_trial(state=TrialState.WAITING, system_attrs={"retry_history": [3]}))
    fail(study, "diverged")  # the retry, and for good
    study.ask()
    first, second = study_summaries(mars)
    assert (first.study, first.target, first.finished, first.running, first.best) == ("mars", 12, 4, 1, 0.5)
    assert (second.study, second.target, second.finished, second.best) == ("venus", 3, 0, None)
    assert before <= second.created <= datetime.now(UTC) + CLOCK
