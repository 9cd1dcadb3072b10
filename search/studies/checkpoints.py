"""How checkpoints are named, on a host and in the artifact store, and which of them are needed.

A name holds the study's row, which is the same however a host reaches the database, and the trial's first attempt, so
that each retry goes on where the one before was cut off.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from optuna.trial import FrozenTrial

from search.worker.checkpoint_file import remove_checkpoint
from storage.artifacts.artifact_store import artifact_ids, remove_all
from storage.store import Store
from storage.studies.control import Deleted, delete_study
from storage.studies.studies import find_study, list_studies, trials_of
from storage.trials.queries import best_pruned
from storage.trials.retries import first_attempt
from storage.trials.trial_times import utc

FOLDER = "checkpoints"  # in a host's home
KEPT_PRUNED = 3  # the best pruned trials whose checkpoints stay in the artifact store
SETTLED = timedelta(minutes=2)  # a trial that ended just now may still be clearing up after itself

_NAME = re.compile(r"(?:checkpoint-)?(?P<stem>[0-9a-f]+)-(?P<first>[0-9]+)\.safetensors")

Need = Literal["used", "orphaned", "foreign"]


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


def checkpoints(store: Store, home: Path) -> dict[Path | str, Need]:
    """The files of this host and the ids of artifacts that are checkpoints, and whether a trial needs them.

    used: of trials that go on, or of the best pruned ones. orphaned: of other trials of our studies.
    foreign: of no study in this database; they may be another database's. Raises ArtifactError.
    """
    files: list[Path | str] = [*(home / FOLDER).glob("*.safetensors"), *artifact_ids(store.artifacts, "checkpoint-")]
    named = {file: _NAME.fullmatch(Path(file).name) for file in files}
    stems = {name["stem"] for name in named.values() if name is not None}
    known = {stem_of(store, study): study for study in list_studies(store)}
    wanted = {stem: needed(trials_of(store, study)) for stem, study in known.items() if stem in stems}
    return {file: _need(name, wanted) for file, name in named.items()}


def drop_orphans(store: Store, home: Path) -> int:
    """Remove the checkpoints that no trial needs, and only those; how many there were."""
    orphans = [file for file, need in checkpoints(store, home).items() if need == "orphaned"]
    for file in orphans:
        if isinstance(file, Path):
            remove_checkpoint(file)
    remove_all(store.artifacts, [file for file in orphans if isinstance(file, str)])
    return len(orphans)


def remove_study(store: Store, home: Path, study: str, *, force: bool) -> Deleted:
    """Delete a study with its checkpoints, here and in the artifact store. Raises as `delete_study`."""
    stem = stem_of(store, study)
    deleted = delete_study(store, study, force=force, also=artifact_ids(store.artifacts, f"checkpoint-{stem}-"))
    local = list((home / FOLDER).glob(f"{stem}-*.safetensors"))
    for file in local:
        remove_checkpoint(file)
    return replace(deleted, files=deleted.files + len(local))


def _need(name: re.Match[str] | None, wanted: Mapping[str, set[int]]) -> Need:
    if name is None or name["stem"] not in wanted:
        return "foreign"
    return "used" if int(name["first"]) in wanted[name["stem"]] else "orphaned"
