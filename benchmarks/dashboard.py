"""Our dashboard beside stock optuna-dashboard, given the same database, in one run: bytes and seconds of the server.

A browser is played: it opens a study, which loads all trials, and then polls for what is new since the first trial that
still runs, as optuna-dashboard's pages do every 10 s. It takes gzip and says what it has already. Between two polls a
running trial reports. Seconds are of the server's processor (and of the clock in brackets), bytes as they travel.

    python benchmarks/dashboard.py [--trials 10000] [--epochs 50] [--polls 3] [--url URL] [--out DIR]

The database must be empty; without --url it is an SQLite file of the run's own.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import psutil
from large_study import Facts, fill
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import update

from storage.store import Store, open_store

STOCK = "import sys; from optuna_dashboard._cli import main; sys.exit(main())"
EXPIRED_S = 10.5  # stock optuna-dashboard answers from memory for 10 s, and is asked every 10 s
PATIENCE_S = 900
STEPS = itertools.count(1000)  # each is reported once


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question. size: bytes of the body; cpu, clock: seconds of the server. document: None if it is as before."""

    size: int
    cpu: float
    clock: float
    document: dict[str, Any] | None


class Browser:
    """Asks one server, and remembers what it has."""

    def __init__(self, port: int, server: psutil.Process) -> None:
        self.port, self.server = port, server
        self.kept: dict[str, tuple[str, dict[str, Any]]] = {}

    def ask(self, path: str) -> Asked:
        headers = {"Accept-Encoding": "gzip"}
        if path in self.kept:
            headers["If-None-Match"] = self.kept[path][0]
        busy, began = self._busy(), time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        clock, cpu = time.perf_counter() - began, self._busy() - busy
        connection.close()
        assert answer.status in (200, 304), (answer.status, body[:200])
        if answer.status == 304:
            return Asked(size=0, cpu=cpu, clock=clock, document=None)
        plain = zlib.decompress(body, 31) if answer.headers["Content-Encoding"] == "gzip" else body
        document = json.loads(plain)
        if answer.headers["ETag"]:
            self.kept[path] = (answer.headers["ETag"], document)
        return Asked(size=len(body), cpu=cpu, clock=clock, document=document)

    def _busy(self) -> float:
        times = self.server.cpu_times()
        return times.user + times.system


@contextmanager
def serving(kind: str, url: str, home: Path) -> Iterator[Browser]:
    """A server of that kind in a process of its own, ready to answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = [sys.executable, "-m", "search.cli", "dashboard", "--port", str(port)]
    command = ours if kind == "marsearch" else [sys.executable, "-c", STOCK, url, "--port", str(port)]
    places = {"MARSEARCH_STORAGE": url, "MARSEARCH_HOME": str(home)}
    process = subprocess.Popen(command, env=os.environ | places, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield Browser(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server did not start")


def measure(kind: str, url: str, home: Path, store: Store, facts: Facts, polls: int) -> dict[str, Any]:
    """All scenes with one server."""
    study = f"/api/studies/{facts.study_id}"
    with serving(kind, url, home) as browser:
        browser.ask("/api/studies")
        first = browser.ask(study)
        assert first.document is not None
        found = first.document["best_trials"][0]["number"]
        trials = first.document["trials"]
        running = next(t["number"] for t in trials if t["state"] in ("Running", "Waiting"))
        trial_id = trials[running]["trial_id"]
        browser.kept.clear()  # another person
        second = _later(browser, study)
        steady, moved = [], f"{study}?after={running}"
        for _ in range(polls):
            step = next(STEPS)
            store.trials.set_trial_intermediate_value(trial_id, step, step / 1e6)
            steady.append(_later(browser, moved))
        idle = [_later(browser, moved) for _ in range(2)][-1]
        with zombie(store, facts):
            zombied = _zombie_polls(kind, url, home, study)
        return {
            "first page": first,
            "first page of a second person": second,
            "poll while a trial reports": _middle(steady),
            "poll when nothing is new": idle,
            "poll with a lost trial early in the study": zombied,
            "best": found,
            "memory": browser.server.memory_info().rss,
        }


def _later(browser: Browser, path: str) -> Asked:
    time.sleep(EXPIRED_S)
    return browser.ask(path)


def _zombie_polls(kind: str, url: str, home: Path, study: str) -> Asked:
    """A browser that opened the study when trial 5 was lost already, and the poll after that."""
    with serving(kind, url, home) as browser:
        trials = (browser.ask(study).document or {})["trials"]
        running = next(t["number"] for t in trials if t["state"] in ("Running", "Waiting"))
        return _later(browser, f"{study}?after={running}")


@contextmanager
def zombie(store: Store, facts: Facts) -> Iterator[None]:
    """Trial 5 runs, but nobody trains it."""
    of_five = (models.TrialModel.study_id == facts.study_id, models.TrialModel.number == 5)
    trial_id = store.trials.get_trial_id_from_study_id_trial_number(facts.study_id, 5)
    before = store.trials.get_trial(trial_id).state

    def change(state: TrialState) -> None:
        store.transact(lambda session: session.execute(update(models.TrialModel).where(*of_five).values(state=state)))

    change(TrialState.RUNNING)
    try:
        yield
    finally:
        change(before)


def _middle(asked: Sequence[Asked]) -> Asked:
    return Asked(
        size=round(statistics.median(a.size for a in asked)),
        cpu=statistics.median(a.cpu for a in asked),
        clock=statistics.median(a.clock for a in asked),
        document=None,
    )


def table(stock: dict[str, Any], ours: dict[str, Any], facts: Facts) -> str:
    lines = ["| what the browser does | | optuna-dashboard | marsearch | times less |", "|---|---|---|---|---|"]
    for scene, theirs in stock.items():
        if isinstance(theirs, Asked):
            mine = ours[scene]
            lines.append(f"| {scene} | bytes | {theirs.size:,} | {mine.size:,} | {_less(theirs.size, mine.size)} |")
            lines.append(f"| | seconds | {_seconds(theirs)} | {_seconds(mine)} | {_less(theirs.cpu, mine.cpu)} |")
    memory = [kind["memory"] / 2**20 for kind in (stock, ours)]
    lines.append(f"| memory of the server | MiB | {memory[0]:.0f} | {memory[1]:.0f} | {_less(*memory)} |")
    truth = f"{facts.best} (trial {facts.violating} is higher and violates a constraint)"
    lines.append(f"| best trial shown | {truth} | {_right(stock, facts)} | {_right(ours, facts)} | |")
    return "\n".join(lines)


def _less(theirs: float, mine: float) -> str:
    return "all" if mine <= 0 else f"{theirs / mine:,.1f}"


def _seconds(asked: Asked) -> str:
    return f"{asked.cpu:.2f} ({asked.clock:.2f})"


def _right(found: dict[str, Any], facts: Facts) -> str:
    return f"{found['best']}, {'right' if found['best'] == facts.best else 'wrong'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--polls", type=int, default=3)
    parser.add_argument("--url")
    parser.add_argument("--out", type=Path, metavar="DIR")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        url = told.url or f"sqlite:///{home / 'large.db'}"
        store = open_store(url, str(home / "artifacts"))
        facts = fill(store, told.trials, told.epochs)
        found = {k: measure(k, url, home, store, facts, told.polls) for k in ("optuna-dashboard", "marsearch")}
        text = _page(told, store.engine.dialect.name, table(found["optuna-dashboard"], found["marsearch"], facts))
        store.close()
    print(text)
    if told.out:
        told.out.mkdir(parents=True, exist_ok=True)
        (told.out / f"{url.partition('+')[0].partition(':')[0]}.md").write_text(text)


def _page(told: argparse.Namespace, database: str, rows: str) -> str:
    options = f" --trials {told.trials} --epochs {told.epochs} --polls {told.polls}" + (
        " --url ..." if told.url else ""
    )
    machine = f"{os.cpu_count()} cores of {platform.machine()}, Python {platform.python_version()}, {database}"
    return (
        f"# The dashboard at {told.trials:,} trials of {told.epochs} epochs\n\n"
        f"{date.today()}, CPU only, {machine}. Seconds are of the server's processor, of the clock in brackets;"
        f" bytes as they travel.\n\n    python benchmarks/dashboard.py{options}\n\n{rows}\n"
    )


if __name__ == "__main__":
    main()
