"""What a study was created to do, and the data sets that studies look at."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.study import StudyDirection
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from storage.database.engine import alone, plainly
from storage.database.schema import AttemptTable, DatasetTable, EpochTable, HostTable, StudyTable, put
from storage.errors import StudyError
from storage.store import Store

METRIC = "val mIoU"
LONGEST_NAME = 500  # characters of a study's name; Optuna's column takes 512
FIXED = (
    "data_digest",
    "space_digest",
    "sampler",
    "pruner",
    "objective",
    "epochs",
    "holdout",
    "seed",
    "max_params",
    "max_gpu_gb",
)
SHOWN = ("space_digest", "data_digest", "sampler", "pruner", "objective", "trials", "epochs", "seed")


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """What all workers of a study must agree on. Only `trials` and `keep` may change later.

    study: the study's name, also in Optuna.
    data_digest, space_digest: sha256 of the data set and of the search space bound to it.
    space: the narrowed space as YAML, as it was given; may be empty.
    facts: the data's facts as JSON.
    sampler, pruner, objective: their names.
    trials: the target of finished trials over all workers.
    epochs: the epochs of each training.
    warm_start: what is tried first: "reports", "none" or a file's name.
    holdout: the share of samples (0 to 1) that no trial sees.
    keep: for how many of the best trials the weights are kept.
    seed: of the sampler, the split and every trial's own generator.
    split: JSON of the index lists, the method and the seed.
    max_params: the most trainable numbers a recipe may have; None for no limit.
    max_gpu_gb: the most GPU memory in GiB its training may take; None for what the device has.
    domains: what the space allows on each axis, as `spaces.dump_domains` writes it.
    """

    study: str
    data_digest: str
    space_digest: str
    space: str
    facts: str
    sampler: str
    pruner: str
    objective: str
    trials: int
    epochs: int
    warm_start: str
    holdout: float
    keep: int
    seed: int
    split: str
    max_params: int | None = None
    max_gpu_gb: float | None = None
    domains: str


@dataclass(frozen=True, kw_only=True)
class DatasetRecord:
    """A data set as studies remember it.

    digest: sha256 of the contents.
    path_hint: the name of the file it came from, without folders.
    samples, tests: the numbers of labelled and of test images.
    height, width, channels: of every image, pixels and 1 or 3.
    class_names: in label order.
    class_shares: each class's share of the labelled pixels, 0 to 1.
    artifact_id: under which the file is kept in the artifact store.
    """

    digest: str
    path_hint: str
    samples: int
    tests: int
    height: int
    width: int
    channels: int
    class_names: tuple[str, ...]
    class_shares: tuple[float, ...]
    artifact_id: str


def check_name(study: str) -> None:
    """Raise StudyError for a name that some database or terminal cannot write; any other one is as good as another."""
    if not study.strip() or len(study) > LONGEST_NAME:
        raise StudyError(f"a study's name has 1 to {LONGEST_NAME} characters, got {len(study)}: choose another")
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in study):
        raise StudyError(f"the study's name {study!r:.80} holds characters that cannot be written: choose another")


def create_study(store: Store, config: StudyConfig) -> bool:
    """Create the study in Optuna (maximise) and write its config; True when it is new.

    False when the same study exists: then only its `trials` and `keep` are brought up to date.
    Raises StudyError naming what differs, or when a study of that name is not ours.
    """
    check_name(config.study)
    created = datetime.now(UTC)  # before the first try: a config of that moment is ours
    with _answers(store), alone(store.engine, store.patience):
        try:
            study_id = store.trials.create_new_study([StudyDirection.MAXIMIZE], config.study)
        except DuplicatedStudyError:
            study_id = store.trials.get_study_id_from_name(config.study)
            if _continue(store, study_id, config):
                return False
        store.transact(lambda session: _write(session, study_id, config, created))
        _describe(store, study_id, config)
        return True


def load_config(store: Store, study: str) -> StudyConfig:
    """The config that the study was created with. Raises StudyError for an unknown study, naming the known ones."""
    return _config(find_study(store, study)[1])


def existing_config(store: Store, study: str) -> StudyConfig | None:
    """The config of that study; None when there is no such study of ours. Raises StudyError for an impossible name."""
    check_name(study)
    try:
        return load_config(store, study)
    except StudyError:
        return None


def list_studies(store: Store) -> tuple[str, ...]:
    """The names of the studies in this store, sorted."""
    ours = store.transact(lambda session: set(session.scalars(select(StudyTable.study))))
    with _answers(store):
        return tuple(sorted(study.study_name for study in store.trials.get_all_studies() if study.study_name in ours))


def study_id(store: Store, study: str) -> int:
    """Optuna's id of the study, which our tables use. Raises StudyError for an unknown study."""
    return find_study(store, study)[0]


def find_study(store: Store, study: str) -> tuple[int, StudyTable]:
    """Optuna's id of the study and its row. Raises StudyError for an unknown study, naming the known ones."""
    check_name(study)
    try:
        with _answers(store):
            found = store.trials.get_study_id_from_name(study)
        row = store.transact(lambda session: session.get(StudyTable, found))
    except KeyError:
        row = None
    if row is None or row.study != study:
        known = ", ".join(list_studies(store)) or "no study yet"
        raise StudyError(
            f"unknown study {study!r} in {store.url} (it has: {known}); create it, or set MARSEARCH_STORAGE to another"
        )
    return row.study_id, row


def put_dataset(store: Store, record: DatasetRecord) -> None:
    """Remember a data set; the same digest again replaces what was said of it."""
    values = asdict(record) | {
        "class_names": list(record.class_names),
        "class_shares": list(record.class_shares),
        "created": datetime.now(UTC),
    }
    store.transact(lambda session: put(session, DatasetTable, values, ["digest"]))


def get_dataset(store: Store, digest: str) -> DatasetRecord:
    """The data set of that digest. Raises StudyError when the store does not know it."""
    row = store.transact(lambda session: session.get(DatasetTable, digest))
    if row is None:
        raise StudyError(f"no data set with digest {digest[:12]} in {store.url}: create a study with it first")
    values = _values(row, DatasetRecord)
    return DatasetRecord(
        **values | {"class_names": tuple(row.class_names), "class_shares": tuple(row.class_shares)},
    )


@contextmanager
def _answers(store: Store) -> Iterator[None]:
    """Optuna wraps what the database says into an error of its own: unwrap it."""
    with plainly(store.url):
        try:
            yield
        except StorageInternalError as error:
            raise (error.__cause__ or error) from error


def _continue(store: Store, study_id: int, config: StudyConfig) -> bool:
    """Bring the existing config up to date; False when there is none to continue and nothing was tried yet."""
    row = store.transact(lambda session: session.get(StudyTable, study_id))
    if row is None or row.study != config.study:
        # A creator that died between Optuna's tables and ours leaves an empty study, which is finished here.
        if store.trials.get_n_trials(study_id):
            raise StudyError(f"study {config.study!r} in {store.url} was not created by marsearch: use another name")
        return False
    _check_same(_config(row), config, store.url)
    if (row.trials, row.keep) != (config.trials, config.keep):
        changed = (
            update(StudyTable).where(StudyTable.study_id == study_id).values(trials=config.trials, keep=config.keep)
        )
        store.transact(lambda session: session.execute(changed))
    told = store.trials.get_study_user_attrs(study_id)
    if any(told.get(name) != getattr(config, name) for name in SHOWN):
        _describe(store, study_id, config)
    return True


def _check_same(old: StudyConfig, new: StudyConfig, url: str) -> None:
    differing = [name for name in FIXED if getattr(old, name) != getattr(new, name)]
    if differing:
        what = ", ".join(f"{name} {_short(getattr(old, name))}, not {_short(getattr(new, name))}" for name in differing)
        raise StudyError(f"study {new.study!r} exists in {url} with {what}: use the same again, or another study name")


def _short(value: Any) -> str:
    return value[:12] if isinstance(value, str) else str(value)


def _describe(store: Store, study_id: int, config: StudyConfig) -> None:
    """Say in Optuna's own tables what the study is, for the dashboard and anyone with plain Optuna."""
    store.trials.set_study_system_attr(study_id, "study:metric_names", [METRIC])  # what Study.set_metric_names does
    for name in SHOWN:
        store.trials.set_study_user_attr(study_id, name, getattr(config, name))


def _write(session: Session, study_id: int, config: StudyConfig, created: datetime) -> None:
    """Write the config, unless an earlier try did so and only its answer was lost."""
    row = session.get(StudyTable, study_id)
    if row is not None and (row.study, row.created) == (config.study, created):
        return
    _forget(session, study_id, config.study)
    session.add(StudyTable(study_id=study_id, created=created, **asdict(config)))


def _forget(session: Session, study_id: int, study: str) -> None:
    """Remove what a study deleted through plain Optuna left behind: SQLite gives its id to the next one."""
    old = set(session.scalars(select(StudyTable.study_id).where(StudyTable.study == study))) | {study_id}
    runs = select(AttemptTable.trial_id).where(AttemptTable.study_id.in_(old))
    session.execute(delete(EpochTable).where(EpochTable.trial_id.in_(runs)))
    for table in (AttemptTable, HostTable, StudyTable):
        session.execute(delete(table).where(table.study_id.in_(old)))


def _config(row: StudyTable) -> StudyConfig:
    return StudyConfig(**_values(row, StudyConfig))


def _values(row: Any, kind: type[Any]) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(kind)}
