"""stderr for a log collector: one JSON object per line, whatever happens."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from search.log import log_lines, recent_lines
from support.commands import Command
from support.processes import Running, environment, marsearch_command

ALWAYS = {"time", "level", "event", "message", "host", "pid", "logger"}
ENDED = ALWAYS | {"study", "trial", "state", "value", "epochs", "seconds", "worker", "here", "finished", "target"}
CRASH = """
import logging, sys, threading, warnings
from search.log import log_as_json, tell
log_as_json()
print("half a ", end="", file=sys.stderr)
print("line\\nand another of postgresql+psycopg://me:hunter22@host/name", file=sys.stderr)
sys.stderr.write("word of AKIAEXAMPLE\\n")
warnings.warn("do not")
logging.getLogger("alembic").warning("no revision %s", 3)
tell("a sentence", "said", value=float("nan"), study="mars\\n\\x1b[31m")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise ValueError("hunter22 is the password")
"""


def _rows(text: str) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in text.splitlines()]
    for row in rows:
        assert set(row) >= ALWAYS
        moment = datetime.fromisoformat(row["time"])
        assert moment.utcoffset() is not None
        assert moment.utcoffset().total_seconds() == 0
        assert row["level"] in ("info", "warning", "error", "critical")
    return rows


@pytest.mark.whole
def test_a_worker_whose_child_is_killed_writes_nothing_but_json(
    process: Command, data: Path, space: Path, tmp_path: Path
) -> None:
    options = ("--data", data, "--space", space, "--trials", "2", "--epochs", "900", "--warm-start", "none")
    created = process("--log", "json", "create", "mars", *options)
    assert [row["event"] for row in _rows(created.stderr) if "note" not in row["event"]] == ["study created", "next"]
    command = marsearch_command("--log", "json", "work", "mars", "--workers", "1")
    with Running(command, cwd=tmp_path, env=environment()) as host:
        host.wait_for_text('"trial began"')
        host.workers()[0].kill()
        host.wait_for_text('"trial ended"')
        left = host.stop()
        assert left.returncode == 0
    rows = _rows(left.stderr)
    began = next(row for row in rows if row["event"] == "trial began")
    assert set(began) >= ALWAYS | {"study", "trial", "epochs", "worker", "slot"}
    ended = next(row for row in rows if row["event"] == "trial ended")
    assert set(ended) >= ENDED
    assert (ended["study"], ended["trial"], ended["state"], ended["value"]) == ("mars", 0, "fail", None)
    assert (ended["worker"], ended["here"]) == (began["worker"], True)
    assert "SIGKILL" in ended["reason"]
    last, following = rows[-2:]
    assert (following["event"], following["command"]) == ("next", "marsearch work mars")
    assert (last["event"], last["ended"], last["study"], last["target"]) == ("work ended", "stopped", "mars", 2)


@pytest.mark.whole
def test_wrong_use_is_one_json_line_with_the_same_status(process: Command) -> None:
    for command in (("nonsense",), ("create", "x", "--data", "missing.npz")):
        plain, told = process(*command), process("--log", "json", *command)
        (row,) = _rows(told.stderr)
        assert (plain.returncode, told.returncode, row["status"], row["level"]) == (2, 2, 2, "error")
        assert plain.stderr == row["message"] + "\n"
        assert told.stdout == ""
    asked = process("status", "nobody", MARSEARCH_LOG="json")
    assert _rows(asked.stderr)[0]["event"] == "error"
    wrong = process("--log", "xml", "status")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


def test_whatever_anyone_writes_becomes_json_without_secrets(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CRASH],
        cwd=tmp_path,
        env=dict(os.environ) | {"PGPASSWORD": "hunter22", "AWS_SECRET_ACCESS_KEY": "AKIAEXAMPLE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    rows = _rows(ran.stderr)
    assert "hunter22" not in ran.stderr
    assert "AKIAEXAMPLE" not in ran.stderr
    printed = [row["message"] for row in rows if row["event"] == "printed"]
    assert printed == ["half a line", "and another of postgresql+psycopg://me:***@host/name", "word of ***"]
    warning = next(row for row in rows if row["logger"] == "py.warnings")
    assert (warning["level"], "do not" in warning["message"]) == ("warning", True)
    library = next(row for row in rows if row["logger"] == "alembic")
    assert library["message"] == "no revision 3"
    said = next(row for row in rows if row["event"] == "said")
    assert (said["value"], said["study"]) == (None, "mars\n\x1b[31m")
    died = next(row for row in rows if row["event"] == "thread died")
    assert "ZeroDivisionError" in died["traceback"]
    assert (rows[-1]["event"], rows[-1]["message"]) == ("crash", "ValueError: *** is the password")
    assert "Traceback" in rows[-1]["traceback"]


@pytest.mark.parametrize("url", ["postgresql+psycopg://me:o%2Fther@nowhere.invalid/x"])
def test_a_password_in_the_url_is_never_logged(process: Command, url: str) -> None:
    told = process("--log", "json", "status", MARSEARCH_STORAGE=url)
    assert told.returncode == 2
    _rows(told.stderr)
    assert "o%2Fther" not in told.stderr
    assert "o/ther" not in told.stderr


def test_records_of_our_packages_reach_the_progress_display_while_it_is_shown() -> None:
    shown: list[str] = []
    host, database = logging.getLogger("search.host.attempt"), logging.getLogger("storage.database.retry")
    with log_lines(shown.append):
        host.info("trial %d continues", 3)
        thread = threading.Thread(target=database.warning, args=("no answer for %s s", 60))
        thread.start()
        thread.join()
        host.debug("not for the display")
        logging.getLogger("alembic").warning("of another package")
    host.info("over")
    assert shown == ["trial 3 continues", "no answer for 60 s"]
    assert not host.isEnabledFor(logging.INFO)


def test_a_display_within_a_display_takes_its_place() -> None:
    outer: list[str] = []
    inner: list[str] = []
    log = logging.getLogger("search.host")
    with log_lines(outer.append):
        with log_lines(inner.append):
            log.info("one")
        log.info("two")
    assert (outer, inner) == (["two"], ["one"])


def test_the_last_lines_are_kept_beside_every_display_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_PASSWORD", "very secret")
    logger, shown = logging.getLogger("search.host.test"), list[str]()
    with log_lines(lambda line: None), recent_lines(3) as recent:
        logger.info("first")
        with log_lines(shown.append):
            logger.warning("postgresql://me:hidden@there,\n very secret")
            recent.add("told by hand")
        logger.info("last")
    logger.warning("afterwards")
    assert [line[9:] for line in recent.lines] == ["warning: postgresql://me:***@there, ***", "told by hand", "last"]
    assert shown == ["postgresql://me:hidden@there,\n very secret"]


def test_a_display_that_fails_does_not_end_the_thread_that_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def full(line: str) -> None:
        raise OSError("no space left on device")

    with log_lines(full):
        logging.getLogger("search.host").warning("a sentence")


def test_fields_of_a_block_stand_in_each_of_its_json_lines() -> None:
    program = """
import logging
from search.log import log_as_json, log_fields, tell
log_as_json()
with log_fields(study="mars", worker="w1"):
    logging.getLogger("search.host.attempt").info("trial %d continues", 3)
    logging.getLogger("storage.database.retry").info("no answer")
    tell("another study", "said", study="moon")
tell("outside", "said")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    rows = [(row["event"], row["message"], row.get("study"), row.get("worker")) for row in _rows(ran.stderr)]
    assert rows == [
        ("said", "trial 3 continues", "mars", "w1"),
        ("log", "no answer", "mars", "w1"),
        ("said", "another study", "moon", "w1"),
        ("said", "outside", None, None),
    ]
