from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO

import optuna
import pytest
from optuna.artifacts import download_artifact, get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

import storage.artifacts.s3
from storage.artifacts.artifact_store import (
    ArtifactStore,
    artifact_ids,
    exists,
    free_bytes,
    load_file,
    open_artifacts,
    remove_all,
    save_file,
    sweep_artifacts,
)
from storage.atomic_write import replacing
from storage.errors import ArtifactError
from storage.process_identity import machine_id

BUCKET = "mars-artifacts"  # of the fixture s3_url


@pytest.fixture(params=["directory", "s3"])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "directory":
        return open_artifacts(str(tmp_path / "deep" / "artifacts"))
    return open_artifacts(request.getfixturevalue("s3_url"))


def _content(artifacts: ArtifactStore, artifact_id: str) -> bytes:
    with artifacts.open_reader(artifact_id) as reader:
        return reader.read()


def test_what_is_written_is_read(artifacts: ArtifactStore) -> None:
    artifacts.write("a.npz", io.BytesIO(b"one"))
    assert _content(artifacts, "a.npz") == b"one"
    artifacts.write("a.npz", io.BytesIO(b"another"))
    assert _content(artifacts, "a.npz") == b"another"
    artifacts.write("empty", io.BytesIO(b""))
    assert _content(artifacts, "empty") == b""


def test_what_is_removed_is_gone(artifacts: ArtifactStore) -> None:
    artifacts.write("a", io.BytesIO(b"one"))
    assert exists(artifacts, "a")
    artifacts.remove("a")
    assert not exists(artifacts, "a")
    with pytest.raises(ArtifactNotFound):
        artifacts.open_reader("a")


def test_artifacts_are_listed_by_how_their_names_begin(artifacts: ArtifactStore) -> None:
    for name in ("checkpoint-b", "weights-a", "checkpoint-a"):
        artifacts.write(name, io.BytesIO(b"one"))
    assert artifact_ids(artifacts, "checkpoint-") == ("checkpoint-a", "checkpoint-b")
    assert artifact_ids(artifacts, "") == ("checkpoint-a", "checkpoint-b", "weights-a")
    assert artifact_ids(artifacts, "nothing") == ()


def test_many_artifacts_are_removed_at_once_missing_ones_too(
    artifacts: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.artifacts.s3, "BATCH", 2)
    for name in "abcdef":
        artifacts.write(name, io.BytesIO(b"one"))
    assert remove_all(artifacts, ["a", "b", "c", "missing", "e"]) >= 4
    assert artifact_ids(artifacts, "") == ("d", "f")
    assert remove_all(artifacts, []) == 0
    with pytest.raises(ArtifactError, match="is no artifact id"):
        remove_all(artifacts, ["../x"])


def test_a_folder_knows_how_much_more_fits(artifacts: ArtifactStore, request: pytest.FixtureRequest) -> None:
    free = free_bytes(artifacts)
    assert free is None or free > 0
    assert (free is None) == ("s3" in request.node.name)


class Plain:
    """A store that has Optuna's protocol and nothing else."""

    def __init__(self, inner: ArtifactStore) -> None:
        self.open_reader, self.write, self.remove = inner.open_reader, inner.write, inner.remove


def test_a_store_of_optunas_protocol_only_can_be_cleared_but_not_listed(artifacts: ArtifactStore) -> None:
    plain = Plain(artifacts)
    plain.write("a", io.BytesIO(b"one"))
    assert (artifact_ids(plain, ""), free_bytes(plain)) == ((), None)
    remove_all(plain, ["a", "missing"])
    assert not exists(artifacts, "a")


def test_a_file_goes_in_and_comes_out(artifacts: ArtifactStore, tmp_path: Path) -> None:
    body = bytes(range(256)) * 40_000  # 10 MB: more than one part of an S3 upload
    (tmp_path / "in").write_bytes(body)
    save_file(artifacts, "weights.safetensors", tmp_path / "in")
    (tmp_path / "out").write_bytes(b"replaced")
    load_file(artifacts, "weights.safetensors", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == body
    assert not list(tmp_path.glob(".*"))


def test_a_missing_artifact_is_one_sentence_and_leaves_no_file(artifacts: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="'nothing' is not in"):
        load_file(artifacts, "nothing", tmp_path / "out")
    with pytest.raises(ArtifactError, match="cannot read"):
        save_file(artifacts, "a", tmp_path / "nothing")
    assert not (tmp_path / "out").exists()
    assert not exists(artifacts, "a")


def test_a_place_that_cannot_be_written_is_one_sentence(artifacts: ArtifactStore, tmp_path: Path) -> None:
    artifacts.write("a", io.BytesIO(b"one"))
    with pytest.raises(ArtifactError, match="cannot write"):
        load_file(artifacts, "a", tmp_path / "no_folder" / "out")


@pytest.mark.parametrize(
    "name", ["", "..", ".", "../x", "/etc/passwd", "a/b", "a\\b", ".hidden", "a\0b", "a\n", "x" * 300]
)
def test_an_id_cannot_leave_the_store(artifacts: ArtifactStore, name: str) -> None:
    for attempt in (artifacts.open_reader, artifacts.remove):
        with pytest.raises(ArtifactError, match="is no artifact id"):
            attempt(name)
    with pytest.raises(ArtifactError, match="is no artifact id"):
        artifacts.write(name, io.BytesIO(b"x"))


def test_optuna_uploads_and_downloads(artifacts: ArtifactStore, tmp_path: Path) -> None:
    picture = tmp_path / "panel.png"
    picture.write_bytes(b"picture")
    trial = optuna.create_study().ask()
    artifact_id = upload_artifact(artifact_store=artifacts, file_path=str(picture), study_or_trial=trial)
    (meta,) = get_all_artifact_meta(trial, storage=trial.storage)
    assert (meta.artifact_id, meta.filename, meta.mimetype) == (artifact_id, "panel.png", "image/png")
    download_artifact(artifact_store=artifacts, artifact_id=artifact_id, file_path=str(tmp_path / "back.png"))
    assert (tmp_path / "back.png").read_bytes() == b"picture"


class Breaking(io.BytesIO):
    """A source that fails after its first bytes."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError(5, "the disk is gone")
        return super().read(4)


def test_a_write_that_breaks_leaves_the_old_one(tmp_path: Path) -> None:
    artifacts = open_artifacts(str(tmp_path))
    artifacts.write("a", io.BytesIO(b"old"))
    source: BinaryIO = Breaking(b"new, and longer")
    with pytest.raises(ArtifactError, match="the disk is gone"):
        artifacts.write("a", source)
    assert _content(artifacts, "a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_away_is_an_error_of_the_store(tmp_path: Path) -> None:
    """Such as a network file system that has lost its server: neither a missing artifact nor an error of our own."""
    artifacts = open_artifacts(str(tmp_path / "artifacts"))
    (tmp_path / "artifacts").rmdir()
    (tmp_path / "artifacts").write_bytes(b"no folder any more")
    asked = {
        "open": lambda: artifacts.open_reader("a"),
        "exists": lambda: exists(artifacts, "a"),
        "load": lambda: load_file(artifacts, "a", tmp_path / "b"),
        "remove": lambda: artifacts.remove("a"),
        "remove all": lambda: remove_all(artifacts, ["a"]),
        "write": lambda: artifacts.write("a", io.BytesIO(b"a")),
        "list": lambda: artifact_ids(artifacts, "a"),
    }
    for ask in asked.values():
        with pytest.raises(ArtifactError, match="Not a directory"):
            ask()
    assert not (tmp_path / "b").exists()


def test_what_a_dead_writer_left_unfinished_is_swept_and_nothing_else(tmp_path: Path) -> None:
    write = "import os, sys; from storage.atomic_write import replacing; from pathlib import Path\n"
    write += "with replacing(Path(sys.argv[1])) as target: target.write(b'half'); os.kill(os.getpid(), 9)"
    artifacts = open_artifacts(str(tmp_path))
    with replacing(tmp_path / "mine") as mine:
        for _ in range(2):
            subprocess.run([sys.executable, "-c", write, str(tmp_path / "weights")], check=False)
        (unfinished,) = tmp_path.glob(".mine.*.part")
        elsewhere = unfinished.name.replace(machine_id(), "0" * 8)
        old, young = (tmp_path / elsewhere.replace("mine", name) for name in ("old", "young"))
        young.touch()
        old.touch()
        os.utime(old, times=(0, 0))
        (tmp_path / ".somebody.part").touch()
        assert sweep_artifacts(artifacts) == 3
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            [unfinished.name, young.name, ".somebody.part"]
        )
        mine.write(b"whole")
    assert (tmp_path / "mine").read_bytes() == b"whole"


def test_many_writers_of_one_name_leave_one_whole_file(tmp_path: Path) -> None:
    artifacts = open_artifacts(str(tmp_path))
    bodies = [bytes([number]) * 300_000 for number in range(8)]
    threads = [threading.Thread(target=artifacts.write, args=("a", io.BytesIO(body))) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _content(artifacts, "a") in bodies
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_prefix_is_honoured(s3_url: str) -> None:
    import boto3

    open_artifacts(s3_url).write("a", io.BytesIO(b"one"))
    open_artifacts(f"s3://{BUCKET}").write("b", io.BytesIO(b"two"))
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [found["Key"] for found in listed] == ["b", "some/prefix/a"]
    assert not exists(open_artifacts(f"s3://{BUCKET}/other"), "a")


def test_a_missing_bucket_is_one_sentence(s3_url: str) -> None:
    artifacts = open_artifacts("s3://no-such-bucket/x")
    with pytest.raises(ArtifactError, match=r"s3://no-such-bucket/x/ refused artifact 'a'.*bucket does not exist"):
        artifacts.open_reader("a")
    with pytest.raises(ArtifactError, match="s3://no-such-bucket/x/"):
        artifacts.write("a", io.BytesIO(b"one"))


def test_an_unreachable_s3_is_one_sentence(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)  # botocore waits between its attempts
    with pytest.raises(ArtifactError, match="does not answer"):
        exists(open_artifacts(s3_url), "a")


def test_an_answer_of_s3_that_breaks_off_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer_half(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        answering = threading.Thread(target=answer_half, args=(server,))
        answering.start()
        with pytest.raises(ArtifactError, match=r"s3://bucket/ does not answer"):
            load_file(open_artifacts("s3://bucket"), "a", tmp_path / "out")
        answering.join()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", "gs://bucket/x", "s3://", "http://host/x"])
def test_another_kind_of_place_is_refused(url: str) -> None:
    with pytest.raises(ArtifactError, match="s3://bucket/prefix"):
        open_artifacts(url)


def test_a_folder_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArtifactError, match=f"cannot keep artifacts in {place}"):
            open_artifacts(str(place))


def test_s3_without_boto3_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(ArtifactError, match=r"marsearch\[s3\]"):
        open_artifacts("s3://bucket/x")


def test_opening_a_store_loads_nothing_heavy() -> None:
    heavy = {"torch", "boto3", "pandas", "matplotlib", "scipy", "sklearn"}
    code = "import sys, storage.store, storage.studies.attempts, storage.studies.hosts\n"
    code += f"print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
