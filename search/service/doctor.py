"""A look at everything a search needs, each with what to do when it is not well."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from search.service.devices import cores, visible_gpus
from search.settings import Settings
from storage.engine import redact
from storage.errors import StorageError
from storage.store import open_store


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. what: its name. well: whether it works. detail: what was found, or what to do."""

    what: str
    well: bool
    detail: str


def examine(settings: Settings) -> tuple[Finding, ...]:
    """Look at installation, devices, database and artifact store."""
    return (
        _look("installation", _installation),
        _look("devices", _devices),
        _look("storage", lambda: _storage(settings)),
    )


def _look(what: str, find: Callable[[], str]) -> Finding:
    try:
        return Finding(what=what, well=True, detail=find())
    except (StorageError, RuntimeError, OSError, ImportError) as error:
        return Finding(what=what, well=False, detail=" ".join(str(error).split()))


def _installation() -> str:
    import search
    import spaces

    ours, others = Path(search.__file__ or "").parents[1], Path(spaces.__file__ or "").parents[1]
    if ours != others:
        # The package index has an unrelated `spaces`, which would hide ours.
        raise RuntimeError(f"the package spaces comes from {others}, not from {ours}: pip uninstall spaces")
    return f"packages in {ours}"


def _devices() -> str:
    import torch

    gpus = visible_gpus()
    if gpus and not torch.cuda.is_available():
        raise RuntimeError(f"{len(gpus)} NVIDIA GPUs, but torch {torch.__version__} was built without CUDA for them")
    return f"torch {torch.__version__}, {cores()} cores, {len(gpus)} CUDA devices"


def _storage(settings: Settings) -> str:
    store = open_store(settings.storage, settings.artifacts)
    probe = f"doctor-{uuid.uuid4().hex}"
    store.artifacts.write(probe, BytesIO(b"well"))
    store.artifacts.remove(probe)
    return f"{redact(settings.storage)}, artifacts in {settings.artifacts}"
