"""What every new host pays once: all trials of a large study, read by ours and by plain Optuna from the same database.

Each reads in a process of its own. Without --url the database is an SQLite file of the run; another must be empty.

    python benchmarks/cold_study.py [--trials 10000] [--epochs 50] [--url URL]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

from large_study import STUDY, fill
from optuna.storages import RDBStorage, get_storage

from storage.store import open_store
from storage.trials.trial_storage import TrialStorage

KINDS = ("marsearch", "plain Optuna")


def read(kind: str, url: str) -> dict[str, Any]:
    """Read the study as a host does, with an empty cache."""
    storage = TrialStorage(url) if kind == KINDS[0] else RDBStorage(url)
    number, cached = storage.get_study_id_from_name(STUDY), get_storage(storage)
    busy, began = time.process_time(), time.perf_counter()
    trials = cached.get_all_trials(number, deepcopy=False)
    return {
        "trials": len(trials),
        "cpu_s": time.process_time() - busy,
        "clock_s": time.perf_counter() - began,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def compare(url: str, trials: int, epochs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(url or f"sqlite:///{folder}/large.db", folder)
        fill(store, trials, epochs)
        store.close()
        command = [sys.executable, "-W", "ignore", __file__, "--url", url or f"sqlite:///{folder}/large.db", "--read"]
        print(f"{trials} trials of {epochs} epochs, read at once")
        print(f"{'':14}{'cpu s':>10}{'clock s':>10}{'MiB':>10}")
        for kind in KINDS:
            row = json.loads(subprocess.run([*command, kind], capture_output=True, text=True, check=True).stdout)
            print(f"{kind:14}{row['cpu_s']:10.2f}{row['clock_s']:10.2f}{row['mib']:10.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--url", default="")
    parser.add_argument("--read", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read, options.url)))
    else:
        compare(options.url, options.trials, options.epochs)


if __name__ == "__main__":
    main()
