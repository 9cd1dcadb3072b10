"""How checkpoints are named, on a host and in the artifact store, and which of them are needed.

A name holds the study's row, which is the same however a host reaches the database, and the trial's first attempt, so
that each retry goes on where the one before was cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from storage.store import Store
from storage.studies.studies import find_study
from storage.trials.retries import first_attempt
from storage.trials.trial_times import utc

FOLDER = "checkpoints"  # in a host's home
KEPT_PRUNED = 3  # the best pruned trials whose checkpoints stay in the artifact store
SETTLED = timedelta(minutes=2)  # a trial that ended just now may still be clearing up after itself


def stem_of(store: Store, study: str) -> str:
    """What the names of all checkpoints of a study begin with. Raises StudyError for an unknown study."""
    _, row = find_study(store, study)
    return hashlib.sha256(f"{row.study}|{row.created.isoformat()}".encode()).hexdigest()[:16]


def local_path(home: Path, stem: str, first: int) -> Path:
    """The file of the trial whose first attempt has this number."""
    return (home / FOLDER / f"{stem}-{first}.safetensors").absolute()


def artifact_of(stem: str, first: int) -> str:
    """The artifact of the trial whose first attempt has this number."""
    return f"checkpoint-{stem}-{first}.safetensors"


def needed(trials: Sequence[FrozenTrial]) -> set[int]:
    """The first attempts of the trials of a study whose checkpoints are needed, or were a moment ago."""
    recent = datetime.now(UTC) - SETTLED
    going_on = [t for t in trials if t.datetime_complete is None or utc(t.datetime_complete) > recent]
    return {first_attempt(trial) for trial in (*going_on, *best_pruned(trials)[:KEPT_PRUNED])}


def best_pruned(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The pruned trials that were trained at all, best first."""
    pruned = [t for t in trials if t.state is TrialState.PRUNED and t.value is not None]
    return sorted(pruned, key=lambda t: (-(t.value or 0.0), t.number))
