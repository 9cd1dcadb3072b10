"""How many workers a host has, and what each gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from search.host.context import WorkOptions
from search.worker.devices import cores, device_slots, quota


@pytest.fixture(autouse=True)
def no_limit(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000\n"}, float("inf")),
        ({"cpu.max": "250000 100000\n"}, 2.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, float("inf")),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4.0),
        ({"cpu.max": "what\n"}, float("inf")),
        ({}, float("inf")),
    ],
)
def test_the_limit_of_a_container_is_read_in_both_ways_it_is_written(tmp_path, files, expected):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert quota(tmp_path) == expected


def test_a_container_that_may_take_less_than_a_core_still_has_one(monkeypatch):
    monkeypatch.setattr("search.worker.devices.quota", lambda folder: 0.5)
    assert cores() == 1


@pytest.mark.parametrize(("set_to", "threads"), [("", 6), ("2", 2), ("0", 6), ("much", 6), ("64", 6)])
def test_no_worker_has_more_threads_than_the_environment_allows(monkeypatch, set_to, threads):
    monkeypatch.setattr("search.worker.devices.cores", lambda: 12)
    monkeypatch.setenv("OMP_NUM_THREADS", set_to)
    found = device_slots("cpu", 2, Path())
    assert [slot.threads for slot in found] == [threads] * 2
    assert {slot.environment["OMP_NUM_THREADS"] for slot in found} == {str(threads)}


@pytest.mark.parametrize(("share", "together"), [(1.0, 1), (0.5, 2), (0.4, 2), (0.333, 3), (1 / 3, 3), (0.1, 10)])
def test_trainings_that_take_part_of_a_gpu_share_it(driver, monkeypatch, share, together):
    driver("GPU-1", "GPU-2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    order = WorkOptions(
        study="x", workers=None, trials=None, timeout=None, device="auto", home=Path(), gpus_per_slot=share
    )
    assert order.on_one_gpu == together
    slots = device_slots("auto", None, Path(), order.on_one_gpu)
    gpus = [slot.gpu.id for slot in slots if slot.gpu is not None]
    assert (gpus.count("GPU-1"), gpus.count("GPU-2")) == (together, together)
