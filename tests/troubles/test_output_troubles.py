"""Outputs that fail, that cannot write every sign, and foreign text that looks like markup."""

from __future__ import annotations

import io
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.host.progress import Progress
from search.outcome.leaderboard import Row, render
from search.output import Lenient, console
from storage.store import Store, open_store
from storage.studies.studies import create_study, list_studies
from support.processes import environment, marsearch_command
from support.studies import TINY_SPACE, study_row

ROOT = Path(__file__).parents[2]
NAME = "火星 [/v2] [red]ü :smile:"
FAILING = {
    "full disk": "{} 2>/dev/full",
    "closed": "{} 2>&-",
    "both closed": "{} >&- 2>&-",
    "nobody reads": "{{ {}; echo $? >&3; }} 3>status 2>&1 >/dev/null | true; exit $(cat status)",
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Store]:
    """The default storage of the folder, with a study of a name that few terminals can write."""
    store = open_store(f"sqlite:///{tmp_path / 'runs' / 'marsearch.db'}", str(tmp_path / "runs" / "artifacts"))
    create_study(store, study_row(study=NAME))
    yield store
    store.close()


def shell(form: str, *arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a line of the shell, with its redirections."""
    quoted = " ".join(f"'{word}'" for word in marsearch_command(*arguments))
    return subprocess.run(
        ["bash", "-c", form.format(quoted)], cwd=cwd, env=environment(**variables), capture_output=True, check=False
    )


@pytest.mark.parametrize("how", FAILING)
def test_messages_that_cannot_be_written_change_no_status(how: str, home: Store, tmp_path: Path) -> None:
    """microsoft/nni#2317: standard error on a full disk, closed, or with a reader that has gone."""
    well = shell(FAILING[how], "study", "delete", NAME, "--yes", cwd=tmp_path)
    assert (well.returncode, list_studies(home)) == (0, ()), well
    bad = shell(FAILING[how], "study", "delete", NAME, "--yes", cwd=tmp_path)
    assert bad.returncode == 2, bad


@pytest.mark.whole
def test_a_search_whose_output_fails_is_finished_all_the_same(tmp_path: Path, tiny_data: Path) -> None:
    """microsoft/nni#2317: a host and its workers on a full disk."""
    (tmp_path / "space.yaml").write_text(TINY_SPACE)
    study = ("tiny", "--data", tiny_data, "--space", "space.yaml", "--trials", 1, "--epochs", 2, "--warm-start", "none")
    ran = shell("{} >/dev/full 2>/dev/full", "run", *study, "--workers", 1, "--device", "cpu", cwd=tmp_path)
    assert ran.returncode == 0
    said = shell("{}", "status", "tiny", "--json", cwd=tmp_path)
    assert b'"finished": 1' in said.stdout


@pytest.mark.parametrize("command", [("trials", NAME), ("status",), ("space", "show")])
def test_a_reader_that_has_seen_enough_is_no_failure(command: tuple[str, ...], home: Store, tmp_path: Path) -> None:
    """wandb/wandb#6449: `| head -1` closes the pipe while we write."""
    ended = shell("{{ {}; echo $? >status; }} | true; exit $(cat status)", *command, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_a_report_that_cannot_be_written_is_a_failure_with_its_reason(home: Store, tmp_path: Path) -> None:
    """wandb/wandb#6449: a document cut off by a full disk must not pass for whole."""
    ended = shell("{} >/dev/full", "status", "--json", cwd=tmp_path)
    assert ended.returncode == 1
    assert (
        ended.stderr.decode()
        == "marsearch: what was to be written to standard output is lost: No space left on device\n"
    )


def test_a_reader_that_is_slow_loses_nothing() -> None:
    """wandb/wandb#6449: another program of the terminal has made its end of the pipe one that does not wait."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    with os.fdopen(write, "wb") as owner, os.fdopen(read, "rb") as reader:
        stream = io.TextIOWrapper(io.BufferedWriter(Lenient(owner.fileno())), encoding="utf-8")
        seen: list[bytes] = []
        thread = threading.Thread(target=lambda: seen.append(reader.read(1 << 20)))
        thread.start()
        stream.write("x" * (1 << 20))
        stream.flush()
        thread.join()
    assert len(seen[0]) == 1 << 20


NARROW = [
    ({"PYTHONIOENCODING": "ascii"}, ("study", "list")),
    ({"PYTHONIOENCODING": "latin-1"}, ("status",)),
    ({"PYTHONIOENCODING": "latin-1"}, ("study", "pause", NAME)),
    ({"PYTHONIOENCODING": "ascii:strict", "MARSEARCH_LOG": "json"}, ("study", "pause", NAME)),
    ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, ("status",)),
]


@pytest.mark.parametrize(("terminal", "command"), NARROW, ids=str)
def test_a_terminal_that_cannot_write_every_sign_is_written_to(
    terminal: dict[str, str], command: tuple[str, ...], home: Store, tmp_path: Path
) -> None:
    """docker/compose#231: an encoding that lacks the signs of a name."""
    ended = shell("{}", *command, cwd=tmp_path, **terminal)
    text = (ended.stdout + ended.stderr).decode("utf-8", "replace")
    assert ended.returncode == 0, text
    assert "火星" in text or r"\u706b\u661f" in text


FOREIGN = "[rank0] proj[/v2] [red]x[/red] :smile: [link=a"


def test_foreign_text_is_shown_as_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """metis-os/metis#39: square brackets and colons in names, paths and reasons are no markup."""
    monkeypatch.setenv("COLUMNS", "200")
    console().print(FOREIGN)
    render([Row(number=0, state="failed", summary=FOREIGN)], console(), title=FOREIGN)
    assert capsys.readouterr().out.count(FOREIGN) == 3
    lines = io.StringIO()
    Progress("mars", console(lines, width=200)).message(FOREIGN)
    assert lines.getvalue().strip() == FOREIGN


def test_every_console_takes_text_as_it_is() -> None:
    """metis-os/metis#39: a console that reads markup is not made anywhere."""
    made = {
        str(file.relative_to(ROOT))
        for room in ("search", "storage", "spaces")
        for file in (ROOT / room).rglob("*.py")
        if re.search(r"\bConsole\(", file.read_text())
    }
    assert made == {"search/output.py"}
