"""A result survives an artifact store that is full or away: its files wait on the host and follow later."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from rich.console import Console

from search.commands.bundle import export_trial
from search.host import uploads as outbox_module
from search.host.context import WorkOptions
from search.host.host import work
from search.host.progress import Progress
from search.host.uploads import Outbox
from search.studies.create import create
from storage.artifacts.artifact_store import exists
from storage.database.optuna_schema import trial_id_of
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.attempts import attempts, kept_weights
from support.studies import Inputs, begin, end


class Disk:
    """The folder of the artifacts, which a test can take away and give back."""

    def __init__(self, store: Store) -> None:
        self.folder = Path(store.artifacts_url)
        self.aside = self.folder.with_name("aside")

    def fail(self) -> None:
        self.folder.rename(self.aside)
        self.folder.write_text("no folder")

    def mend(self) -> None:
        self.folder.unlink()
        self.aside.rename(self.folder)


@pytest.fixture
def disk(store: Store) -> Disk:
    return Disk(store)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "TRY_S", 0.3)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level("INFO", logger="search.host")
    return lambda: [record.getMessage() for record in caplog.records]


@pytest.fixture
def outbox(store: Store, tmp_path: Path) -> Outbox:
    return Outbox(store, tmp_path / "home")


def test_a_file_that_cannot_be_sent_waits_and_follows(
    outbox: Outbox, disk: Disk, store: Store, said: Callable[[], list[str]]
) -> None:
    outbox.write("first", io.BytesIO(b"1"))
    disk.fail()
    outbox.write("second", io.BytesIO(b"2"))
    outbox.write("third", io.BytesIO(b"3"))
    assert outbox.waiting() == ("second", "third")
    assert outbox.deliver() == 0
    disk.mend()
    assert outbox.deliver() == 2
    assert outbox.waiting() == ()
    for name, content in (("first", b"1"), ("second", b"2"), ("third", b"3")):
        with outbox.open_reader(name) as reader:
            assert reader.read() == content
    assert len(said()) == 2
    assert "its files wait in" in said()[0]
    assert "2 of 2 that waited are there" in said()[1]
    assert list(outbox.folder.iterdir()) == []


def test_a_store_that_is_away_for_a_moment_only_is_waited_for(
    outbox: Outbox, store: Store, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(outbox_module, "TRY_S", 5.0)
    write, failures = store.artifacts.write, iter([ArtifactError("full"), ArtifactError("full")])

    def sometimes(artifact_id: str, body: io.BytesIO) -> None:
        body.read()  # as S3's does, the first try uses the source up
        for failure in failures:
            raise failure
        body.seek(0)
        write(artifact_id, body)

    monkeypatch.setattr(store.artifacts, "write", sometimes)
    outbox.write("first", io.BytesIO(b"1"))
    assert exists(store.artifacts, "first")
    assert (outbox.waiting(), said()) == ((), [])


def test_a_host_that_leaves_does_not_try_twice(
    store: Store, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(outbox_module, "TRY_S", 3600.0)
    disk.fail()
    Outbox(store, tmp_path / "home", leaving=lambda: True).write("first", io.BytesIO(b"1"))
    assert Outbox(store, tmp_path / "home").waiting() == ("first",)


def test_the_files_of_another_artifact_store_are_left_alone(
    outbox: Outbox, disk: Disk, store: Store, tmp_path: Path, said: Callable[[], list[str]]
) -> None:
    from dataclasses import replace

    from storage.artifacts.artifact_store import open_artifacts

    disk.fail()
    outbox.write("first", io.BytesIO(b"1"))
    url = str(tmp_path / "elsewhere")
    other = Outbox(replace(store, artifacts=open_artifacts(url), artifacts_url=url), tmp_path / "home")
    assert (other.waiting(), other.deliver()) == ((), 0)
    assert outbox.waiting() == ("first",)


def test_with_no_room_anywhere_somebody_is_told(outbox: Outbox, disk: Disk) -> None:
    disk.fail()
    outbox.folder.parent.mkdir()
    outbox.folder.write_text("no folder")
    with pytest.raises(ArtifactError, match="fits neither into the artifact store nor here"):
        outbox.write("first", io.BytesIO(b"1"))


def test_weights_become_known_when_they_arrive_unless_nobody_wants_them_any_more(
    outbox: Outbox, disk: Disk, store: Store, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    create(store, *inputs())
    disk.fail()
    (tmp_path / "weights").write_bytes(b"weights")
    for state in ("complete", "failed"):
        trial = begin(store, "tiny")
        name = f"weights-{trial.number}"
        assert not outbox.send_weights(name, tmp_path / "weights", trial_id_of(trial), "tiny")
        assert end(store, trial, state=state, value=0.5, parameters=7)
    disk.mend()
    assert outbox.deliver() == 2
    assert [(r.state, r.value, r.parameters, r.weights_artifact) for r in attempts(store, "tiny")] == [
        ("complete", 0.5, 7, "weights-0"),
        ("failed", 0.5, 7, ""),
    ]
    assert exists(store.artifacts, "weights-0")
    assert not exists(store.artifacts, "weights-1")


def test_a_trial_is_told_though_the_disk_is_full_and_can_be_exported_once_it_is_not(
    store: Store, disk: Disk, inputs: Callable[..., Inputs], tmp_path: Path
) -> None:
    create(store, *inputs(trials=1, keep=1))
    order = WorkOptions(study="tiny", workers=1, trials=None, timeout=None, device="cpu", home=tmp_path / "home")
    (tmp_path / "home" / "cache").mkdir(parents=True)
    for file in disk.folder.iterdir():
        if file.name.startswith("dataset-"):
            shutil.copy(file, tmp_path / "home" / "cache" / f"{file.name.rpartition('-')[0]}.npz")
    disk.fail()
    said = io.StringIO()
    outcome = work(store, order, Progress("tiny", Console(file=said, width=200)))
    (trial,) = optuna.load_study(study_name="tiny", storage=store.trials).get_trials()
    assert (outcome.finished, trial.state) == (1, TrialState.COMPLETE)
    assert kept_weights(store, "tiny") == ()
    assert "its files wait in" in said.getvalue()
    assert len(Outbox(store, tmp_path / "home").waiting()) == 11  # ten files for people and pages, and the weights

    disk.mend()
    work(store, order, Progress("tiny", Console(file=said, width=200)))
    assert [kept.trial for kept in kept_weights(store, "tiny")] == [0]
    assert "11 of 11 that waited are there" in said.getvalue()
    (disk.folder / kept_weights(store, "tiny")[0].artifact).stat()
    assert export_trial(store, "tiny", tmp_path / "bundle", trial=None, home=tmp_path / "home") == 0
