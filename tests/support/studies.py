"""Studies to begin with: space files of tiny networks, the stored row of a study, and rows beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from sqlalchemy import select
from sqlalchemy.orm import Session

from search.training.epoch import EpochRecord
from storage.database.optuna_schema import trial_id_of
from storage.database.schema import AttemptTable, HostTable
from storage.process_identity import ProcessIdentity
from storage.store import Store
from storage.studies.attempts import Ending, Holder, claim_trial, settle
from storage.studies.config import StudyConfig
from storage.studies.datasets import DatasetRecord
from storage.studies.hosts import HostInfo, TrainingProgress, heartbeat, register

from .spaces import fixed_space

TINY_SPACE = """
model: {family: unet, depth: 2, filters: 4, growth: 1.0, block: plain, decoder_block: same, bottleneck: plain,
        skip: concat, norm: [batch, none], dropout: 0.0, dropout_place: every_block, squeeze: nowhere,
        upsampling: nearest}
loss: {bce: null, boundary: null, lovasz: null, tversky: null, mae: null}
augment: {noise: 0.0, blur: 0.0, brightness: 0.0, contrast: 0.0, geometry: null, mixing: null}
optimisation: {optimizer: adamw, batch_size: 16, lr: {low: 1e-3, high: 1e-2, log: true}, schedule: none}
data: {oversample: null}
"""
GRID = fixed_space("model: {depth: [2, 3], norm: [batch, none], filters: 4}")  # four points
LONG_SPACE = TINY_SPACE.replace("batch_size: 16", "batch_size: 4, patience: 2000")  # trains as long as it is told to

Inputs = tuple[StudyConfig, Path]  # what `create` takes: a configuration without its derived fields, and the data

STUDY = StudyConfig(
    study="mars",
    data_digest="d" * 64,
    space_digest="e" * 64,
    space="model: {family: unet}\n",
    facts='{"channels": 1, "height": 24, "width": 32, "class_names": ["a", "b"]}',
    sampler="tpe",
    pruner="asha",
    objective="miou",
    trials=12,
    epochs=6,
    warm_start="none",
    holdout=0.0,
    keep=20,
    seed=0,
    split='{"train": [0], "validation": [1], "holdout": [], "method": "stratified", "seed": 0}',
    domains="{}",
)
DATASET = DatasetRecord(
    digest="d" * 64,
    path_hint="mars.npz",
    samples=2,
    tests=0,
    height=8,
    width=8,
    channels=1,
    class_names=("a", "b"),
    class_shares=(0.5, 0.5),
    artifact_id="dataset-d.npz",
)
EPOCH = EpochRecord(
    number=1,
    train_loss=0.5,
    validation_loss=0.6,
    miou=0.5,
    miou_strict=0.4,
    accuracy=0.75,
    iou=(0.1, 0.2),
    lr=1e-3,
    seconds=1.0,
    memory_mb=1.0,
)


def study_row(**changes: Any) -> StudyConfig:
    """The stored row of the study `mars`."""
    return replace(STUDY, **changes)


ELSEWHERE = ProcessIdentity(machine="00000000", pid=1, start="1")  # a process that nobody here can see


def host_row(**changes: Any) -> HostInfo:
    """A host of another machine."""
    known = {"id": "w", "study": "mars", "name": "elsewhere", "process": ELSEWHERE, "device": "cpu", "workers": 1}
    return HostInfo(**known | changes)


def add_host(store: Store, *, silent_s: float = 0.0, training: Sequence[TrainingProgress] = (), **changes: Any) -> str:
    """Register a host that was heard of so long ago; its id."""
    host = host_row(**changes)
    register(store, host)
    heartbeat(store, host.id, training)
    fall_silent(store, silent_s, host.id)
    return host.id


def fall_silent(store: Store, seconds: float, host: str = "w") -> None:
    """Make what the host and its attempts last wrote older by so much."""
    earlier = timedelta(seconds=seconds)

    def work(session: Session) -> None:
        for row in session.scalars(select(HostTable).where(HostTable.id == host)):
            row.heartbeat, row.started = row.heartbeat - earlier, row.started - earlier
        for attempt in session.scalars(select(AttemptTable).where(AttemptTable.host == host)):
            attempt.heard -= earlier

    store.transact(work)


def begin(store: Store, study: str = "mars", host: str = "w", device: str = "cpu") -> optuna.Trial:
    """The next trial of the study, claimed by this host."""
    trial = claim_trial(optuna.load_study(study_name=study, storage=store.trials), Holder(host=host, device=device))
    assert trial is not None
    return trial


def end(store: Store, trial: optuna.Trial, host: str = "w", **ending: Any) -> bool:
    """Settle the trial as its host; whether it still was its host's."""
    frozen = store.trials.get_trial(trial_id_of(trial))
    return settle(store, trial.study, frozen, host, Ending(**ending))


def add_every_kind(study: optuna.Study) -> None:
    """Nine trials, one of each kind that is counted or ranked in its own way; the second is the best one."""
    complete, failed, waiting = TrialState.COMPLETE, TrialState.FAIL, TrialState.WAITING
    first = len(study.get_trials(deepcopy=False))
    kinds: tuple[dict[str, Any], ...] = (
        {"state": complete, "value": 0.5, "user_attrs": {"parameters": 200}, "constraints": {"params": -1.0}},
        {"state": complete, "value": 0.5, "user_attrs": {"parameters": 100, "miou": 0.5}},
        {"state": complete, "value": 0.9, "constraints": {"params": -1.0, "gpu_gb": 0.5}},
        {"state": TrialState.PRUNED, "intermediate_values": {1: 0.7, 3: 0.8}},
        {"state": failed, "user_attrs": {"reason": "its host died"}},
        {"state": failed, "user_attrs": {"reason": "diverged"}},
        {"state": waiting, "system_attrs": {"retry_history": [first + 4]}},
        {"state": TrialState.RUNNING, "intermediate_values": {1: 0.4}},
        {"state": waiting, "system_attrs": {"fixed_params": {}}},
    )
    for kind in kinds:
        study.add_trial(optuna.create_trial(**kind))
