"""A host of the study `tiny` in the process of the test, and what it left in the database."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial
from rich.console import Console

from search.host.context import Timing, WorkOptions
from search.host.progress import Progress
from search.studies.checkpoints import local_path, stem_of
from search.training.epoch import EpochRecord
from search.worker.checkpoint_file import epoch_of
from storage.store import Store
from storage.studies.attempts import attempts
from storage.studies.epochs import curve
from support.waiting import wait_for

# A host whose workers write a checkpoint after every epoch, and whose trials count as lost after a few seconds.
EAGER = Timing(reap=1.0, heartbeat=1.0, checkpoint=0.0)


def order(home: Path, **changes: object) -> WorkOptions:
    known = WorkOptions(study="tiny", workers=1, trials=None, timeout=None, device="cpu", home=home)
    return replace(known, **changes)  # type: ignore[arg-type]


def quiet(lines: StringIO | None = None) -> Progress:
    return Progress("tiny", Console(file=lines or StringIO(), width=200))


def trials_of(store: Store, study: str = "tiny") -> list[FrozenTrial]:
    return optuna.load_study(study_name=study, storage=store.trials).get_trials()


def epochs_of(store: Store, trial: int = 0) -> int:
    return (
        len(curve(store, "tiny", trial, EpochRecord))
        if any(run.trial == trial for run in attempts(store, "tiny"))
        else 0
    )


def wait_for_checkpoint(store: Store, home: Path) -> None:
    """Wait until the first trial has told of its fourth epoch and has written it down."""
    wait_for(lambda: epochs_of(store) == 4)
    wait_for(lambda: epoch_of(local_path(home, stem_of(store, "tiny"), 0)) == 4)
