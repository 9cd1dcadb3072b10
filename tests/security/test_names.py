"""Names are data: of studies, of artifacts, of pictures; none is ever a path, SQL, or a line of its own."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from sqlalchemy import create_engine, inspect

from search.cli import answer
from search.commands.bundle import _pictures
from storage.artifacts.artifact_store import DirectoryArtifacts, S3Artifacts, load_file, open_artifacts
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.errors import ArtifactError

IDS = [
    "..",
    ".",
    "",
    "../out",
    "a/../../out",
    "/tmp/out",
    "a/b",
    "a\\b",
    "..\\out",
    ".hidden",
    "a\0b",
    "a\nb",
    "a b",
    "-rf",
    "~root",
    "a:b",
    "%2e%2e%2fout",
    "x" * 201,
    "é",
    "a\n",
]

ORDINARY = [
    """'; DROP TABLE studies; -- " OR ""=" """,
    "../../etc/passwd",
    "..",
    "%s%n{0}{study}$(touch hurt)`touch hurt`\\",
    "sand 🏜️ und Geröll",
    "x" * 500,
]
CREATE = ("create", "--data", "data.npz", "--space", "space.yaml", "--warm-start", "none")
REFUSED = ["", " ", "nul\0here", "two\nlines", "\x1b[2J", "half \ud800", "x" * 10_000]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store_url: str) -> Path:
    """A folder of its own to work in, with a tiny data set, over each kind of database."""
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for name, value in (("STORAGE", store_url), ("ARTIFACTS", str(folder / "artifacts")), ("HOME", str(folder))):
        monkeypatch.setenv(f"MARSEARCH_{name}", value)
    write_dataset(synthesise(train=16, test=0, seed=1, height=16, width=16), folder / "data.npz")
    (folder / "recipe.yaml").write_text("model: {depth: 2}")
    (folder / "space.yaml").write_text("model: {family: unet, depth: [2, 3]}")
    return folder


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = answer(list(arguments))
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.whole
def test_a_study_may_have_any_name_that_can_be_written(
    home: Path, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ORDINARY:
        created = say(capsys, *CREATE, "--", name)
        assert created[0] == 0, created[2]
        assert say(capsys, "enqueue", "--", name, "recipe.yaml")[0] == 0
        assert json.loads(say(capsys, "status", "--json", "--", name)[1])["study"] == name
        assert [t["state"] for t in json.loads(say(capsys, "trials", "--format", "json", "--", name)[1])] == ["waiting"]
        status, _, told = say(capsys, "export", "--", name, "out")
        assert (status, told.count("\n")) == (2, 1), told
    listed = json.loads(say(capsys, "status", "--json")[1])["studies"]
    assert sorted(report["study"] for report in listed) == sorted(ORDINARY)
    assert [path.name for path in home.parent.iterdir()] == [home.name]
    assert {path.name for path in home.parent.parent.iterdir()} <= {"outer", "database"}
    assert {path.name for path in home.iterdir()} <= {"artifacts", "cache", "data.npz", "recipe.yaml", "space.yaml"}
    engine = create_engine(store_url)
    assert "studies" in inspect(engine).get_table_names()
    engine.dispose()


@pytest.mark.parametrize("store_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True)
def test_a_name_that_cannot_be_written_is_refused_everywhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in REFUSED:
        for command in (
            (*CREATE, "--", name),
            ("status", "--", name),
            ("enqueue", "--", name, "recipe.yaml"),
            ("export", "--", name, "out"),
            ("work", "--", name),
            ("study", "delete", "--yes", "--", name),
        ):
            status, shown, told = say(capsys, *command)
            assert (status, shown, told.count("\n")) == (2, "", 1), (command[0], told)
            assert len(told) < 2000
            assert told.strip().isprintable()
    assert json.loads(say(capsys, "status", "--json")[1])["studies"] == []
    assert not (home / "out").exists()


@pytest.mark.parametrize("artifact_id", IDS, ids=ascii)
def test_an_artifact_cannot_leave_its_folder(tmp_path: Path, artifact_id: str) -> None:
    (tmp_path / "out").write_text("mine")
    store = DirectoryArtifacts(tmp_path / "artifacts")
    for act in (
        lambda: store.write(artifact_id, io.BytesIO(b"theirs")),
        lambda: store.open_reader(artifact_id),
        lambda: store.remove(artifact_id),
        lambda: store.remove_all([artifact_id]),
        lambda: load_file(store, artifact_id, tmp_path / "got"),
    ):
        with pytest.raises(ArtifactError) as caught:
            act()
        assert str(caught.value).isprintable()
    assert sorted(os.listdir(tmp_path)) == ["artifacts", "out"]  # noqa: PTH208
    assert (tmp_path / "out").read_text() == "mine"
    assert os.listdir(tmp_path / "artifacts") == []  # noqa: PTH208


@pytest.mark.parametrize("artifact_id", IDS, ids=ascii)
def test_a_key_cannot_leave_its_prefix(artifact_id: str) -> None:
    store = S3Artifacts.__new__(S3Artifacts)
    store.bucket, store.prefix, store._client = "bucket", "mars/", None  # it must not even be asked
    for act in (
        lambda: store.write(artifact_id, io.BytesIO(b"theirs")),
        lambda: store.open_reader(artifact_id),
        lambda: store.remove(artifact_id),
        lambda: store.remove_all([artifact_id]),
    ):
        with pytest.raises(ArtifactError):
            act()


def test_a_folder_of_artifacts_is_no_url() -> None:
    for url in ("file:///etc", "http://h/x", "s3://", "s3:///x", "ftp://h", ""):
        with pytest.raises(ArtifactError):
            open_artifacts(url)


PICTURES = ["../../out.png", "/tmp/out.png", "..", ".", "", "/", "a\0b.png", "x" * 300, "two\nlines.png", "\ud800"]


def test_the_name_of_a_picture_in_the_database_cannot_lead_out(tmp_path: Path) -> None:
    artifacts = DirectoryArtifacts(tmp_path / "artifacts")
    store = SimpleNamespace(artifacts=artifacts, trials=optuna.storages.InMemoryStorage())
    study = optuna.create_study(storage=store.trials)
    artifacts.write("theirs", io.BytesIO(b"theirs"))
    (tmp_path / "into").mkdir()
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "into")}
    for name in PICTURES:
        noted = json.dumps({"artifact_id": "theirs", "filename": name, "mimetype": "image/png", "encoding": None})
        study.add_trial(optuna.create_trial(value=0.5, system_attrs={"artifacts:theirs": noted}))
        files = _pictures(store, study.trials[-1], tmp_path / "into")
        assert all(file.parent == tmp_path / "into" / "pictures" and file.is_file() for file in files), name
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "into")} == before
    assert not [path for path in (tmp_path / "into").rglob("*") if path.is_file() and path.parent.name != "pictures"]


def test_what_a_hostile_file_calls_its_classes_stays_words(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = np.random.default_rng(0).integers(0, 2, (24, 16, 16)).astype(np.uint8)
    names = np.array(["'); DROP TABLE studies; --", "../../{0}%s/etc"])
    np.savez(home / "data.npz", images=masks * 90, masks=masks, class_names=names)
    status, _, told = say(capsys, *CREATE, "s")
    assert status == 0, told
    (home / "recipe.yaml").write_text("model: {depth: 2}\nloss: {ignore_excluded: false}")
    assert say(capsys, "enqueue", "s", "recipe.yaml")[0] == 0
    assert json.loads(say(capsys, "trials", "s", "--format", "json")[1])[0]["state"] == "waiting"
