"""What searches leave behind when they are cut off: trials without a worker, checkpoints that nobody needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from search.studies.checkpoint_names import FOLDER, needed, stem_of
from search.worker.checkpoint_file import remove_checkpoint
from storage.artifacts.artifact_store import artifact_ids, remove_all
from storage.store import Store
from storage.studies.control import Deleted, delete_study
from storage.studies.liveness import stale_trials_of
from storage.studies.reaper import reap
from storage.studies.studies import list_studies

ARTIFACT = "checkpoint-"  # how the names of checkpoints begin in the artifact store

_NAME = re.compile(r"(?:checkpoint-)?(?P<stem>[0-9a-f]+)-(?P<origin>[0-9]+)\.safetensors")


@dataclass(frozen=True, kw_only=True)
class Checkpoints:
    """The names of checkpoints in one place, by whether anybody needs them.

    used: of trials that go on, or of the best pruned ones. orphaned: of other trials of our studies.
    foreign: of no study in this database; they may be another database's.
    """

    used: tuple[str, ...]
    orphaned: tuple[str, ...]
    foreign: tuple[str, ...]


def stale_trials(store: Store) -> dict[str, tuple[int, ...]]:
    """By study, the running trials whose worker is gone; studies without any are left out."""
    found = {study: stale_trials_of(store, study) for study in list_studies(store)}
    return {study: numbers for study, numbers in found.items() if numbers}


def take_up(store: Store) -> dict[str, tuple[int, ...]]:
    """Hand the stale trials of every study back to its queue; their numbers by study."""
    taken = {study: reap(store, study) for study in list_studies(store)}
    return {study: numbers for study, numbers in taken.items() if numbers}


def checkpoints(store: Store, home: Path) -> tuple[Checkpoints, Checkpoints]:
    """The checkpoints on this host, and those in the artifact store. Raises ArtifactError when that fails."""
    local = sorted(path.name for path in (home / FOLDER).glob("*.safetensors"))
    kept = artifact_ids(store.artifacts, ARTIFACT)
    stems = {parts["stem"] for parts in map(_NAME.fullmatch, (*local, *kept)) if parts is not None}
    known = {stem_of(store, study): study for study in list_studies(store)}
    wanted = {stem: needed(_trials(store, known[stem])) for stem in stems & set(known)}
    return _sorted(local, wanted), _sorted(kept, wanted)


def drop_orphans(store: Store, home: Path) -> int:
    """Remove the checkpoints that nobody needs, and only those; how many there were."""
    local, kept = checkpoints(store, home)
    _drop_local(home, local.orphaned)
    remove_all(store.artifacts, kept.orphaned)
    return len(local.orphaned) + len(kept.orphaned)


def remove_study(store: Store, home: Path, study: str, *, force: bool) -> Deleted:
    """Delete a study with its checkpoints, here and in the artifact store. Raises as `delete_study`."""
    stem = stem_of(store, study)
    deleted = delete_study(store, study, force=force, also=artifact_ids(store.artifacts, f"{ARTIFACT}{stem}-"))
    local = sorted(path.name for path in (home / FOLDER).glob(f"{stem}-*.safetensors"))
    _drop_local(home, local)
    return replace(deleted, files=deleted.files + len(local))


def _sorted(names: Iterable[str], wanted: Mapping[str, set[int]]) -> Checkpoints:
    found: dict[str, list[str]] = {"used": [], "orphaned": [], "foreign": []}
    for name in names:
        parts = _NAME.fullmatch(name)
        if parts is None or parts["stem"] not in wanted:
            found["foreign"].append(name)
        else:
            found["used" if int(parts["origin"]) in wanted[parts["stem"]] else "orphaned"].append(name)
    return Checkpoints(**{kind: tuple(those) for kind, those in found.items()})


def _trials(store: Store, study: str) -> list[FrozenTrial]:
    return optuna.load_study(study_name=study, storage=store.trials).get_trials(deepcopy=False)


def _drop_local(home: Path, names: Iterable[str]) -> None:
    for name in names:
        remove_checkpoint(home / FOLDER / name)
