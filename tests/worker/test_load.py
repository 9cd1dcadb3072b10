"""How busy a machine is, as its host tells it."""

from __future__ import annotations

from pathlib import Path

import pynvml
import pytest

from search.worker.devices import device_slots
from search.worker.driver import GpuLoad, gpu_loads
from search.worker.load import MachineLoad
from support.driver import Card, Driver


def test_each_gpu_that_is_trained_on_is_measured_once(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    part = Card(uuid="MIG-1", memory=10.0, free=4.0, busy=None)  # of a part the driver tells no load
    driver(Card(uuid="GPU-1", memory=24.0, free=18.0, busy=0.25), Card(uuid="GPU-2", parts=(part,)))
    load = MachineLoad(device_slots("cuda", 4, Path()))
    assert load.devices == ()
    load.measure()
    processors, *gpus = load.devices
    assert processors.name == "cpu"
    assert 0 <= processors.busy <= 1
    assert [(gpu.name, gpu.busy, gpu.used_gb, gpu.total_gb) for gpu in gpus] == [
        ("card GPU-1", 0.25, 6.0, 24.0),
        ("card MIG-1", None, 6.0, 10.0),
    ]


def test_a_gpu_that_is_lost_hides_no_other(driver: Driver) -> None:
    driver(Card(uuid="GPU-1", lost=True), Card(uuid="GPU-2", memory=None))
    lost, silent, gone = gpu_loads(["GPU-1", "GPU-2", "GPU-3"])
    assert lost == GpuLoad(name="GPU-1", busy=None, used_gb=None, total_gb=None)
    assert silent == GpuLoad(name="card GPU-2", busy=0.5, used_gb=None, total_gb=None)
    assert gone == GpuLoad(name="GPU-3", busy=None, used_gb=None, total_gb=None)
    [by_place] = gpu_loads(["1"])
    assert by_place == silent


def test_without_a_driver_the_processors_are_all(driver: Driver) -> None:
    driver(error=pynvml.NVML_ERROR_DRIVER_NOT_LOADED)
    assert gpu_loads(["GPU-1"]) == ()
    assert gpu_loads([]) == ()
