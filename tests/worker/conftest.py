"""A worker process, and a training for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.training.epoch import EpochRecord
from search.worker.devices import DeviceSlot
from search.worker.process import WorkerProcess
from search.worker.protocol import EpochEnd, Finished, Samples, Train
from support.jobs import RECIPE, all_of, results, told


@pytest.fixture
def slot(tmp_path: Path) -> DeviceSlot:
    return DeviceSlot(name="slot 1", device="cpu", log=tmp_path / "worker.log")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """A worker for the tests that leave it alive."""
    log = tmp_path_factory.mktemp("logs") / "worker.log"
    with WorkerProcess(DeviceSlot(name="slot 1", device="cpu", log=log)) as worker:
        worker.start()
        yield worker


@pytest.fixture
def job(tiny_data: Path, tmp_path: Path) -> Train:
    """A training of 8 epochs; its number is that of the first job of a worker."""
    out = tmp_path / "out"
    out.mkdir()
    return Train(
        job=1,
        recipe=RECIPE,
        samples=Samples(path=str(tiny_data), train=tuple(range(36)), validation=tuple(range(36, 48)), panel=(36, 37)),
        out=str(out),
        device="cpu",
        objective="miou",
    )


@pytest.fixture
def uncut(worker: WorkerProcess, job: Train) -> tuple[list[EpochRecord], tuple[bytes, bytes], int]:
    """What the epochs of an uninterrupted training say, the files it leaves, and its best epoch."""
    messages = all_of(worker, job)
    assert isinstance(messages[-1], Finished)
    return [told(m.record) for m in messages if isinstance(m, EpochEnd)], results(job), messages[-1].best
