"""The doctor finds what is not well, names what fixes it, and fixes what it can."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import distribution
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import optuna
import pytest
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text

import spaces
from search.cli import answer
from search.commands import doctor
from search.host.uploads import Outbox
from search.studies.checkpoints import artifact_of, local_path, stem_of
from storage.artifacts.artifact_store import artifact_ids
from storage.database.engine import transaction
from storage.database.migrations import head
from storage.database.status import condition
from storage.store import Store, open_store
from storage.studies.studies import create_study
from support.studies import study_row

NAMES = ["installation", "devices", "worker", "home", "passing files", "encoding", "artifacts", "database", "writing",
         "migrations", "clock", "stale trials", "checkpoints", "outbox"]  # fmt: skip
EMPTY = NAMES[:9]  # of a database without tables
AWAY = NAMES[:8]  # of one that does not answer


class Said(NamedTuple):
    """What the doctor said: its status, the findings by name, and what it has done."""

    status: int
    findings: dict[str, dict[str, Any]]
    done: str

    @property
    def unwell(self) -> list[str]:
        return [name for name, finding in self.findings.items() if not finding["well"]]


Ask = Callable[..., Said]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("MARSEARCH_STORAGE", "MARSEARCH_ARTIFACTS", "MARSEARCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*options: str) -> Said:
        status = answer(["doctor", "--json", *options])
        said = capsys.readouterr()
        report = json.loads(said.out)
        findings = {finding["what"]: finding for finding in report["findings"]}
        assert report["well"] == (status == 0) == all(finding["well"] for finding in findings.values())
        assert all(bool(finding["fix"]) != finding["well"] for finding in findings.values())
        return Said(status, findings, said.err)

    return run


@pytest.fixture
def store() -> Iterator[Store]:
    """The default storage with the study `mars`."""
    opened = open_store("sqlite:///runs/marsearch.db", "runs/artifacts")
    create_study(opened, study_row())
    yield opened
    opened.close()


def mars(store: Store) -> optuna.Study:
    return optuna.load_study(study_name="mars", storage=store.trials)


def ended(state: TrialState, value: float | None = None) -> FrozenTrial:
    """A trial that ended long ago."""
    trial = create_trial(state=state, value=value, user_attrs={"reason": "known"})
    trial.datetime_start = trial.datetime_complete = datetime.now() - timedelta(hours=1)
    return trial


def test_all_is_well_in_an_empty_folder(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask().findings.keys() == set(EMPTY)  # there is no database to look into yet
    assert not Path("runs/marsearch.db").exists()
    assert answer(["doctor"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok"] * len(EMPTY)


def test_all_is_well_with_a_study(ask: Ask, store: Store) -> None:
    said = ask()
    assert (said.status, list(said.findings)) == (0, NAMES)


def test_all_is_well_on_postgresql(ask: Ask, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARSEARCH_STORAGE", postgres_url)
    said = ask()
    assert (said.unwell, list(said.findings)) == ([], EMPTY)  # the tables are not there yet
    said = ask("--fix")
    assert (said.unwell, list(said.findings)) == ([], NAMES)
    assert abs(condition(postgres_url).clock_s) < 1


def test_a_server_that_does_not_answer_hides_nothing_else(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARSEARCH_STORAGE", "postgresql://mars:secret@127.0.0.1:9/mars")
    said = ask()
    assert (said.status, said.unwell, list(said.findings)) == (1, ["database"], AWAY)
    assert "MARSEARCH_STORAGE" in said.findings["database"]["fix"]
    assert "secret" not in json.dumps(said.findings)
    fixed = ask("--fix")
    assert (fixed.status, fixed.unwell) == (1, ["database"])
    assert "nothing more can be fixed" in fixed.done
    assert "secret" not in fixed.done


def test_a_file_that_is_no_database_is_found(ask: Ask) -> None:
    Path("runs").mkdir()
    Path("runs/marsearch.db").write_text("hello " * 1000)
    assert ask().unwell == ["database"]


def test_an_older_schema_is_brought_up_to_date(ask: Ask) -> None:
    Path("runs").mkdir()
    optuna.storages.RDBStorage("sqlite:///runs/marsearch.db").engine.dispose()  # before our first migration
    said = ask()
    assert said.unwell == ["migrations"]
    assert said.findings["migrations"]["fix"] == "marsearch doctor --fix"
    assert head() in said.findings["migrations"]["detail"]
    assert ask("--fix").unwell == []


@pytest.mark.parametrize(("table", "whose"), [("marsearch_version", "marsearch"), ("alembic_version", "optuna")])
def test_a_newer_schema_asks_for_a_newer_package(ask: Ask, store: Store, table: str, whose: str) -> None:
    with store.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET version_num = '9999'"))
    said = ask()
    assert said.unwell == ["migrations"]
    assert said.findings["migrations"]["fix"] == f"pip install --upgrade {whose}"


def test_clocks_that_differ_are_found(ask: Ask, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def skewed(url: str) -> object:
        return replace(condition(url), clock_s=-42.0)

    monkeypatch.setattr(doctor, "condition", skewed)
    said = ask()
    assert said.unwell == ["clock"]
    assert "42 s behind" in said.findings["clock"]["detail"]


def test_a_full_disk_is_found(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000_000))
    said = ask()
    assert said.unwell == ["home", "artifacts"]
    assert "only 50 MB free" in said.findings["artifacts"]["detail"]
    assert "marsearch study delete" in said.findings["artifacts"]["fix"]


def test_places_that_cannot_be_written_are_found(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("file").write_text("")
    monkeypatch.setenv("MARSEARCH_HOME", "file")
    monkeypatch.setenv("MARSEARCH_STORAGE", "sqlite:///marsearch.db")
    said = ask()
    assert said.unwell == ["home", "artifacts"]
    assert "MARSEARCH_ARTIFACTS" in said.findings["artifacts"]["fix"]


def test_an_unrelated_package_of_our_name_is_found(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(spaces, "__file__", "/somewhere/spaces/__init__.py")
        said = ask()
    assert said.unwell == ["installation"]
    assert said.findings["installation"]["fix"].startswith("pip uninstall spaces")
    monkeypatch.setattr(doctor, "distribution", lambda _name: distribution("optuna"))  # its files may lie over ours
    assert ask().unwell == ["installation"]


@pytest.mark.filterwarnings("ignore:Heartbeat of storage is supposed to be used")
def test_a_trial_whose_worker_is_gone_is_found_and_taken_up(ask: Ask, store: Store) -> None:
    study = mars(store)
    lost = study.ask({"lr": optuna.distributions.FloatDistribution(0.0, 1.0)})
    fixed = ask("--fix")  # it has just begun
    assert (fixed.unwell, fixed.done) == ([], "")
    with transaction(store.engine) as session:
        started = datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=1)
        session.get_one(models.TrialModel, lost._trial_id)._datetime_start_utc = started
    said = ask()
    assert said.unwell == ["stale trials"]
    assert "study mars: 0" in said.findings["stale trials"]["detail"]
    assert said.findings["stale trials"]["fix"] == "marsearch doctor --fix"
    fixed = ask("--fix")
    assert fixed.unwell == []
    assert "study mars: trials 0 went back to the queue" in fixed.done
    first, second = mars(store).get_trials()
    assert (first.state, second.state, second.params) == (TrialState.FAIL, TrialState.WAITING, lost.params)


def test_checkpoints_that_nobody_needs_are_found_and_removed(ask: Ask, store: Store) -> None:
    study = mars(store)
    for state, value in (
        (TrialState.COMPLETE, 0.9),  # 0: has ended
        (TrialState.WAITING, None),  # 1: goes on
        (TrialState.FAIL, None),  # 2: its retry goes on
        (TrialState.FAIL, None),  # 3: has failed for good
        *((TrialState.PRUNED, value) for value in (0.1, 0.4, 0.3, 0.2)),  # 4 to 7: the best three are kept
    ):
        study.add_trial(ended(state, value) if state.is_finished() else create_trial(state=state))
    study.add_trial(create_trial(state=TrialState.WAITING, system_attrs={"retry_history": [2]}))
    stem = stem_of(store, "mars")
    for stems, first in [*((stem, number) for number in range(8)), ("0123456789abcdef", 0)]:
        path = local_path(Path("runs"), stems, first)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"checkpoint")
        store.artifacts.write(artifact_of(stems, first), BytesIO(b"checkpoint"))
    said = ask()
    assert said.unwell == ["checkpoints"]
    assert said.findings["checkpoints"]["detail"].startswith("6 are of trials that have ended")
    assert "6 orphaned checkpoints are removed" in ask("--fix").done
    left = sorted(path.name for path in Path("runs/checkpoints").iterdir())
    assert left == sorted(["0123456789abcdef-0.safetensors", *(f"{stem}-{n}.safetensors" for n in (1, 2, 5, 6, 7))])
    assert artifact_ids(store.artifacts, "") == tuple(sorted(f"checkpoint-{name}" for name in left))
    said = ask()
    assert (said.unwell, said.findings["checkpoints"]["detail"].split(",")[1]) == (
        [],
        " 2 of other databases or deleted studies",
    )


def test_a_trial_that_has_just_ended_clears_up_after_itself(ask: Ask, store: Store) -> None:
    mars(store).add_trial(create_trial(value=0.5))
    store.artifacts.write(artifact_of(stem_of(store, "mars"), 0), BytesIO(b"checkpoint"))
    assert ask().unwell == []


def test_files_that_wait_for_the_artifact_store_are_found_and_sent(ask: Ask, store: Store, tmp_path: Path) -> None:
    shutil.rmtree("runs/artifacts")
    Path("runs/artifacts").write_text("a file is in the way")
    outbox = Outbox(store, Path("runs"), leaving=lambda: True)
    outbox.write("panel.png", BytesIO(b"picture"))
    assert ask().unwell == ["artifacts"]
    Path("runs/artifacts").unlink()
    said = ask()
    assert said.unwell == ["outbox"]
    assert "1 files wait" in said.findings["outbox"]["detail"]
    assert ask("--fix").unwell == []
    assert artifact_ids(store.artifacts, "") == ("panel.png",)


def test_a_package_that_hides_ours_is_one_sentence_for_every_command(tmp_path: Path) -> None:
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").touch()
    command = "import sys; sys.path.insert(0, sys.argv[1]); from search.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "marsearch: another package called spaces is in the way of ours: pip uninstall spaces"
    )
    assert done.stderr.count("\n") == 1
