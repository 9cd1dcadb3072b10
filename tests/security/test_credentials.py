"""A password in MARSEARCH_STORAGE reaches the database and nothing else."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import psutil
import pytest
from safetensors.numpy import save
from sqlalchemy import create_engine, inspect, make_url, text

from search.cli import answer
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from storage.database.engine import redact

SECRET = "Geh/eim@Wort:7#é"
TRACES = ("eim@Wort", "Wort:7", quote(SECRET, safe=""), "eim%40Wort", "Wort%3A7")
SPACE = "model: {family: unet, depth: 2, filters: 4, growth: 1.0}\naugment: {geometry: null, mixing: null}"

WRONG = [
    "postgresql://u:{}@127.0.0.1:1/db",
    "postgresql://u:{}@127.0.0.1:port/db",
    "postgresql+psycopg://u:{}@[::1/db",
    "postgresql://u:{}@/db?host=/nowhere",
    "postgresql://u@127.0.0.1:1/db?password={}",
    "postgresql://u@127.0.0.1:1/db?passwort={}",
    "postgresql://u@127.0.0.1:1/db?sslpassword={}",
    "postgresql://u:{}",
    "postgresql:/u:{}@h/db",
    "postgresql:u:{}@h/db",
    "//u:{}@h/db",
    "u:{}@h/db",
    "oracle://u:{}@h/db",
    "mysql+pymysql://u:{}@h/db",
    "sqlite://u:{}@h/db",
    "sqlite:///studies.db?password={}",
    "nonsense {}",
]


def traces(content: str | bytes) -> list[str]:
    """What of the secret stands there."""
    if isinstance(content, bytes):
        return [trace for trace in TRACES if trace.encode() in content]
    return [trace for trace in TRACES if trace in content]


class Hurt:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


class Watch(threading.Thread):
    """Sees the arguments of every process that descends from ours, and the environment of those that train."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self.open: set[str] = set()
        self._over = threading.Event()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.seen |= set(_command_lines())
            self.open |= set(_open_children())


def _open_children() -> Iterator[str]:
    """The children whose environment opens the database."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "search.worker.main" in process.cmdline() and traces(str(process.environ())):
                yield str(process.environ())
        except psutil.Error:
            continue


def _command_lines() -> Iterator[str]:
    for process in psutil.Process().children(recursive=True):
        try:
            yield " ".join(process.cmdline())
        except psutil.Error:
            continue


@dataclass(frozen=True)
class Searched:
    """A folder with a finished study. url: its database, with the password. seen: the arguments of all processes.

    open: the environments of the children that could have opened the database.
    """

    folder: Path
    url: str
    seen: str
    open: frozenset[str]
    said: str


@pytest.fixture(scope="module")
def searched(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    folder = tmp_path_factory.mktemp("searched")
    write_dataset(synthesise(train=32, test=2, seed=1, height=24, width=32), folder / "data.npz")
    (folder / "space.yaml").write_text(SPACE)
    # The server asks for no password, so that one changes nothing but what is shown.
    url = make_url(new_database()).set(password=SECRET).render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MARSEARCH_STORAGE", url)
        made = "create s --data data.npz --space space.yaml --trials 1 --epochs 2 --warm-start none"
        assert answer(made.split()) == 0
        with Watch() as watch:
            work = [sys.executable, "-m", "search.cli", "work", "s", "--workers", "1", "--device", "cpu"]
            done = subprocess.run(work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield Searched(folder, url, "\n".join(watch.seen), frozenset(watch.open), done.stdout + done.stderr)


@pytest.mark.whole
def test_a_password_stays_out_of_logs_tables_bundle_and_process_list(
    searched: Searched, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quote(SECRET, safe="") in searched.url
    assert "search.cli work" in searched.seen
    assert "search.worker.main" in searched.seen
    assert traces(searched.seen + searched.said) == []
    assert searched.open == frozenset()
    asked = ("status s", "status s --json", "trials s --format json", "study list", "doctor", "export s bundle")
    assert [answer(command.split()) for command in asked] == [0] * 6
    assert [answer(command.split()) for command in ("status unknown", "export s data.npz")] == [2, 2]
    told = capsys.readouterr()
    assert traces(told.out + told.err) == []
    files = [path for path in searched.folder.rglob("*") if path.is_file()]
    assert {"manifest.json", "metrics.json"} <= {path.name for path in files}
    assert [path for path in files if traces(path.read_bytes())] == []
    assert traces(_everything(searched.url)) == []


@pytest.mark.parametrize("kind", ["a pickle", "half of it", "other tensors", "nothing"])
def test_weights_that_were_exchanged_in_the_artifact_store_are_refused(
    searched: Searched, kind: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (kept,) = (searched.folder / "runs" / "artifacts").glob("weights-*")
    good, marker = kept.read_bytes(), tmp_path / "hurt"
    other = {
        "a pickle": pickle.dumps(Hurt(marker)),
        "half of it": good[: len(good) // 2],
        "other tensors": save({"mean": np.zeros(1, np.float32), "std": np.ones(1, np.float32)}),
        "nothing": b"",
    }[kind]
    kept.write_bytes(other)
    try:
        assert answer(["export", "s", str(tmp_path / "bundle")]) == 2
    finally:
        kept.write_bytes(good)
    said = capsys.readouterr().err
    assert said.startswith("marsearch: ")
    assert said.count("\n") == 1
    assert not marker.exists()
    assert list(tmp_path.iterdir()) == []


def _everything(url: str) -> str:
    """All that the database holds, as text."""
    engine = create_engine(url)
    with engine.connect() as connection:
        tables = inspect(engine).get_table_names()
        rows = [str(connection.execute(text(f'SELECT * FROM "{table}"')).all()) for table in tables]
    engine.dispose()
    assert "marsearch_studies" in tables
    return "\n".join(rows)


@pytest.mark.usefixtures("no_second_tries")
@pytest.mark.parametrize("template", WRONG)
def test_what_is_wrong_with_a_url_is_said_without_its_password(
    template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for secret in (SECRET, quote(SECRET, safe="")):
        url = template.format(secret)
        monkeypatch.setenv("MARSEARCH_STORAGE", url)
        status = answer(["status"])
        said = capsys.readouterr()
        assert (status, said.out, said.err.count("\n")) == (2, "", 1), said
        assert traces(said.err) == []
        assert traces(redact(url)) == []


def test_doctor_names_a_database_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARSEARCH_STORAGE", f"postgresql://u:{quote(SECRET, safe='')}@127.0.0.1:1/db")
    assert answer(["doctor"]) == 1
    said = capsys.readouterr()
    assert "127.0.0.1" in said.out
    assert traces(said.out + said.err) == []


@pytest.mark.parametrize("url", ["s3://AKIAKEY:{}@bucket/prefix", "http://u:{}@h/x", "s3:/u:{}@bucket"])
def test_keys_in_the_url_of_the_artifacts_are_not_shown(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MARSEARCH_ARTIFACTS", url.format(SECRET))
    for command in (["status"], ["doctor"]):
        answer(command)
        said = capsys.readouterr()
        assert traces(said.out + said.err) == []
