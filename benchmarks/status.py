"""What `marsearch status STUDY --json` costs, which every worker's health check runs once a minute, on a large study.

Three processes, taken in turn: as it is; with every trial read whole, as it was; and on a small study, which is
what starting and importing cost. Without --url the database is an SQLite file of the run; another must
be empty.

    python benchmarks/status.py [--trials 10000] [--epochs 50] [--rounds 3] [--url URL]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

from large_study import STUDY, fill

from storage.store import open_store

NOW = "from search.cli import main; main()"
BEFORE = """
import sys
import search.studies.reports as reports
from search.cli import answer
reports.outcomes = reports.trials_of
sys.exit(answer(sys.argv[1:]))
"""
KINDS = {
    "status": (NOW, STUDY),
    "every trial read whole": (BEFORE, STUDY),
    "a study of 40 trials": (NOW, "small"),
}


def processor_s(code: str, study: str, environment: dict[str, str]) -> float:
    """Processor seconds of a process that runs this code to ask for the status of the study."""
    command = [sys.executable, "-c", code, "status", study, "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(url: str, folder: str, options: argparse.Namespace) -> None:
    store = open_store(url, folder)
    fill(store, options.trials, options.epochs)
    fill(store, 40, options.epochs, name="small")
    store.close()
    environment = os.environ | {"MARSEARCH_STORAGE": url, "MARSEARCH_ARTIFACTS": folder, "MARSEARCH_HOME": folder}
    rounds = [{kind: processor_s(*asked, environment) for kind, asked in KINDS.items()} for _ in range(options.rounds)]
    least = {kind: min(each[kind] for each in rounds) for kind in KINDS}
    print(f"{options.trials} trials of {options.epochs} epochs, the least of {options.rounds} runs")
    print(f"{'':26}{'cpu s':>8}{'ratio':>8}")
    for kind, seconds in least.items():
        print(f"{kind:26}{seconds:8.2f}{seconds / least['every trial read whole']:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(options.url or f"sqlite:///{folder}/large.db", folder, options)


if __name__ == "__main__":
    main()
