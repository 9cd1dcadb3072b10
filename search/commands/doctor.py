"""A look at everything a search needs, each with the command that fixes it when it is not well."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version
from io import BytesIO
from pathlib import Path

from search.host.uploads import Outbox
from search.settings import Settings
from search.studies.checkpoints import checkpoints, drop_orphans
from search.worker.connection import COMMAND, child_environment, status_in_words
from search.worker.devices import cores
from search.worker.gpus import unseen_gpus, visible_gpus
from search.worker.process import START_LIMIT
from storage.artifacts.artifact_store import artifact_folder, free_bytes, open_artifacts
from storage.database.status import Condition, Schema, condition
from storage.database.trial_run import SIGNS, cure, try_out
from storage.errors import ArtifactError, StorageError
from storage.store import Store, open_store
from storage.studies.liveness import stale_attempts
from storage.studies.reaper import reap
from storage.studies.studies import list_studies
from storage.temporary_folder import REMEDY, check_temporary_folder

LOW_DISK = 1 << 30  # bytes; a study's weights and checkpoints come to more
CLOCK_S = 5.0  # by so much the clocks of database and hosts may differ before times in reports mislead
FIX = "marsearch doctor --fix"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at.

    what: its name. well: whether it works. detail: what was found. fix: the command or step that helps, "" when well.
    """

    what: str
    well: bool
    detail: str
    fix: str = ""


class _Unwell(RuntimeError):
    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.fix = fix


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything, changing nothing but for a probe that is written and removed again.

    Of a database that cannot be used, what lies in it is left out.
    """
    return (
        _look("installation", _installation, "pip install --force-reinstall marsearch"),
        _look("devices", _devices, "pip install --force-reinstall torch"),
        _look("worker", _worker, "pip install --force-reinstall marsearch"),
        _look("home", lambda: _home(settings.home), "set MARSEARCH_HOME to a folder that can be written"),
        _look("passing files", check_temporary_folder, REMEDY),
        _look("encoding", _encoding, "export LC_ALL=C.UTF-8"),
        _look("artifacts", lambda: _artifacts(settings.artifacts), "set MARSEARCH_ARTIFACTS to another place"),
        *_database(settings),
    )


def fix(settings: Settings) -> Iterator[str]:
    """Bring our schema up to date, hand back stale trials, remove orphaned checkpoints, send files that wait.

    What was done, in sentences, and what kept us from it.
    """
    try:
        with closing(open_store(settings.storage, settings.artifacts)) as store:
            for study in list_studies(store):
                if numbers := reap(store, study):
                    yield f"study {study}: trials {_listed(numbers)} went back to the queue"
            if removed := drop_orphans(store, settings.home):
                yield f"{removed} orphaned checkpoints are removed"
            if sent := Outbox(store, settings.home).deliver():
                yield f"{sent} files that waited for the artifact store are there"
    except StorageError as error:
        yield f"nothing more can be fixed: {error}"


def _look(what: str, find: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(what=what, well=True, detail=find())
    except (StorageError, RuntimeError, OSError, ImportError) as error:
        own = error.fix if isinstance(error, _Unwell) else fix
        return Finding(what=what, well=False, detail=" ".join(str(error).split()), fix=own)


def _installation() -> str:
    names = ("search", "spaces", "storage")
    folders = {name: Path(import_module(name).__file__ or "").parents[1] for name in names}
    ours = folders["search"]
    for name, folder in folders.items():
        fix = f"pip uninstall {name}, then pip install --force-reinstall --no-deps marsearch"
        if folder != ours:
            raise _Unwell(f"the package {name} comes from {folder}, not from {ours}", fix)
        with suppress(PackageNotFoundError):
            # The package index has an unrelated `spaces`, which writes its files over ours.
            raise _Unwell(f"another distribution is installed that is called {distribution(name).name}", fix)
    return f"marsearch {version('marsearch')}, packages in {ours}"


def _devices() -> str:
    import torch

    gpus = visible_gpus()
    if wrong := unseen_gpus():
        raise _Unwell(wrong, "unset CUDA_VISIBLE_DEVICES")
    if gpus and not torch.cuda.is_available():
        raise RuntimeError(f"{len(gpus)} NVIDIA GPUs, but torch {torch.__version__} was built without CUDA for them")
    return f"torch {torch.__version__}, {cores()} cores, {len(gpus)} CUDA devices"


def _worker() -> str:
    """Start a worker that has nothing to do, as a host does: it ends by itself."""
    try:
        done = subprocess.run(
            COMMAND,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=child_environment(),
            timeout=START_LIMIT,
            check=False,
        )
    except OSError as error:
        fix = "raise the limits of processes and memory (ulimit -u, ulimit -v), or end other programs"
        raise _Unwell(f"no process can be started ({error.strerror or error})", fix) from error
    except subprocess.TimeoutExpired as error:
        raise _Unwell(f"a worker does not start within {START_LIMIT:.0f} s", "use a faster disk for Python") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        told = "; ".join([status_in_words(done.returncode), *last])
        fix = "correct PYTHONPATH and what it names, or pip install --force-reinstall marsearch"
        raise _Unwell(f"a worker process does not start ({told})", fix)
    return "a worker process starts"


def _encoding() -> str:
    encoding = sys.getfilesystemencoding()
    try:
        SIGNS.encode(encoding)
    except UnicodeEncodeError:
        raise RuntimeError(f"names of files are written in {encoding}, which lacks most signs") from None
    return f"names of files are written in {encoding}"


def _home(home: Path) -> str:
    return _folder(home, "set MARSEARCH_HOME elsewhere")


def _folder(folder: Path, fix: str) -> str:
    """Write a probe into the folder, or into the one in which it would be made: a look makes none."""
    there = folder.exists()
    nearest = folder if there else next(parent for parent in folder.absolute().parents if parent.exists())
    probe = nearest / f".doctor-{uuid.uuid4().hex}"
    probe.write_bytes(b"well")
    probe.unlink()
    can = "can be written" if there else "can be made"
    return f"{folder} {can}, {_room(shutil.disk_usage(nearest).free, str(folder), fix)}"


def _artifacts(url: str) -> str:
    smaller = "marsearch study delete STUDY --yes, of one nobody needs"
    if (folder := artifact_folder(url)) is not None and not folder.exists():
        return _folder(folder, smaller)
    artifacts = open_artifacts(url)
    probe = f"doctor-{uuid.uuid4().hex}"
    artifacts.write(probe, BytesIO(b"well"))
    artifacts.remove(probe)
    free = free_bytes(artifacts)
    room = "" if free is None else f", {_room(free, url, smaller)}"
    return f"{url} can be written{room}"


def _room(free: int, place: str, fix: str) -> str:
    if free < LOW_DISK:
        raise _Unwell(f"{place} has only {free / 1e6:.0f} MB free: checkpoints and weights will not fit", fix)
    return f"{free / 1e9:.0f} GB free"


def _database(settings: Settings) -> list[Finding]:
    """The database itself; when it answers, its schema and its clock, and what lies in it where the schema is ours."""
    seen: list[Condition] = []
    url = settings.storage

    def reach() -> str:
        seen.append(condition(url))
        return f"{seen[0].url}, {'no study yet' if seen[0].empty else f'answers in {seen[0].answer_s * 1e3:.1f} ms'}"

    first = _look_into(url, "database", reach)
    if not seen:
        return [first]
    if seen[0].empty:
        return [first, _look_into(url, "writing", lambda: try_out(url))]
    migrations = _look("migrations", lambda: _migrations(seen[0]), FIX)
    clock = _look("clock", lambda: _clock(seen[0].clock_s), "timedatectl set-ntp true")
    if not migrations.well:
        return [first, migrations, clock]
    writing = _look_into(url, "writing", lambda: try_out(url))
    return [first, writing, migrations, clock, *(_left_behind(settings) if writing.well else ())]


def _look_into(url: str, what: str, find: Callable[[], str]) -> Finding:
    """Look at something of the database, whose own words say what mends it."""
    finding = _look(what, find, "start its server, or set MARSEARCH_STORAGE to another (docs/settings.md)")
    mend = "" if finding.well else cure(url, finding.detail)
    return replace(finding, fix=mend) if mend else finding


def _migrations(found: Condition) -> str:
    _newest("marsearch", found.ours, FIX)
    _newest("Optuna", found.optunas, 'optuna storage upgrade --storage "$MARSEARCH_STORAGE"')
    return f"schema {found.ours.newest}, Optuna's {found.optunas.newest}"


def _newest(whose: str, schema: Schema, fix: str) -> None:
    if schema.found not in (None, *schema.known):
        text = f"{whose}'s tables are of revision {schema.found}, which is newer than the installed {whose}"
        raise _Unwell(text, f"pip install --upgrade {whose.lower()}")
    if schema.found != schema.newest:
        raise _Unwell(f"{whose}'s tables are of revision {schema.found}, not {schema.newest}", fix)


def _clock(ahead: float) -> str:
    if abs(ahead) > CLOCK_S:
        way = "ahead of" if ahead > 0 else "behind"
        raise RuntimeError(f"the database's clock is {abs(ahead):.0f} s {way} this machine's")
    return f"{abs(ahead):.1f} s between the database's and this machine's"


def _left_behind(settings: Settings) -> list[Finding]:
    """What lies in a database that answers; nothing when the artifacts cannot be opened, a finding of its own."""
    with suppress(ArtifactError), closing(open_store(settings.storage, settings.artifacts, purpose="look")) as store:
        return [
            _look("stale trials", lambda: _stale(store), FIX),
            _look("checkpoints", lambda: _checkpoints(store, settings.home), FIX),
            _look("outbox", lambda: _outbox(store, settings.home), FIX),
        ]
    return []


def _stale(store: Store) -> str:
    found = {study: [stale.trial for stale in stale_attempts(store, study)] for study in list_studies(store)}
    which = "; ".join(f"study {study}: {_listed(numbers)}" for study, numbers in found.items() if numbers)
    if which:
        raise RuntimeError(f"running, but their workers are gone: {which}")
    return "every running trial has its worker"


def _checkpoints(store: Store, home: Path) -> str:
    found = Counter(checkpoints(store, home).values())
    others = f", {found['foreign']} of other databases or deleted studies" if found["foreign"] else ""
    if found["orphaned"]:
        raise RuntimeError(f"{found['orphaned']} are of trials that have ended{others}")
    return f"{found['used']} of trials that go on or were pruned last{others}"


def _outbox(store: Store, home: Path) -> str:
    waiting = Outbox(store, home).waiting()
    if waiting:
        raise RuntimeError(f"{len(waiting)} files wait in {home / 'outbox'} for the artifact store, {waiting[0]} first")
    return "nothing waits for the artifact store"


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
