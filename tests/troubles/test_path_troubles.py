"""Places: odd folders, variables as people write them, folders that one may only read, what looking leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from search.cluster.ray_cluster import environment_of
from search.errors import UsageError
from search.settings import read_settings
from search.studies.create import create
from storage.database.engine import read_url
from storage.store import open_store
from storage.studies.studies import create_study
from support.commands import Command, command_here
from support.processes import Running, environment, marsearch_command
from support.studies import Inputs, study_row

NAMES = ["a?b", "a%25b", "a%b", "a@b", "a@b@c", "u:p@h", "a#b", "a b", "a&b=c", "ä[x]", "a$$b"]


@pytest.fixture
def marsearch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return command_here(tmp_path, capsys)


def test_a_home_behind_an_equals_sign_is_the_persons(marsearch: Command, tmp_path: Path) -> None:
    """rpminspect/rpminspect#22: a shell expands `--out ~/x` and leaves `--out=~/x`, which made a folder called ~."""
    home = tmp_path / "home"
    home.mkdir()
    assert marsearch("data", "synth", "data.npz", "--train", 12, "--test", 0, "--size", "16x16").returncode == 0
    assert marsearch("data", "inspect", "data.npz", "--out=~/pictures", HOME=str(home)).returncode == 0
    assert list((home / "pictures").iterdir())
    assert not (tmp_path / "~").exists()


@pytest.fixture
def tiny(tmp_path: Path, tiny_data: Path, inputs: Callable[..., Inputs]) -> Callable[[str], Path]:
    """A maker of a home of this name with a study in it; it returns the home's path."""

    def made(name: str) -> Path:
        home = tmp_path / name
        settings = read_settings({"MARSEARCH_HOME": str(home).replace("$", "$$")})
        store = open_store(settings.storage, settings.artifacts)
        create(store, *inputs())
        store.close()
        return home

    return made


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_may_have_any_name(
    marsearch: Command, tmp_path: Path, inputs: Callable[..., Inputs], name: str
) -> None:
    """optuna/optuna#395: a path was pasted into a URL, so that some signs in it meant another file."""
    home = tmp_path / name.replace("$$", "$")
    settings = read_settings({"MARSEARCH_HOME": str(tmp_path / name)})
    store = open_store(settings.storage, settings.artifacts)
    create(store, *inputs())
    store.close()
    assert [path for path in tmp_path.iterdir() if path.suffix != ".npz"] == [home]
    assert {path.name for path in home.iterdir()} >= {"marsearch.db", "artifacts"}
    listed = marsearch("study", "list", "--json", MARSEARCH_HOME=str(tmp_path / name))
    assert [study["study"] for study in json.loads(listed.stdout)["studies"]] == ["tiny"]
    passed_on = environment_of(settings, (), {})
    assert read_url(passed_on["MARSEARCH_STORAGE"]).database == str(home / "marsearch.db")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("~/mars", "{home}/mars"),
        ("$HOME/mars", "{home}/mars"),
        ("${{HOME}}/mars", "{home}/mars"),
        ("'/data/mars'", "/data/mars"),
        ('"/data/mars"', "/data/mars"),
        ("/data/mars\r", "/data/mars"),
        (" /data/mars\n", "/data/mars"),
        ('"~/mars"\r\n', "{home}/mars"),
    ],
)
def test_variables_are_read_as_a_shell_would_have_written_them(written: str, meant: str) -> None:
    """hyperopt/hyperopt#72: a tilde, quotes or a carriage return in a setting made a folder of that name."""
    written, meant = written.format(), meant.format(home=os.environ["HOME"])
    environment = {"HOME": os.environ["HOME"]}
    settings = read_settings(environment | {"MARSEARCH_HOME": written, "MARSEARCH_ARTIFACTS": written})
    assert (str(settings.home), settings.artifacts) == (meant, meant)
    settings = read_settings(environment | {"MARSEARCH_STORAGE": written})
    quote = written.strip()[0] if written.strip()[0] in "'\"" else ""
    url = f"{quote}sqlite:///{written.strip().strip(quote or None)}/a.db{quote}"
    settings = read_settings(environment | {"MARSEARCH_STORAGE": url})
    assert read_url(settings.storage).database == f"{meant}/a.db"


@pytest.mark.parametrize("name", ["MARSEARCH_HOME", "MARSEARCH_ARTIFACTS", "MARSEARCH_STORAGE"])
@pytest.mark.parametrize(
    "value", ["$NOWHERE/mars", "${NOWHERE}/mars", "/data/$", "/data\n/mars", "'/data", "~nobodyofthisname/x"]
)
def test_variables_that_mean_nothing_are_refused(marsearch: Command, tmp_path: Path, name: str, value: str) -> None:
    """hyperopt/hyperopt#72: what was not expanded was taken for a name."""
    value = f"sqlite:///{value}" if name == "MARSEARCH_STORAGE" and not value.startswith("'") else value
    for command in (("study", "list"), ("doctor",)):
        refused = marsearch(*command, **{name: value})
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused
        assert name in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_not_expanded() -> None:
    """hyperopt/hyperopt#72: a dollar in a database's URL is a sign like any other."""
    url = "postgresql://me:pa$HOME~w@db/mars"
    assert read_settings({"MARSEARCH_STORAGE": url, "HOME": "/root"}).storage == url
    assert read_settings({"MARSEARCH_ARTIFACTS": "s3://bucket/a$b"}).artifacts == "s3://bucket/a$b"
    with pytest.raises(UsageError, match="MARSEARCH_HOME"):
        read_settings({"MARSEARCH_HOME": "s3://bucket/home"})


LOOKS = [
    ("status",),
    ("status", "--json"),
    ("status", "tiny"),
    ("study", "list"),
    ("study", "list", "--json"),
    ("study", "pause", "tiny"),
    ("study", "delete", "tiny", "--yes"),
    ("trials", "tiny"),
    ("export", "tiny", "out"),
    ("enqueue", "tiny", "baseline"),
    ("work", "tiny"),
    ("doctor",),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_looking_makes_nothing(marsearch: Command, tmp_path: Path, words: tuple[str, ...]) -> None:
    """optuna/optuna-dashboard#97: a look at a database that is not there made one."""
    (tmp_path / "sub").mkdir()
    looked = marsearch(*words, MARSEARCH_HOME=str(tmp_path / "sub" / "home"))
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["sub"]
    well = words[0] == "doctor" or "tiny" not in words
    assert looked.returncode == (0 if well else 2), looked
    assert "Traceback" not in looked.stderr
    if words[-1] == "--json":
        assert json.loads(looked.stdout) == {"studies": []}
    elif words[0] != "doctor":
        assert "no study" in looked.stderr


def test_looking_makes_nothing_in_an_empty_database_of_a_server(
    marsearch: Command, tmp_path: Path, postgres_url: str
) -> None:
    """optuna/optuna-dashboard#97: nor are tables made in a database that one only looked at."""
    import psycopg

    places = {"MARSEARCH_STORAGE": postgres_url, "MARSEARCH_HOME": str(tmp_path / "home")}
    assert marsearch("study", "list", **places).returncode == 0
    assert marsearch("status", "tiny", **places).returncode == 2
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    assert found == (0,)
    assert list(tmp_path.iterdir()) == []


# Run by one who has no more rights than the permissions of files give.
AS_READER = """
import json, sys
from search.cli import answer
for words in json.loads(sys.argv[1]):
    print(words, answer(words), flush=True)
"""
MODEST = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]  # root may write everywhere


def modest() -> list[str]:
    if os.getuid() != 0:
        return []
    if not shutil.which(MODEST[0]):
        pytest.skip("root needs setpriv to have no more rights than others")
    return MODEST


def as_reader(folder: Path, *commands: list[str], **places: str) -> str:
    ran = subprocess.run(
        [*modest(), sys.executable, "-c", AS_READER, json.dumps(commands)],
        cwd=folder,
        env=environment(**places),
        capture_output=True,
        text=True,
        timeout=240,
    )
    return ran.stdout + ran.stderr


@pytest.fixture
def shown(tmp_path: Path, tiny: Callable[[str], Path]) -> Iterator[Path]:
    """A home with a study, where nothing can be written."""
    home = tiny("home")
    (tmp_path / "mine").mkdir()
    forbid(home)
    yield home
    for path in (home, *home.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def forbid(home: Path) -> None:
    for path in (*home.rglob("*"), home):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_study_in_a_folder_that_one_may_only_read_can_be_looked_at(shown: Path, tmp_path: Path) -> None:
    """fr-ser/grafana-sqlite-datasource#168: a database in a read-only place could not be opened."""
    before = sorted(str(path) for path in shown.rglob("*"))
    looks = [["status", "tiny"], ["study", "list"], ["trials", "tiny"]]
    others = [["export", "tiny", "out"], ["study", "pause", "tiny"]]
    said = as_reader(tmp_path / "mine", *looks, *others, MARSEARCH_HOME=str(shown))
    ended = [line for line in said.splitlines() if line.startswith("[")]
    assert ended == [*(f"{look} 0" for look in looks), *(f"{other} 2" for other in others)], said
    assert "no trial is complete yet" in said
    assert "study tiny: idle, 0 of 6 trials finished" in said
    assert "0/6" in said
    assert "cannot be written" in said
    assert sorted(str(path) for path in shown.rglob("*")) == before


def test_a_dashboard_shows_a_study_in_a_folder_that_one_may_only_read(shown: Path, tmp_path: Path) -> None:
    """fr-ser/grafana-sqlite-datasource#168: a database in a read-only place could not be opened."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*modest(), *marsearch_command("dashboard", "--port", address.rpartition(":")[2])]
    password = "for-reading-and-writing"
    login = {"Authorization": f"Basic {b64encode(f'marsearch:{password}'.encode()).decode()}"}
    places = environment(MARSEARCH_HOME=str(shown), MARSEARCH_DASHBOARD_PASSWORD=password)
    with Running(command, cwd=tmp_path / "mine", env=places) as server:
        server.wait_for_text(f"http://{address}")
        for page in ("board/1", "api/studies"):
            with urllib.request.urlopen(urllib.request.Request(f"http://{address}/{page}", headers=login)) as answer:
                assert b"tiny" in answer.read()
        note = urllib.request.Request(
            f"http://{address}/api/studies/1/note",
            b'{"body": "well", "version": 1}',
            login | {"Content-Type": "application/json", "Origin": f"http://{address}"},
            method="PUT",
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(note)
        with refused.value as answer:
            assert answer.status == 503
            assert b"the database does not take this: attempt to write a readonly database" in answer.read()
        server.stop()


def test_what_others_are_writing_can_be_looked_at_without_the_right_to_write(shown: Path, tmp_path: Path) -> None:
    """fr-ser/grafana-sqlite-datasource#168: what a writer has not yet merged is seen, or it is said."""
    shown.chmod(0o755)
    (shown / "marsearch.db").chmod(0o644)
    settings = read_settings({"MARSEARCH_HOME": str(shown)})
    store = open_store(settings.storage, settings.artifacts)
    create_study(store, study_row(study="second"))
    try:
        assert (shown / "marsearch.db-wal").stat().st_size
        forbid(shown)
        assert "study second: idle" in as_reader(tmp_path / "mine", ["status", "second"], MARSEARCH_HOME=str(shown))
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in ("marsearch.db", "marsearch.db-wal"):
            shutil.copy(shown / name, copy / name)
        forbid(copy)
        said = as_reader(tmp_path / "mine", ["status", "second"], MARSEARCH_HOME=str(copy))
        assert "changes that were not merged" in said
        assert "Traceback" not in said
    finally:
        (tmp_path / "copy").chmod(0o755)
        store.close()


# A folder that is the working directory and, where the machine allows it, a disk of its own.
INTO_HERE = """
import os, subprocess, sys
from pathlib import Path
from search.cli import answer
if sys.argv[2] == "mount":
    subprocess.run(["mount", "-t", "tmpfs", "none", "out"], check=True)
out = Path("out")
out.chmod(0o750)
(out / "lost+found").mkdir()
(out / "lost+found" / "somebody's").touch()
os.chdir(out)
before = os.stat(".")
options = ["--data", sys.argv[1], "--epochs", "1", "--device", "cpu"]
for recipe in ("one.yaml", "two.yaml"):
    Path("..", recipe).write_text(f"model: {{family: unet, depth: 2, filters: {4 if recipe == 'one.yaml' else 5}}}")
    assert answer(["train", f"../{recipe}", *options, "--out", "."]) == 0
    from search.outcome.bundle import read_bundle
    print(read_bundle(".").recipe.model.network.filters, flush=True)
after = os.stat(".")
assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode) == (after.st_ino, os.stat(os.getcwd()).st_mode)
assert Path("lost+found", "somebody's").exists()
print(sorted(path.name for path in Path(".").iterdir()), sorted(path.name for path in Path("..").iterdir()))
"""


def test_a_bundle_fills_the_folder_that_it_was_given(tiny_data: Path, tmp_path: Path) -> None:
    """findajob#860: a folder that is a mount point or the working directory was replaced, or could not be."""
    (tmp_path / "out").mkdir()
    apart = ["unshare", "--mount"]
    can = shutil.which(apart[0]) and subprocess.run([*apart, "true"], capture_output=True).returncode == 0
    ran = subprocess.run(
        [*(apart if can else []), sys.executable, "-c", INTO_HERE, str(tiny_data), "mount" if can else "folder"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran
    first, second, told = ran.stdout.splitlines()
    assert (first, second) == ("4", "5")
    names = ["README.md", "lost+found", "manifest.json", "metrics.json", "model.onnx", "pictures", "recipe.yaml"]
    assert told == f"{[*names, 'weights.safetensors']} {['one.yaml', 'out', 'two.yaml']}"
